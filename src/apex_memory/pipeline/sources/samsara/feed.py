"""One vehicle of the GPS feed in, its bundle out: a sample a point, a claim a change of place."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import structlog
from pydantic import BeforeValidator, Field

from apex_memory.domain.bundles import Bundle, Claim, Sample
from apex_memory.domain.feeds import LastKnown
from apex_memory.pipeline.sources._claims import claim, mentioned
from apex_memory.pipeline.sources._fields import (
    BlankAsNone,
    Heading,
    Id,
    Identifier,
    Instant,
    Latitude,
    Longitude,
    OptionalName,
    Speed,
    readable_instant,
)
from apex_memory.pipeline.sources._passages import passage_of
from apex_memory.pipeline.sources._reading import CamelShape, as_array, as_object, read, within
from apex_memory.pipeline.sources._wording import plain_number, spoken_pace, spoken_time, stamp
from apex_memory.pipeline.sources.samsara.envelope import SOURCE
from apex_memory.pipeline.sources.samsara.things import Vehicle, same_as, vehicle_in

MAX_POINTS: Final = 10_000
#: A vehicle that was without network sends hours at once; of the places between, the newest are claimed.
MAX_PLACES: Final = 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_log = structlog.get_logger()


def map_vehicle(record: Mapping[str, object], *, received_at: datetime) -> Bundle:
    """An item is what one vehicle sent at once; a single point is the item that a plain position is.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    sent = read(_Sent, record, source=SOURCE)
    vehicle = vehicle_in(record)
    assert vehicle is not None  # noqa: S101 - the shape has read the same id
    if points := in_order(sent.gps):
        return _moving(sent, vehicle, points)
    return Bundle(
        source=SOURCE,
        external_id=sent.id,
        kind="record",
        title=_full_name(vehicle),
        as_of=received_at.astimezone(UTC),
        passages=(passage_of(f"{_full_name(vehicle)} sent no position.", sent.unread(), source=SOURCE),),
        mentions=mentioned(vehicle),
        claims=tuple(same_as(vehicle)),
    )


def _moving(sent: "_Sent", vehicle: Vehicle, points: Sequence["Point"]) -> Bundle:
    places = places_in(points, sent.last_known())
    if not places:
        return _staying(sent, vehicle, points)
    # Of the other points' further fields none is shown: there are thousands, and hardly ever anything new.
    unread = {**(sent.model_extra or {}), "gps": points[-1].unread()}
    return Bundle(
        source=SOURCE,
        external_id=name_of(sent.id, points),
        kind="record",
        title=f"{vehicle.itself.name} positions",
        as_of=points[-1].time,
        passages=(passage_of(_sentences(vehicle, points, places), unread, source=SOURCE),),
        mentions=mentioned(vehicle),
        claims=(*same_as(vehicle), *(_located_at(vehicle, point) for point in places)),
        samples=tuple(_samples(vehicle, points)),
    )


def _staying(sent: "_Sent", vehicle: Vehicle, points: Sequence["Point"]) -> Bundle:
    """Nothing that a reader would want to be told: telemetry alone, without text that is embedded."""
    return Bundle(
        source=SOURCE,
        external_id=name_of(sent.id, points),
        kind="record",
        # Not the vehicle's name: what is read in a title is claimed, and here nothing is.
        title="positions",
        as_of=points[-1].time,
        mentions=(vehicle.itself,),
        samples=tuple(_samples(vehicle, points)),
    )


def name_of(vehicle_id: str, points: Sequence["Point"]) -> str:
    """The external id of what a vehicle sent at once, from its points in order."""
    first, last = stamp(points[0].time), stamp(points[-1].time)
    return f"{vehicle_id}@{last}" if first == last else f"{vehicle_id}@{first}..{last}"


def last_time(record: Mapping[str, object]) -> datetime | None:
    """The newest time of its points, as far as they can be read."""
    sent = as_array(_as_array(record.get("gps")))[:MAX_POINTS]
    times = (readable_instant(within(point, "time")) for point in sent)
    return max((at for at in times if at and at != _EPOCH), default=None)


def has_statistics(record: object) -> bool:
    """Whether it is an entry of the feed: positions, or whatever else was asked for, each with its time."""
    fields = as_object(record)
    return "gps" in fields or any(_begins_with_time(value) for value in fields.values())


def _begins_with_time(value: object) -> bool:
    first = next(iter(as_array(value)), value)
    return readable_instant(within(first, "time")) is not None


def _as_array(value: object) -> object:
    """The feed sends an array, the snapshot one point, and a vehicle without any is not worth a rejection."""
    if value is None:
        return []
    return [value] if as_object(value) else value


class _ReverseGeo(CamelShape):
    formatted_location: OptionalName = None


class _Address(CamelShape):
    name: OptionalName = None


class Point(CamelShape):
    time: Instant
    latitude: Latitude
    longitude: Longitude
    heading_degrees: Annotated[Heading | None, BlankAsNone] = None
    speed_miles_per_hour: Annotated[Speed | None, BlankAsNone] = None
    reverse_geo: _ReverseGeo | None = None
    address: _Address | None = None

    def coordinates(self) -> str:
        return f"{plain_number(self.latitude)},{plain_number(self.longitude)}"

    def place(self) -> str:
        """The name that it goes by: of a known address, else of the road and town; or empty."""
        known = self.address.name if self.address else None
        return known or (self.reverse_geo.formatted_location if self.reverse_geo else None) or ""

    def where(self) -> str:
        """What tells one place from another; without a name, a hundredth of a degree, about a kilometre."""
        return self.place() or f"{self.latitude:.2f},{self.longitude:.2f}"

    def where_digest(self) -> str:
        """The same for keeping: a place of a vehicle is what its owner may want forgotten."""
        return hashlib.sha256(self.where().encode()).hexdigest()[:32]


class _LastKnown(CamelShape):
    at: Instant
    place: Identifier


class _Sent(CamelShape):
    id: Id
    name: OptionalName = None
    #: What whoever polls the feed adds to an entry; Samsara sends nothing of the name.
    apex_last_known: _LastKnown | None = None
    gps: Annotated[list[Point], BeforeValidator(_as_array), Field(max_length=MAX_POINTS)] = Field(
        default_factory=list[Point]
    )

    def last_known(self) -> LastKnown | None:
        known = self.apex_last_known
        return LastKnown(at=known.at, place=known.place) if known else None


def in_order(sent: Sequence[Point]) -> Sequence[Point]:
    """By time, each time once: of two points the one that says more, then the one that was sent first.

    A receiver without a fix sends 0,0, a clock that was never set 1970: neither says where anything was.
    """
    known: dict[datetime, Point] = {}
    for point in sent:
        if point.time == _EPOCH or (point.latitude == 0 and point.longitude == 0):
            continue
        other = known.get(point.time)
        if other is None or _says(point) > _says(other):
            known[point.time] = point
    return [known[at] for at in sorted(known)]


def _says(point: Point) -> int:
    return len(point.model_fields_set)


def places_in(points: Sequence[Point], known: LastKnown | None) -> Sequence[Point]:
    """Where each stay at one place began, of the points in order, that is newer than what is known already.

    If nothing is known, also the last point, unless it did not move at all.
    """
    fresh = [point for point in points if not known or point.time > known.at]
    changed = [p for n, p in enumerate(fresh) if _elsewhere(p, fresh[n - 1] if n else known)]
    if not known and fresh[-1].coordinates() != changed[-1].coordinates():
        changed.append(fresh[-1])
    if len(changed) > MAX_PLACES:
        _log.warning("record.places_cut", source=SOURCE, kept=MAX_PLACES)
    return changed[-MAX_PLACES:]


def _elsewhere(point: Point, before: Point | LastKnown | None) -> bool:
    if isinstance(before, LastKnown):
        return point.where_digest() != before.place
    return before is None or point.where() != before.where()


def _located_at(vehicle: Vehicle, point: Point) -> Claim:
    place = f" ({point.place()})" if point.place() else ""
    where = point.coordinates()
    return claim(vehicle.itself, "located_at", where, f"is at {where}{place}", since=point.time)


def _samples(vehicle: Vehicle, points: Sequence[Point]) -> Iterator[Sample]:
    for point in points:
        measured = {
            "latitude": point.latitude,
            "longitude": point.longitude,
            "speed_mph": point.speed_miles_per_hour,
            "heading_degrees": point.heading_degrees,
        }
        for metric, value in measured.items():
            if value is not None:
                yield Sample(entity=vehicle.itself.entity, metric=metric, at=point.time, value=value)


def _full_name(vehicle: Vehicle) -> str:
    key = vehicle.itself.entity.key
    return f"{vehicle.itself.name} (vehicle {key})" if vehicle.itself.name != key else f"Vehicle {key}"


def _sentences(vehicle: Vehicle, points: Sequence[Point], places: Sequence[Point]) -> str:
    last = points[-1]
    words = f"{_full_name(vehicle)} was at {_spoken(last)}{spoken_pace(last.speed_miles_per_hour)}"
    if len(points) > 1:
        words += f"; {len(points)} points since {spoken_time(points[0].time)}"
    earlier = (f"Before, it was at {_spoken(point)}." for point in reversed(places) if point is not last)
    return "\n".join((f"{words}.", *earlier))


def _spoken(point: Point) -> str:
    where = f"latitude {plain_number(point.latitude)}, longitude {plain_number(point.longitude)}"
    place = point.place()
    return f"{where}{f' ({place})' if place else ''} on {spoken_time(point.time)}"
