"""A shipment's JSON in, its parts out: the shapes that lists, webhooks and full answers share."""

from collections.abc import Iterator
from datetime import datetime

from pydantic import Field

from apex_memory.domain.bundles import Claim, EntityRef, Mention
from apex_memory.pipeline.sources._claims import claim
from apex_memory.pipeline.sources._fields import (
    Id,
    OptionalId,
    OptionalName,
    OptionalText,
    ReadableInstant,
    ReadableName,
    Rows,
)
from apex_memory.pipeline.sources._reading import CamelShape
from apex_memory.pipeline.sources.turvo.statuses import Code, Status


class Party(CamelShape):
    """A customer or a carrier; webhooks name it by its id only."""

    id: OptionalId = None
    name: OptionalName = None


class CustomerOrder(CamelShape):
    customer: Party | None = None


class Assignment(CamelShape):
    context: Party | None = None


class CarrierOrder(CamelShape):
    carrier: Party | None = None
    drivers: Rows[Assignment] = Field(default_factory=list[Assignment | None])


class Location(CamelShape):
    city: ReadableName = None


class StatusNow(CamelShape):
    code: Code | None = None
    notes: OptionalText = None
    location: Location | None = None

    def status(self) -> Status | None:
        return self.code.status() if self.code else None


class StatusThen(CamelShape):
    """A row of the history; one without a readable time says nothing."""

    code: Code | None = None
    last_updated_on: ReadableInstant = None


class Shipment(CamelShape):
    """What each answer about a shipment has. Rows marked as deleted were taken out before."""

    id: Id
    custom_id: OptionalName = None
    status: StatusNow | None = None
    customer_order: Rows[CustomerOrder] = Field(default_factory=list[CustomerOrder | None])
    carrier_order: Rows[CarrierOrder] = Field(default_factory=list[CarrierOrder | None])

    def status_now(self) -> Status | None:
        return self.status.status() if self.status else None

    def customers(self) -> list[str]:
        return _names(order.customer for order in self.customer_order if order)

    def carriers(self) -> list[str]:
        return _names(order.carrier for order in self.carrier_order if order)

    def itself(self) -> Mention:
        """By the id that people use; the number is for those that have no such id."""
        key = self.custom_id or self.id
        return Mention(entity=EntityRef(type="shipment", key=key), name=key)

    def introduced(self) -> str:
        """How a sentence about it begins: what it is called, whose it is and who carries it."""
        words = f"Shipment {self.itself().name}"
        if self.custom_id:
            words += f" (Turvo {self.id})"
        if customers := self.customers():
            words += f" for {', '.join(customers)}"
        if carriers := self.carriers():
            words += f" with {', '.join(carriers)}"
        return words

    def number(self) -> Mention:
        return Mention(entity=EntityRef(type="shipment", key=self.id), name=self.id)


def _names(parties: Iterator[Party | None]) -> list[str]:
    return list(dict.fromkeys(party.name for party in parties if party and party.name))


def parties(shipment: Shipment, *, since: datetime | None) -> Iterator[Claim]:
    """Who ships and who carries it, and that its number and its id are the same shipment."""
    itself, number = shipment.itself(), shipment.number()
    if itself.entity != number.entity:
        yield claim(itself, "same_as", number.entity, f"is shipment {number.name} in Turvo", since=since)
    for name in shipment.customers():
        customer = EntityRef(type="customer", key=name)
        yield claim(itself, "has_customer", customer, f"is shipped for {name}", since=since)
    for name in shipment.carriers():
        carrier = EntityRef(type="carrier", key=name)
        yield claim(itself, "has_carrier", carrier, f"is carried by {name}", since=since)


def has_status(itself: Mention, status: Status, *, since: datetime | None) -> Claim:
    return claim(itself, "has_status", status.word, f"is {status.spoken}", since=since)
