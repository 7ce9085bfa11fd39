"""Stores that fail or never answer, and answers that name them and give what the others found."""

from typing import Never

import pytest
from tests.unit.retrieval.faults import Fault, answered_then, refused, unanswered
from tests.unit.retrieval.world import World, saying

from apex_memory.domain.bundles import EntityRef
from apex_memory.domain.errors import ApexError, ProviderRefused, RateLimited, StoreUnavailable

TRUCK = EntityRef(type="vehicle", key="4412")
GATE = EntityRef(type="place", key="Gate 7")
TEXT = "truck 4412 waits at the gate"
BUNDLE = saying("gps-1", TEXT, links=((TRUCK, "waits at", GATE),))
# Long enough for stores that answer at once, short enough to wait for one that never does.
DEADLINE_S = 0.05

faults = pytest.mark.parametrize("fault", [refused, unanswered])


@faults
async def test_without_vectors_the_words_answer(fault: Fault) -> None:
    world = World()
    write = await world.remember("acme", BUNDLE)
    world.vectors.nearest = fault

    answer = await world.retrieval(deadline_s=DEADLINE_S).search("acme", TEXT)

    assert answer.missing == ("qdrant",)
    assert [hit.chunk_id for hit in answer.hits] == list(write.chunk_ids)
    assert [fact.claim_id for fact in answer.facts] == list(write.claim_ids)


@faults
async def test_without_the_embedder_the_words_answer(fault: Fault) -> None:
    world = World()
    write = await world.remember("acme", BUNDLE)
    world.embedder.embed = fault

    answer = await world.retrieval(deadline_s=DEADLINE_S).search("acme", TEXT)

    assert answer.missing == ("embedder",)
    assert [hit.chunk_id for hit in answer.hits] == list(write.chunk_ids)


@pytest.mark.parametrize(
    "refusal", [RateLimited("openai", 30.0), ProviderRefused("openai", "the key is not valid")], ids=type
)
async def test_an_embedder_that_will_not_serve_counts_as_missing(refusal: ApexError) -> None:
    async def refuse(*_call: object, **_options: object) -> Never:
        raise refusal

    world = World()
    write = await world.remember("acme", BUNDLE)
    world.embedder.embed = refuse

    answer = await world.retrieval().search("acme", TEXT)

    assert answer.missing == ("embedder",)
    assert [hit.chunk_id for hit in answer.hits] == list(write.chunk_ids)


@faults
async def test_without_the_graph_there_are_hits_and_no_facts(fault: Fault) -> None:
    world = World()
    write = await world.remember("acme", BUNDLE)
    world.graph.claims_around = fault

    answer = await world.retrieval(deadline_s=DEADLINE_S).search("acme", TEXT)

    assert answer.missing == ("neo4j",)
    assert [hit.chunk_id for hit in answer.hits] == list(write.chunk_ids)
    assert answer.facts == ()


@faults
async def test_without_full_text_search_the_vectors_answer(fault: Fault) -> None:
    world = World()
    write = await world.remember("acme", BUNDLE)
    world.archive.lexical = fault

    answer = await world.retrieval(deadline_s=DEADLINE_S).search("acme", TEXT)

    assert answer.missing == ("postgres",)
    assert [hit.chunk_id for hit in answer.hits] == list(write.chunk_ids)


async def test_every_missing_store_is_named() -> None:
    world = World()
    await world.remember("acme", BUNDLE)
    world.vectors.nearest = world.graph.claims_around = refused

    answer = await world.retrieval().search("acme", TEXT)

    assert answer.missing == ("qdrant", "neo4j")


async def test_a_leg_that_fails_while_the_answer_is_filled_up_keeps_what_it_found() -> None:
    world = World()
    for _ in range(60):
        await world.prepare("acme", saying("stale", TEXT))
    visible = await world.remember("acme", saying("fresh", TEXT))

    def break_down() -> None:
        world.vectors.nearest = refused

    world.vectors.nearest = answered_then(world.vectors.nearest, break_down)
    answer = await world.retrieval().search("acme", TEXT)

    assert answer.missing == ("qdrant",)
    assert [hit.chunk_id for hit in answer.hits] == list(visible.chunk_ids)


async def test_a_leg_that_failed_is_not_asked_again() -> None:
    world, asked = World(), [0]
    await world.remember("acme", BUNDLE)

    async def refuse(*_call: object, **_options: object) -> Never:
        asked[0] += 1
        raise StoreUnavailable("qdrant", "connection refused")

    world.vectors.nearest = refuse
    await world.retrieval().search("acme", "the gate")

    assert asked == [1]


async def test_if_no_leg_answers_there_is_no_answer() -> None:
    world = World()
    await world.remember("acme", BUNDLE)
    world.vectors.nearest = world.archive.lexical = refused

    with pytest.raises(StoreUnavailable, match="postgres is unavailable"):
        await world.retrieval().search("acme", TEXT)


@faults
@pytest.mark.parametrize("method", ["snapshot", "entities_named", "visible_hits", "visible_facts"])
async def test_if_nobody_can_say_what_is_visible_there_is_no_answer(fault: Fault, method: str) -> None:
    world = World()
    await world.remember("acme", BUNDLE)
    setattr(world.archive, method, fault)

    with pytest.raises(StoreUnavailable, match="postgres is unavailable"):
        await world.retrieval(deadline_s=DEADLINE_S).search("acme", TEXT)


async def test_a_partial_answer_is_not_kept_for_the_next_caller() -> None:
    world = World()
    await world.remember("acme", BUNDLE)
    nearest, world.vectors.nearest = world.vectors.nearest, refused
    partial = await world.retrieval().search("acme", TEXT)

    world.vectors.nearest = nearest
    whole = await world.retrieval().search("acme", TEXT)

    assert partial.missing == ("qdrant",)
    assert whole.missing == ()


async def test_a_store_that_is_being_rebuilt_is_named_though_it_answers() -> None:
    world = World()
    await world.remember("acme", BUNDLE)
    world.archive.rebuilding["acme"] = ["qdrant", "neo4j"]

    answer = await world.retrieval().search("acme", TEXT)

    assert answer.missing == ("qdrant", "neo4j")
    assert answer.hits
    assert (await world.retrieval().search("globex", TEXT)).missing == ()


async def test_an_answer_given_during_a_rebuild_is_not_kept_for_later() -> None:
    world = World()
    await world.remember("acme", BUNDLE)
    retrieval = world.retrieval()
    world.archive.rebuilding["acme"] = ["qdrant"]
    await retrieval.search("acme", TEXT)

    world.archive.rebuilding.clear()

    assert (await retrieval.search("acme", TEXT)).missing == ()


async def test_what_is_around_an_entity_is_not_said_while_the_graph_is_being_rebuilt() -> None:
    world = World()
    write = await world.remember("acme", BUNDLE)
    world.archive.rebuilding["acme"] = ["neo4j"]

    with pytest.raises(StoreUnavailable, match="rebuilt"):
        await world.retrieval().neighbourhood("acme", write.entity_id(TRUCK))
