"""A payload of any shape in, the vehicles, drivers and addresses it names out, and what it says of them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple

from apex_memory.domain.bundles import Claim, EntityRef, Mention
from apex_memory.pipeline.sources._claims import claim, mentioned
from apex_memory.pipeline.sources._fields import MAX_NAME, readable_id, readable_name
from apex_memory.pipeline.sources._reading import as_array, as_object, within
from apex_memory.pipeline.sources.samsara.envelope import SOURCE

MAX_SCENES: Final = 64
_MAX_DEPTH: Final = 8

#: `device` in payload 1.0.
_VEHICLES: Final = ("vehicle", "trailer", "device")
_VIN: Final = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_MOVES: Final = {"geofenceentry": "entered", "geofenceexit": "left"}


class Vehicle(NamedTuple):
    """A vehicle by its Samsara id, and by its VIN if that is told."""

    itself: Mention
    vin: Mention | None


@dataclass(frozen=True)
class Scene:
    """Who and what one JSON object names together. `kind` is the key that it hangs under."""

    kind: str
    vehicles: tuple[Vehicle, ...]
    driver: Mention | None
    address: Mention | None


class Told(NamedTuple):
    mentions: tuple[Mention, ...]
    claims: tuple[Claim, ...]


def vehicle_in(value: object) -> Vehicle | None:
    """None if it names no id."""
    if (key := readable_id(within(value, "id"))) is None:
        return None
    itself = Mention(
        entity=EntityRef(type="vehicle", key=key), name=readable_name(within(value, "name")) or key
    )
    vin = readable_id(within(value, "externalIds", "samsara.vin")) or readable_id(within(value, "vin")) or ""
    if not _VIN.fullmatch(vin.upper()):
        return Vehicle(itself, None)
    return Vehicle(itself, Mention(entity=EntityRef(type="vehicle", key=vin.upper()), name=vin.upper()))


def same_as(vehicle: Vehicle) -> Iterator[Claim]:
    """Payloads name a vehicle by its id, documents by its VIN."""
    if vin := vehicle.vin:
        yield claim(vehicle.itself, "same_as", vin.entity, f"has the VIN {vin.name}", since=None)


def thing_in(value: object, type_: str) -> Mention | None:
    """A driver or an address. Their ids are Samsara's own: another source counts its drivers too."""
    if (key := readable_id(within(value, "id"))) is None:
        return None
    names = (readable_name(within(value, field)) for field in ("name", "formattedAddress"))
    entity = EntityRef(type=type_, key=f"{SOURCE}:{key}")
    return Mention(entity=entity, name=next(filter(None, names), key))


def scenes_in(value: object, kind: str = "") -> Sequence[Scene]:
    """Every object that names a vehicle, a driver or an address; no more than `MAX_SCENES`."""
    return tuple(islice(_scenes(value, kind, depth=0), MAX_SCENES))


def _scenes(value: object, kind: str, *, depth: int) -> Iterator[Scene]:
    if depth > _MAX_DEPTH:
        return
    for row in as_array(value):
        yield from _scenes(row, kind, depth=depth + 1)
    if fields := as_object(value):
        scene = _scene(fields, kind)
        if scene.vehicles or scene.driver or scene.address:
            yield scene
        for key in sorted(fields.keys() - {*_VEHICLES, "driver", "address"}):
            yield from _scenes(fields[key], key, depth=depth + 1)


def _scene(value: object, kind: str) -> Scene:
    vehicles = (vehicle_in(within(value, key)) for key in _VEHICLES)
    return Scene(
        kind=kind,
        vehicles=tuple(vehicle for vehicle in vehicles if vehicle),
        driver=thing_in(within(value, "driver"), "driver"),
        address=thing_in(within(value, "address"), "address"),
    )


def told_of(subject: Mention, scenes: Sequence[Scene], *, at: datetime) -> Told:
    """What the scenes say of `subject` and of each other, and whom they mention; each once."""
    named = (m for s in scenes for m in (*(m for v in s.vehicles for m in v), s.driver, s.address))
    claims = (said for scene in scenes for said in _claims(subject, scene, at))
    return Told(mentioned((subject, *named)), tuple(dict.fromkeys(claims)))


def _claims(subject: Mention, scene: Scene, at: datetime) -> Iterator[Claim]:
    driver, address, move = scene.driver, scene.address, _MOVES.get(scene.kind.lower())
    for vehicle in scene.vehicles:
        itself = vehicle.itself
        yield claim(subject, "concerns", itself.entity, f"concerns {itself.name}", since=at)
        yield from same_as(vehicle)
        if driver:
            yield claim(itself, "driven_by", driver.entity, f"is driven by {driver.name}", since=at)
        if address and move:
            yield claim(itself, move, address.entity, f"{move} {address.name}", since=at)
    if driver:
        yield claim(subject, "concerns", driver.entity, f"concerns {driver.name}", since=at)
    if address:
        yield claim(subject, "happened_at", address.entity, f"happened at {address.name}", since=at)


def names_in(scenes: Sequence[Scene]) -> str:
    """Such as "Truck 881, Zoë at Chicago Cross-Dock"; empty if nobody is named, cut if very many are."""
    who = [v.itself.name for s in scenes for v in s.vehicles] + [s.driver.name for s in scenes if s.driver]
    where = [s.address.name for s in scenes if s.address]
    parts = (", ".join(dict.fromkeys(who)), ", ".join(dict.fromkeys(where)))
    return " at ".join(part for part in parts if part)[:MAX_NAME]
