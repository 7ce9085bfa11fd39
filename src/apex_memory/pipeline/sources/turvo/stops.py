"""A shipment's stops in, in whatever order they were sent, its way out: stop by stop, from where to where."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Final

from pydantic import Field, PlainValidator

from apex_memory.domain.bundles import Claim, EntityRef, Mention
from apex_memory.pipeline.sources._claims import claim
from apex_memory.pipeline.sources._fields import OptionalName, ReadableName, readable_id, readable_instant
from apex_memory.pipeline.sources._reading import CamelShape, as_array, within
from apex_memory.pipeline.sources._wording import spoken_code
from apex_memory.pipeline.sources.turvo.statuses import Code

MAX_PURCHASE_ORDERS: Final = 64
_LAST_SEQUENCE: Final = 1_000_000
_PICKUP: Final = "1500"
_DELIVERY: Final = "1501"
_KINDS: Final = {_PICKUP: "pickup", _DELIVERY: "delivery"}
_CANCELED: Final = frozenset({"cancelled", "canceled"})  # a shipment is written with one l, a stop with two


def _sequence(value: object) -> float:
    """A stop without a number comes last."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LAST_SEQUENCE:
        return value
    return _LAST_SEQUENCE


def _purchase_orders(value: object) -> list[str]:
    """One or several in a text, or an array of them."""
    sent = as_array(value) or [value]
    split = (number for row in sent for number in (row.split(",") if isinstance(row, str) else [row]))
    numbers = filter(None, (readable_id(number) for number in split))
    return list(dict.fromkeys(islice(numbers, MAX_PURCHASE_ORDERS)))


class _Address(CamelShape):
    city: ReadableName = None
    state: ReadableName = None


class Stop(CamelShape):
    """A row of `globalRoute`. Its times stay unread and are looked at where they lie: some are dates only."""

    name: OptionalName = None
    stop_type: Code | None = None
    sequence: Annotated[float, PlainValidator(_sequence)] = _LAST_SEQUENCE
    state: ReadableName = None
    address: _Address | None = None
    po_numbers: Annotated[list[str], PlainValidator(_purchase_orders)] = Field(default_factory=list[str])

    def place(self) -> str:
        return (
            ", ".join(part for part in (self.address.city, self.address.state) if part)
            if self.address
            else ""
        )

    def kind(self) -> str:
        return _KINDS.get(self.stop_type.key or "", "") if self.stop_type else ""

    def is_live(self) -> bool:
        return (self.state or "").lower() not in _CANCELED

    def when(self, what: str) -> datetime | None:
        return readable_instant(within(self.model_extra, "attributes", what))


class Lane(CamelShape):
    start: ReadableName = None
    end: ReadableName = None


def in_order(stops: Sequence[Stop | None]) -> Sequence[Stop]:
    """The array is in no order that could be relied on. Stops of the same number stay as they were sent."""
    return sorted((stop for stop in stops if stop), key=lambda stop: stop.sequence)


def ends(stops: Sequence[Stop], lane: Lane | None) -> tuple[str, str]:
    """From where to where, of the stops that are not canceled; each empty if nobody knows."""
    live = [stop for stop in stops if stop.is_live() and stop.place()]
    loads = [stop for stop in live if stop.kind() == "pickup"] or live
    drops = [stop for stop in live if stop.kind() == "delivery"] or live[1:]
    start, end = (lane.start, lane.end) if lane else (None, None)
    return (loads[0].place() if loads else start or ""), (drops[-1].place() if drops else end or "")


def way(
    itself: Mention, stops: Sequence[Stop], lane: Lane | None, *, since: datetime | None
) -> Iterator[Claim]:
    """Where it ships from and to, where it stops, and on whose purchase orders."""
    start, end = ends(stops, lane)
    for predicate, word, name in (("ships_from", "from", start), ("ships_to", "to", end)):
        if name:
            yield claim(itself, predicate, _place(name), f"ships {word} {name}", since=since)
    for stop in stops:
        if stop.is_live() and (name := stop.place()):
            came, went = stop.when("arrival") or since, stop.when("departed")
            yield claim(itself, "stops_at", _place(name), f"stops at {_named(stop)}", since=came, until=went)
    for number in dict.fromkeys(number for stop in stops for number in stop.po_numbers):
        order = EntityRef(type="purchase_order", key=number)
        yield claim(itself, "has_purchase_order", order, f"is on purchase order {number}", since=since)


def _place(name: str) -> EntityRef:
    return EntityRef(type="place", key=name)


def spoken(stops: Sequence[Stop]) -> Iterator[str]:
    """A line for each stop."""
    for n, stop in enumerate(stops, 1):
        words = f"Stop {n}: {_named(stop)}"
        if stop.state:
            words += f", {spoken_code(stop.state.lower())}"
        if stop.po_numbers:
            words += f", purchase orders {', '.join(stop.po_numbers)}"
        yield f"{words}."


def _named(stop: Stop) -> str:
    """Such as "Chicago Pickup (pickup) in Chicago, IL"."""
    words = stop.name or stop.place() or "no name"
    if kind := stop.kind():
        words += f" ({kind})"
    return f"{words} in {stop.place()}" if stop.name and stop.place() else words
