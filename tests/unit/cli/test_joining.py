"""Facts about shipments and messages, and the chains that lead through them."""

from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

from apex_memory.cli.joining import chain_to
from apex_memory.domain.answers import EntityView, FactView

SPACE = UUID(int=7)


def entity(name: str) -> EntityView:
    """Such as `customer:Acme`."""
    return EntityView(entity_id=uuid5(SPACE, name), type=name.partition(":")[0], key=name, name=name)


def fact(subject: str, says: str, object_: str) -> FactView:
    return FactView(
        claim_id=uuid4(),
        item_id=uuid4(),
        version=1,
        source="turvo",
        kind="record",
        external_id="x",
        subject=entity(subject),
        predicate=says,
        object=entity(object_),
        value=None,
        fact=f"{subject} {says} {object_}",
        valid_from=datetime(2025, 10, 19, tzinfo=UTC),
        valid_to=None,
        confidence=1.0,
    )


SENT = fact("message:1", "sent_by", "person:a")
MENTIONED = fact("message:1", "mentions", "shipment:1")
CARRIED = fact("truck:1", "carries", "shipment:1")
OWNED = fact("shipment:1", "has_customer", "customer:Acme")
KNOWS = fact("person:a", "works_for", "agency:b")
BACK = fact("agency:b", "works_for", "customer:Other")


def test_the_shortest_chain_is_found_along_and_against_the_facts() -> None:
    facts = [SENT, KNOWS, BACK, MENTIONED, CARRIED, OWNED]

    assert chain_to("customer", facts, start=entity("message:1").entity_id) == (MENTIONED, OWNED)
    assert chain_to("truck", facts, start=entity("customer:Acme").entity_id) == (OWNED, CARRIED)


def test_nothing_leads_where_no_fact_leads() -> None:
    assert chain_to("customer", [SENT, KNOWS], start=entity("message:1").entity_id) == ()


def test_a_circle_of_facts_ends() -> None:
    facts = [fact("a:1", "knows", "a:2"), fact("a:2", "knows", "a:1")]

    assert chain_to("customer", facts, start=entity("a:1").entity_id) == ()
