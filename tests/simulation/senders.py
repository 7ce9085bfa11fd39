"""What is sent in, and the bundles that it becomes: small, and with the same few contents again and again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import numpy as np
from tests.simulation.ports import POISON

from apex_memory.domain import ids
from apex_memory.domain.bundles import Bundle, Claim, EntityRef, Mention, VersionRef
from apex_memory.domain.documents import Passage
from apex_memory.domain.staged import StagedBundle, dump_bundles, dump_vectors

TENANTS: Final = ("acme", "bolt")
ITEMS: Final = ("one", "two", "three")
CONTENTS: Final = ("a", "b", "c")
SOURCE: Final = "turvo"
EMBEDDER_ID: Final = "simulated"

_NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
_TRUCK: Final = EntityRef(type="vehicle", key="247")


@dataclass(frozen=True)
class Sent:
    """One accepted event: what it says of an item, and the time that it speaks of (seconds after noon)."""

    tenant_id: str
    event_id: UUID
    external_id: str
    content: str
    as_of_s: float
    batch_id: UUID
    parent: VersionRef | None = None
    poison: bool = False

    @property
    def item_id(self) -> UUID:
        return ids.item_id(self.tenant_id, SOURCE, self.external_id)

    @property
    def as_of(self) -> datetime:
        return _NOON + timedelta(seconds=self.as_of_s)

    def bundle(self) -> Bundle:
        text = f"{self.external_id} says {self.content}"
        return Bundle(
            source=SOURCE,
            external_id=self.external_id,
            kind="record",
            title=POISON if self.poison else self.external_id,
            as_of=self.as_of,
            parent=self.parent,
            passages=tuple(Passage(ordinal=n, text=f"{text} {n}", start=0, end=len(text)) for n in range(2)),
            mentions=(Mention(entity=_TRUCK, name="the truck"),),
            claims=(Claim(subject=_TRUCK, predicate="carries", value=self.content, fact=text),),
        )


def item_of(tenant_id: str, external_id: str) -> UUID:
    return ids.item_id(tenant_id, SOURCE, external_id)


def staged_files(events: Sequence[Sent]) -> tuple[bytes, bytes]:
    """The files of a batch that is extracted and embedded: bundles and vectors."""
    bundles = [StagedBundle(event_id=event.event_id, bundle=event.bundle()) for event in events]
    rows = sum(len(one.bundle.passages) for one in bundles)
    return dump_bundles(bundles), dump_vectors(np.ones((rows, 2), dtype=np.float32))
