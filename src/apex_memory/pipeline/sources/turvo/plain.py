"""One plain shipment in, its bundle out: whose it is, how it stands, and its way."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AliasChoices, Field

from apex_memory.domain.bundles import Bundle, Claim, EntityRef, Mention
from apex_memory.pipeline.sources._fields import BlankAsNone, Identifier, OptionalInstant, OptionalName
from apex_memory.pipeline.sources._passages import passage_of
from apex_memory.pipeline.sources._reading import Shape, read
from apex_memory.pipeline.sources._wording import spoken_code, spoken_time
from apex_memory.pipeline.sources.turvo.statuses import SOURCE


def map_plain(record: Mapping[str, object], *, received_at: datetime) -> Bundle:
    """An item is one shipment; each change of it is a new version.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    shipment = read(_Shipment, record, source=SOURCE)
    subject = Mention(entity=EntityRef(type="shipment", key=shipment.shipment_id), name=shipment.shipment_id)
    claims = tuple(_claims(subject.entity, shipment))
    objects = dict.fromkeys(claim.object for claim in claims if claim.object)
    return Bundle(
        source=SOURCE,
        external_id=shipment.shipment_id,
        kind="record",
        title=f"Shipment {shipment.shipment_id}",
        as_of=shipment.updated_at or received_at.astimezone(UTC),
        passages=(passage_of(_sentence(shipment), shipment.unread(), source=SOURCE),),
        mentions=(subject, *(Mention(entity=entity, name=entity.key) for entity in objects)),
        claims=claims,
    )


class _Place(Shape):
    city: OptionalName = None
    state: OptionalName = None

    def written(self) -> str:
        return ", ".join(part for part in (self.city, self.state) if part)


class _Shipment(Shape):
    shipment_id: Identifier = Field(alias="shipmentId")
    customer: OptionalName = Field(default=None, alias="customerName")
    status: OptionalName = None
    origin: Annotated[_Place | None, BlankAsNone] = None
    destination: Annotated[_Place | None, BlankAsNone] = None
    updated_at: OptionalInstant = Field(default=None, validation_alias=AliasChoices("updatedAt", "timestamp"))


def _sentence(shipment: _Shipment) -> str:
    words = f"Shipment {shipment.shipment_id}"
    if shipment.customer:
        words += f" for {shipment.customer}"
    if shipment.status:
        words += f" is {spoken_code(shipment.status)}"
    if origin := _written(shipment.origin):
        words += f", from {origin}"
    if destination := _written(shipment.destination):
        words += f", to {destination}"
    if shipment.updated_at:
        words += f", as of {spoken_time(shipment.updated_at)}"
    return f"{words}."


def _written(place: _Place | None) -> str:
    return place.written() if place else ""


def _claims(subject: EntityRef, shipment: _Shipment) -> Iterator[Claim]:
    key = shipment.shipment_id
    # A time that was sent is content: the same status at a later time must outlive what was true in between.
    # A time that was not sent stays out: the same record delivered again is unchanged.
    since = shipment.updated_at
    if name := shipment.customer:
        customer = EntityRef(type="customer", key=name)
        yield Claim(
            subject=subject,
            predicate="has_customer",
            object=customer,
            fact=f"{key} is shipped for {name}",
            valid_from=since,
            passage=0,
        )
    if status := shipment.status:
        yield Claim(
            subject=subject,
            predicate="has_status",
            value=status,
            fact=f"{key} is {spoken_code(status)}",
            valid_from=since,
            passage=0,
        )
    ways = (("ships_from", "from", shipment.origin), ("ships_to", "to", shipment.destination))
    for predicate, word, end in ways:
        if place := _written(end):
            yield Claim(
                subject=subject,
                predicate=predicate,
                object=EntityRef(type="place", key=place),
                fact=f"{key} ships {word} {place}",
                valid_from=since,
                passage=0,
            )
