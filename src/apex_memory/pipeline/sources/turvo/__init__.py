"""Turvo's webhook bodies, list entries, full and plain shipments in, bundles out; a module a family."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from apex_memory.domain.bundles import Bundle
from apex_memory.domain.errors import RecordRejected
from apex_memory.domain.hooks import Fate, Identity, Wanted
from apex_memory.pipeline.sources._fields import readable_id, readable_instant
from apex_memory.pipeline.sources._identity import NAMELESS, by_business_id, by_digest, hash_of
from apex_memory.pipeline.sources._pruning import pruned
from apex_memory.pipeline.sources._reading import as_object, within
from apex_memory.pipeline.sources.turvo.full import Told, map_full
from apex_memory.pipeline.sources.turvo.plain import map_plain
from apex_memory.pipeline.sources.turvo.statuses import SOURCE
from apex_memory.pipeline.sources.turvo.thin import map_event, map_listed, read_event, shipment_number

#: Events of anything else are kept, and mapped by nobody.
_OF_SHIPMENTS: Final = "SHIPMENT_"
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
#: After rows that are marked so are gone, it says the same of every row.
_SILENT: Final = frozenset({"deleted"})


class Turvo:
    """Shipments: whose they are, how they stand, and their way."""

    name = SOURCE

    def identify(self, delivery: Mapping[str, object], *, digest: str) -> Identity:
        match _family_of(delivery):
            case "plain":
                times = (readable_instant(delivery.get(key)) for key in ("updatedAt", "timestamp"))
                key = readable_id(delivery.get("shipmentId"))
                return by_business_id(key, next(filter(None, times), None), digest=digest)
            case "event":
                return _event(delivery, digest=digest)
            case "answer":
                label = readable_id(within(delivery, "details", "id"))
                return by_digest(digest, label=label or NAMELESS)
            case "full" | "listed":
                label, at = readable_id(delivery.get("id")), readable_instant(delivery.get("updated"))
                return by_digest(digest, label=label or NAMELESS, at=at)
            case "page" | None:
                return by_digest(digest, fate=Fate.UNKNOWN)

    def wanted(self, record: Mapping[str, object]) -> Wanted | None:
        """The whole shipment, for whatever does not hold it."""
        match _family_of(record):
            case "event" if _is_of_a_shipment(record) and not isinstance(record.get("details"), Mapping):
                number = shipment_number(record.get("eventPayload"))
            case "listed":
                number = readable_id(record.get("id"))
            case _:
                number = None
        return Wanted(path=f"/shipments/{number}") if number and _NUMBER.fullmatch(number) else None

    def completed(self, record: Mapping[str, object], answer: Mapping[str, object]) -> Mapping[str, object]:
        """The webhook with the shipment as `details`; of a list's entry, the shipment alone.

        Raises:
            RecordRejected: the answer is about another shipment, or about none.
        """
        wanted = self.wanted(record)
        if wanted is None:
            return record
        number = readable_id(within(answer, "details", "id"))
        if wanted.path != f"/shipments/{number}":
            raise RecordRejected(SOURCE, "/details/id", "expected the shipment that was asked for")
        details = {"details": answer["details"]}
        return {**record, **details} if _family_of(record) == "event" else details

    def map_record(self, record: Mapping[str, object], *, received_at: datetime) -> Bundle:
        """Raises RecordRejected: names the field and what is expected there."""
        family = _family_of(record)
        if family in {"plain", None}:
            return map_plain(record, received_at=received_at)
        live = as_object(pruned(record, without=_SILENT))
        match family:
            case "event":
                return _map_event(live, received_at=received_at)
            case "answer":
                return map_full(live["details"], at="/details", told=None, received_at=received_at)
            case "page":
                raise RecordRejected(SOURCE, "/details/shipments", "a page: expected one of its entries")
            case "full":
                return map_full(live, at="", told=None, received_at=received_at)
            case _:
                return map_listed(live, received_at=received_at)


def _family_of(record: object) -> Literal["plain", "event", "page", "answer", "full", "listed"] | None:
    if within(record, "shipmentId") is not None:
        return "plain"
    if within(record, "eventName") is not None:
        return "event"
    if isinstance(within(record, "details"), Mapping):
        return "answer" if within(record, "details", "shipments") is None else "page"
    if within(record, "id") is None:
        return None
    if within(record, "globalRoute") is not None:
        return "full"
    known = within(record, "customId") is not None or within(record, "status", "code") is not None
    return "listed" if known else None


def _is_of_a_shipment(event: Mapping[str, object]) -> bool:
    return (readable_id(event.get("eventName")) or "").startswith(_OF_SHIPMENTS)


def _event(delivery: Mapping[str, object], *, digest: str) -> Identity:
    number = shipment_number(delivery.get("eventPayload"))
    name, time = readable_id(delivery.get("eventName")), delivery.get("eventTime")
    parts = (readable_id(delivery.get("tenantId")), name, number, time if isinstance(time, str) else None)
    return Identity(
        dedupe_key=hash_of(parts, digest=digest),
        label=number or name or NAMELESS,
        fate=Fate.INGEST if _is_of_a_shipment(delivery) else Fate.UNKNOWN,
        at=readable_instant(time),
    )


def _map_event(record: Mapping[str, object], *, received_at: datetime) -> Bundle:
    if not _is_of_a_shipment(record):
        raise RecordRejected(SOURCE, "/eventName", "of a type that no rule maps")
    if not isinstance(record.get("details"), Mapping):
        return map_event(record)
    event, payload, number = read_event(record)
    if readable_id(within(record, "details", "id")) != number:
        raise RecordRejected(SOURCE, "/details/id", "expected the shipment that the event is about")
    told = Told(status=payload.status.status() if payload.status else None, at=event.event_time)
    return map_full(record["details"], at="/details", told=told, received_at=received_at)
