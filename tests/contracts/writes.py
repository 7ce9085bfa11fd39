"""A tenant and a bundle in, a versioned bundle out that every store has something to keep of."""

from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from apex_memory.domain import ids
from apex_memory.domain.bundles import (
    Bundle,
    Claim,
    EntityRef,
    Mention,
    Sample,
    VersionedBundle,
    VersionRef,
)
from apex_memory.domain.documents import Passage
from apex_memory.testing import HashEmbedder

EMBEDDER: Final = HashEmbedder()
NOON: Final = datetime(2025, 10, 19, 12, tzinfo=UTC)
SHIPMENT: Final = EntityRef(type="shipment", key="SHIP-2025-10-19-002")
VEHICLE: Final = EntityRef(type="vehicle", key="OpenHaul 247")
LATE: Final = "The trailer is late and waits at the gate in Dallas."
INVOICE: Final = "Please pay the invoice for fuel before Friday."


def fresh_tenant() -> str:
    return f"test-{uuid4().hex[:12]}"


def passages(*texts: str) -> tuple[Passage, ...]:
    return tuple(Passage(ordinal=n, text=text, start=0, end=len(text)) for n, text in enumerate(texts))


def message(
    external_id: str = "msg-1", *, texts: tuple[str, ...] = (LATE, INVOICE), shipment: EntityRef = SHIPMENT
) -> Bundle:
    """A message about a shipment: entities that others share, claims with an object and with a value."""
    itself = EntityRef(type="message", key=external_id)
    return Bundle(
        source="frontapp",
        external_id=external_id,
        kind="record",
        title="Where is the trailer?",
        as_of=NOON,
        passages=passages(*texts),
        mentions=(
            Mention(entity=itself, name="Where is the trailer?"),
            Mention(entity=shipment, name="the load"),
            Mention(entity=VEHICLE, name="Truck 247"),
        ),
        claims=(
            Claim(subject=itself, predicate="mentions", object=shipment, fact=f"{external_id} is about it"),
            Claim(subject=VEHICLE, predicate="carries", object=shipment, fact="Truck 247 carries the load"),
            Claim(subject=shipment, predicate="has_status", value="delayed", fact="the load is delayed"),
            Claim(subject=VEHICLE, predicate="located_at", value="Dallas", fact="Truck 247 is in Dallas"),
        ),
        samples=(Sample(entity=VEHICLE, metric="speed_kmh", at=NOON, value=0.0),),
    )


def bare(external_id: str = "bare-1") -> Bundle:
    """An item that says nothing at all."""
    return Bundle(source="frontapp", external_id=external_id, kind="record", title="", as_of=NOON)


def write_of(tenant_id: str, bundle: Bundle, *, version: int = 1) -> VersionedBundle:
    return VersionedBundle(
        tenant_id=tenant_id,
        ref=VersionRef(item_id=ids.item_id(tenant_id, bundle.source, bundle.external_id), version=version),
        bundle=bundle,
        embedder_id=EMBEDDER.id,
        vectors=EMBEDDER.vectors([passage.text for passage in bundle.passages]),
    )
