"""A webhook, or an entry of a list, in as it came, its bundle out: what was said of a shipment at one time.

Neither tells a shipment whole, so neither is a version of the shipment's own item: it would take the place of
one that is whole, with stops and carrier. Each is an item of its own, with claims about the same entity.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from apex_memory.domain.bundles import Bundle, EntityRef, Mention
from apex_memory.domain.errors import RecordRejected
from apex_memory.pipeline.sources._claims import mentioned
from apex_memory.pipeline.sources._fields import (
    Identifier,
    Instant,
    OptionalId,
    OptionalInstant,
    readable_id,
)
from apex_memory.pipeline.sources._passages import passage_of
from apex_memory.pipeline.sources._reading import CamelShape, read, within
from apex_memory.pipeline.sources._wording import spoken_time, stamp
from apex_memory.pipeline.sources.turvo.shipment import Shipment, StatusNow, has_status, parties
from apex_memory.pipeline.sources.turvo.statuses import SOURCE, Status

#: Where the events that were seen hold the number of their shipment.
_NUMBERS: Final = (
    ("id",),
    ("load", "id"),
    ("shipmentId",),
    ("shipment_id",),
    ("shipment", "id"),
    ("data", "shipment", "id"),
)


class Event(CamelShape):
    """A webhook's envelope. What is named here is no content."""

    tenant_id: OptionalId = None
    event_name: Identifier
    event_time: Instant
    event_payload: object = None
    details: object = None


class Payload(CamelShape):
    status: StatusNow | None = None


def shipment_number(payload: object) -> str | None:
    """The number of the shipment that an event is about."""
    return next(filter(None, (readable_id(within(payload, *path)) for path in _NUMBERS)), None)


def read_event(record: Mapping[str, object]) -> tuple[Event, Payload, str]:
    """The envelope, its payload, and the number of the shipment.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    event = read(Event, record, source=SOURCE)
    payload = read(Payload, event.event_payload, source=SOURCE, at="/eventPayload")
    number = shipment_number(event.event_payload)
    if number is None:
        raise RecordRejected(SOURCE, "/eventPayload/id", "required, and missing: whose event this is")
    return event, payload, number


def map_event(record: Mapping[str, object]) -> Bundle:
    """An item is one event. Of the shipment it knows the number, and the status if it is about that.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    event, payload, number = read_event(record)
    itself = Mention(entity=EntityRef(type="shipment", key=number), name=number)
    status = payload.status.status() if payload.status else None
    claims = (has_status(itself, status, since=event.event_time),) if status else ()
    what = f"is {status.spoken}" if status else "was changed"
    notes = payload.status.notes if payload.status else None
    text = f"Shipment {number} {what}, on {spoken_time(event.event_time)}."
    unread = {**event.unread(), "eventPayload": payload.unread()}
    return Bundle(
        source=SOURCE,
        external_id=f"{number}/{event.event_name}@{stamp(event.event_time)}",
        kind="record",
        title=f"Shipment {number} {what}",
        as_of=event.event_time,
        passages=(passage_of(f"{text}\n{notes}" if notes else text, unread, source=SOURCE),),
        mentions=(itself,),
        claims=claims,
    )


class _Listed(Shipment):
    updated: OptionalInstant = None


def map_listed(record: Mapping[str, object], *, received_at: datetime) -> Bundle:
    """An item is one sighting: a page may hold a shipment twice, with two statuses and one time.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    listed = read(_Listed, record, source=SOURCE)
    itself, status = listed.itself(), listed.status_now()
    claims = (
        *parties(listed, since=listed.updated),
        *((has_status(itself, status, since=listed.updated),) if status else ()),
    )
    notes = listed.status.notes if listed.status else None
    text = _sentence(listed, status)
    sighting = [stamp(listed.updated)] if listed.updated else []
    return Bundle(
        source=SOURCE,
        external_id="/".join((listed.id, "listed", *sighting, *([status.word] if status else []))),
        kind="record",
        title=f"Shipment {itself.name} listed",
        as_of=listed.updated or received_at.astimezone(UTC),
        passages=(passage_of(f"{text}\n{notes}" if notes else text, listed.unread(), source=SOURCE),),
        mentions=mentioned((itself, listed.number()), claims),
        claims=claims,
    )


def _sentence(listed: _Listed, status: Status | None) -> str:
    words = listed.introduced()
    if status:
        words += f" is {status.spoken}"
    if listed.updated:
        words += f", as of {spoken_time(listed.updated)}"
    return f"{words}."
