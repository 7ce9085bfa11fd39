"""A shipment as the API answers it in, alone or fetched for a webhook, its bundle out: a version of it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from pydantic import Field

from apex_memory.domain.bundles import Bundle, Claim, EntityRef, Mention
from apex_memory.pipeline.sources._claims import claim, mentioned
from apex_memory.pipeline.sources._fields import OptionalInstant, Rows
from apex_memory.pipeline.sources._passages import passage_of
from apex_memory.pipeline.sources._reading import read
from apex_memory.pipeline.sources.turvo.shipment import Shipment, StatusThen, has_status, parties
from apex_memory.pipeline.sources.turvo.statuses import SOURCE, Status
from apex_memory.pipeline.sources.turvo.stops import Lane, Stop, ends, in_order, spoken, way

#: Of a longer history, the newest are claimed.
MAX_HISTORY: Final = 64


class Told(NamedTuple):
    """What the webhook said for which the shipment was fetched."""

    status: Status | None
    at: datetime


class _Full(Shipment):
    lane: Lane | None = None
    global_route: Rows[Stop] = Field(default_factory=list[Stop | None])
    status_history: Rows[StatusThen] = Field(default_factory=list[StatusThen | None])
    updated: OptionalInstant = None


def map_full(details: object, *, at: str, told: Told | None, received_at: datetime) -> Bundle:
    """An item is one shipment, by its number in Turvo; each answer is a new version of it.

    `at` is the pointer to where in the record the details lie.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    shipment = read(_Full, details, source=SOURCE, at=at)
    itself, stops = shipment.itself(), in_order(shipment.global_route)
    since = told.at if told else shipment.updated
    statuses = tuple(_statuses(shipment, told))
    drivers = tuple(_drivers(shipment))
    claims = (
        *parties(shipment, since=since),
        *(has_status(itself, status, since=began) for status, began in statuses),
        *_whereabouts(shipment, since),
        *way(itself, stops, shipment.lane, since=since),
        *(claim(itself, "driven_by", d.entity, f"is driven by {d.name}", since=since) for d in drivers),
    )
    notes = shipment.status.notes if shipment.status else None
    text = "\n".join(filter(None, (_sentence(shipment, statuses, stops), *spoken(stops), notes)))
    return Bundle(
        source=SOURCE,
        external_id=shipment.id,
        kind="record",
        title=f"Shipment {itself.name}",
        as_of=since or received_at.astimezone(UTC),
        passages=(passage_of(text, shipment.unread(), source=SOURCE),),
        mentions=mentioned((itself, shipment.number(), *drivers), claims),
        claims=claims,
    )


def _statuses(shipment: _Full, told: Told | None) -> Iterator[tuple[Status, datetime | None]]:
    """How it stood and stands, each status with when it began; None is "when this was answered".

    The webhook is older than the answer fetched for it. If the answer names another status and does not say
    since when, the webhook's is left out: nothing would tell which of the two came after the other.
    """
    history = _history(shipment)
    yield from history
    now = shipment.status_now()
    if now and (not history or now.word != history[-1][0].word):
        yield now, (told.at if told and told.status and told.status.word == now.word else None)
    elif told and told.status and told.status.word != _standing(history, told.at):
        yield told.status, told.at


def _history(shipment: _Full) -> list[tuple[Status, datetime]]:
    """Oldest first, whatever the order of the array."""
    rows = ((row.code.status(), row.last_updated_on) for row in shipment.status_history if row and row.code)
    known = {(status, at) for status, at in rows if status and at}
    return sorted(known, key=lambda row: (row[1], row[0]))[-MAX_HISTORY:]


def _standing(history: Sequence[tuple[Status, datetime]], at: datetime) -> str | None:
    """How it stood at that time, as a word."""
    return next((status.word for status, began in reversed(history) if began <= at), None)


def _whereabouts(shipment: _Full, since: datetime | None) -> Iterator[Claim]:
    if shipment.status and shipment.status.location and (city := shipment.status.location.city):
        yield claim(shipment.itself(), "located_at", city, f"is at {city}", since=since)


def _drivers(shipment: _Full) -> Iterator[Mention]:
    """Their ids are Turvo's own: another source counts its drivers too."""
    rows = (row for order in shipment.carrier_order if order for row in order.drivers if row)
    for driver in (row.context for row in rows):
        if driver and driver.id:
            entity = EntityRef(type="driver", key=f"{SOURCE}:{driver.id}")
            yield Mention(entity=entity, name=driver.name or driver.id)


def _sentence(
    shipment: _Full, statuses: Sequence[tuple[Status, datetime | None]], stops: Sequence[Stop]
) -> str:
    words = shipment.introduced()
    if statuses:
        words += f" is {max(statuses, key=_began)[0].spoken}"
    start, end = ends(stops, shipment.lane)
    if start:
        words += f", from {start}"
    if end:
        words += f", to {end}"
    return f"{words}."


def _began(standing: tuple[Status, datetime | None]) -> tuple[bool, datetime]:
    """What began at an unknown time is what stands now."""
    _, at = standing
    return at is None, at or datetime.min.replace(tzinfo=UTC)
