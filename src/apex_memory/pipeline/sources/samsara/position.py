"""One plain position in, its bundle out: where a vehicle was, and how fast."""

from collections.abc import Mapping
from typing import Annotated

from apex_memory.domain.bundles import Bundle, Claim, EntityRef, Mention, Sample
from apex_memory.pipeline.sources._fields import BlankAsNone, Identifier, Instant, Latitude, Longitude, Speed
from apex_memory.pipeline.sources._passages import passage_of
from apex_memory.pipeline.sources._reading import Shape, read
from apex_memory.pipeline.sources._wording import plain_number, spoken_pace, spoken_time, stamp
from apex_memory.pipeline.sources.samsara.envelope import SOURCE


def map_position(record: Mapping[str, object]) -> Bundle:
    """An item is one vehicle at one time; positions of the same vehicle are joined by its entity.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    position = read(_Position, record, source=SOURCE)
    vehicle = EntityRef(type="vehicle", key=position.vehicle_id)
    return Bundle(
        source=SOURCE,
        external_id=f"{position.vehicle_id}@{stamp(position.timestamp)}",
        kind="record",
        title=f"{position.vehicle_id} position",
        as_of=position.timestamp,
        passages=(passage_of(_sentence(position), position.unread(), source=SOURCE),),
        mentions=(Mention(entity=vehicle, name=position.vehicle_id),),
        claims=(_located_at(vehicle, position),),
        samples=_samples(vehicle, position),
    )


class _Position(Shape):
    vehicle_id: Identifier
    latitude: Latitude
    longitude: Longitude
    timestamp: Instant
    speed_mph: Annotated[Speed | None, BlankAsNone] = None


def _sentence(position: _Position) -> str:
    where = f"latitude {plain_number(position.latitude)}, longitude {plain_number(position.longitude)}"
    when = spoken_time(position.timestamp)
    return f"{position.vehicle_id} was at {where} on {when}{spoken_pace(position.speed_mph)}."


def _located_at(vehicle: EntityRef, position: _Position) -> Claim:
    place = f"{plain_number(position.latitude)},{plain_number(position.longitude)}"
    return Claim(
        subject=vehicle,
        predicate="located_at",
        value=place,
        fact=f"{position.vehicle_id} is at {place}",
        valid_from=position.timestamp,
        passage=0,
    )


def _samples(vehicle: EntityRef, position: _Position) -> tuple[Sample, ...]:
    measured = {
        "latitude": position.latitude,
        "longitude": position.longitude,
        "speed_mph": position.speed_mph,
    }
    return tuple(
        Sample(entity=vehicle, metric=metric, at=position.timestamp, value=value)
        for metric, value in measured.items()
        if value is not None
    )
