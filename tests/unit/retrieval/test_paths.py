"""Visible facts in, those that hang together with the seeds out, the most relevant first."""

from collections.abc import Sequence
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.retrieval.archive import fact_of
from tests.unit.retrieval.world import saying, versioned

from apex_memory.domain.answers import FactView
from apex_memory.domain.bundles import EntityRef
from apex_memory.domain.ids import entity_id
from apex_memory.pipeline.retrieval.paths import ends, most_relevant_first, reached

Edges = list[tuple[int, int]]


def place(n: int) -> EntityRef:
    return EntityRef(type="place", key=f"place {n}")


def seed(n: int) -> UUID:
    return entity_id("acme", "place", f"place {n}")


def roads(edges: Edges) -> list[FactView]:
    bundle = saying("map", links=[(place(one), f"{one}-{other}", place(other)) for one, other in edges])
    write = versioned("acme", bundle, version=1)
    return [fact_of(write, n) for n in range(len(edges))]


def walked(facts: Sequence[FactView]) -> list[str]:
    return [fact.predicate for fact in facts]


def test_two_steps_are_walked_in_either_direction_and_not_a_third() -> None:
    facts = roads([(3, 4), (3, 2), (1, 2)])

    assert walked(reached(facts, [seed(1)])) == ["1-2", "3-2"]


def test_facts_that_touch_no_seed_and_nothing_near_one_are_left_out() -> None:
    facts = roads([(1, 2), (5, 6)])

    assert walked(reached(facts, [seed(1)])) == ["1-2"]
    assert reached(facts, []) == ()


def test_what_is_named_comes_before_the_rest_and_order_is_kept_otherwise() -> None:
    facts = roads([(7, 8), (1, 2), (5, 6), (2, 3)])

    ranked = most_relevant_first(facts, named=[seed(2)], hits=())

    assert walked(ranked) == ["1-2", "2-3", "7-8", "5-6"]


EDGES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=10)


@given(EDGES, st.sets(st.integers(0, 6), max_size=2))
def test_every_reached_fact_touches_a_seed_or_a_fact_that_does(edges: Edges, starts: set[int]) -> None:
    facts, seeds = roads(edges), {seed(n) for n in starts}

    found = reached(facts, seeds)

    near = {end for fact in facts if ends(fact) & seeds for end in ends(fact)}
    assert {fact.claim_id for fact in found} == {
        fact.claim_id for fact in facts if ends(fact) & (seeds | near)
    }
