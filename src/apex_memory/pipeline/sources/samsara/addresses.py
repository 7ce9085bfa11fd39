"""An address created, updated or deleted in, its bundle out: what it is called and where it lies."""

from collections.abc import Iterator, Mapping

from apex_memory.domain.bundles import Bundle, Claim, EntityRef, Mention
from apex_memory.pipeline.sources._claims import claim
from apex_memory.pipeline.sources._fields import Id, Latitude, Longitude, OptionalName
from apex_memory.pipeline.sources._passages import passage_of
from apex_memory.pipeline.sources._reading import CamelShape, read, within
from apex_memory.pipeline.sources._wording import plain_number, spoken_time
from apex_memory.pipeline.sources.samsara.envelope import SOURCE, Envelope


def map_address(record: Mapping[str, object]) -> Bundle:
    """An item is one address; each change of it is a new version, the deletion too.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    envelope = read(Envelope, record, source=SOURCE)
    address = read(_Address, within(envelope.data, "address"), source=SOURCE, at="/data/address")
    itself = Mention(
        entity=EntityRef(type="address", key=f"{SOURCE}:{address.id}"),
        name=address.name or address.formatted_address or address.id,
    )
    change = envelope.event_type.removeprefix("Address").lower()
    unread = {**envelope.unread(), "data": {"address": address.unread()}}
    return Bundle(
        source=SOURCE,
        external_id=f"address:{address.id}",
        kind="record",
        title=f"Address {itself.name}",
        as_of=envelope.event_time,
        passages=(passage_of(_sentence(itself, address, change, envelope), unread, source=SOURCE),),
        mentions=(itself,),
        claims=tuple(_claims(itself, address, change, envelope)),
    )


class _Circle(CamelShape):
    latitude: Latitude
    longitude: Longitude


class _Geofence(CamelShape):
    """A polygon has no one place: its corners are in the text only."""

    circle: _Circle | None = None


class _Address(CamelShape):
    id: Id
    name: OptionalName = None
    formatted_address: OptionalName = None
    geofence: _Geofence | None = None

    def place(self) -> str | None:
        circle = self.geofence.circle if self.geofence else None
        return f"{plain_number(circle.latitude)},{plain_number(circle.longitude)}" if circle else None


def _sentence(itself: Mention, address: _Address, change: str, envelope: Envelope) -> str:
    words = f"Address {itself.name} (Samsara address {address.id})"
    if address.formatted_address:
        words += f", {address.formatted_address},"
    if place := address.place():
        words += f" at {place}"
    return f"{words} was {change} on {spoken_time(envelope.event_time)}."


def _claims(itself: Mention, address: _Address, change: str, envelope: Envelope) -> Iterator[Claim]:
    since = envelope.event_time
    if written := address.formatted_address:
        yield claim(itself, "has_address", written, f"has the address {written}", since=since)
    if place := address.place():
        yield claim(itself, "located_at", place, f"is at {place}", since=since)
    if change == "deleted":
        yield claim(itself, "has_status", change, "is deleted", since=since)
