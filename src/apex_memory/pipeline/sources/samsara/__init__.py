"""Samsara's webhook bodies, feed entries and plain positions in, bundles out; a module a family of shapes."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Literal

from apex_memory.domain.bundles import Bundle
from apex_memory.domain.errors import RecordRejected
from apex_memory.domain.hooks import Fate, Identity, Wanted
from apex_memory.pipeline.sources._fields import readable_id, readable_instant, readable_milliseconds
from apex_memory.pipeline.sources._identity import NAMELESS, by_business_id, by_digest
from apex_memory.pipeline.sources._reading import within
from apex_memory.pipeline.sources.samsara.addresses import map_address
from apex_memory.pipeline.sources.samsara.alerts import map_incident, map_legacy
from apex_memory.pipeline.sources.samsara.documents import map_document
from apex_memory.pipeline.sources.samsara.envelope import (
    ADDRESSES,
    ALERT,
    DOCUMENT,
    EVENT_TYPES,
    LEGACY_ALERT,
    PING,
    SOURCE,
)
from apex_memory.pipeline.sources.samsara.events import map_event
from apex_memory.pipeline.sources.samsara.feed import has_statistics, last_time, map_vehicle
from apex_memory.pipeline.sources.samsara.position import map_position

_MAPPED_APART: Final[Mapping[str, Callable[[Mapping[str, object]], Bundle]]] = {
    ALERT: map_incident,
    LEGACY_ALERT: map_legacy,
    DOCUMENT: map_document,
    **dict.fromkeys(ADDRESSES, map_address),
}


class Samsara:
    """Telematics: where vehicles are, and what happens to them and their drivers."""

    name = SOURCE

    def identify(self, delivery: Mapping[str, object], *, digest: str) -> Identity:
        match _family_of(delivery):
            case "position":
                at = readable_instant(delivery.get("timestamp"))
                return by_business_id(readable_id(delivery["vehicle_id"]), at, digest=digest)
            case "event":
                return _event(delivery, digest=digest)
            case "vehicle":
                label = readable_id(delivery["id"]) or NAMELESS
                return by_digest(digest, label=label, at=last_time(delivery))
            case "page" | None:
                return by_digest(digest, fate=Fate.UNKNOWN)

    def wanted(self, record: Mapping[str, object]) -> Wanted | None:  # noqa: ARG002 - its payloads are whole
        return None

    def completed(self, record: Mapping[str, object], answer: Mapping[str, object]) -> Mapping[str, object]:  # noqa: ARG002
        return record

    def map_record(self, record: Mapping[str, object], *, received_at: datetime) -> Bundle:
        """Raises RecordRejected: names the field and what is expected there."""
        match _family_of(record):
            case "event":
                return _map_event(record)
            case "vehicle":
                return map_vehicle(record, received_at=received_at)
            case "page":
                raise RecordRejected(SOURCE, "/data", "a page of the feed: expected one of its entries")
            case _:
                return map_position(record)


def _family_of(record: object) -> Literal["position", "event", "page", "vehicle"] | None:
    if within(record, "vehicle_id") is not None:
        return "position"
    if within(record, "eventType") is not None:
        return "event"
    if within(record, "pagination") is not None:
        return "page"
    return "vehicle" if within(record, "id") is not None and has_statistics(record) else None


def _event(delivery: Mapping[str, object], *, digest: str) -> Identity:
    event_id, event_type = readable_id(delivery.get("eventId")), readable_id(delivery.get("eventType"))
    known = Fate.INGEST if event_type in EVENT_TYPES else Fate.UNKNOWN
    times = (
        readable_instant(within(delivery, "data", "updatedAtTime") if event_type == ALERT else None),
        readable_instant(delivery.get("eventTime")),
        readable_milliseconds(delivery.get("eventMs")),
    )
    return Identity(
        dedupe_key=event_id or digest,
        label=" ".join(filter(None, (event_type, event_id))) or NAMELESS,
        fate=Fate.PING if event_type == PING else known,
        at=next(filter(None, times), None),
    )


def _map_event(record: Mapping[str, object]) -> Bundle:
    event_type = readable_id(record.get("eventType"))
    if event_type == PING:
        raise RecordRejected(SOURCE, "/eventType", "a test message: there is nothing to remember")
    if event_type not in EVENT_TYPES:
        raise RecordRejected(SOURCE, "/eventType", "of a type that no rule maps")
    return _MAPPED_APART.get(event_type, map_event)(record)
