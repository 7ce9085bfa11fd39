"""Repeated questions: what is kept, for whom, until when, and what changes if the cache fails."""

import pytest
from tests.unit.retrieval.faults import Fault, refused, unanswered
from tests.unit.retrieval.world import World, saying

from apex_memory.domain.answers import SearchFilter
from apex_memory.testing import MemoryCache

TEXT = "truck 4412 waits at the gate"


def forget_all_behind_the_ledgers_back(world: World) -> None:
    """The only way to see whether an answer was kept: the truth is gone without a commit."""
    world.archive.rows.clear()


async def test_the_same_question_at_the_same_snapshot_is_answered_from_the_cache() -> None:
    world = World()
    await world.remember("acme", saying("gps-1", TEXT))
    first = await world.retrieval().search("acme", TEXT)
    forget_all_behind_the_ledgers_back(world)

    again = await world.retrieval().search("acme", f" {TEXT} ")

    assert again == first
    assert len(again.hits) == 1


async def test_a_commit_makes_every_kept_answer_unreachable() -> None:
    world = World()
    write = await world.remember("acme", saying("gps-1", TEXT))
    await world.retrieval().search("acme", TEXT)
    world.delete("acme", write.ref.item_id)

    answer = await world.retrieval().search("acme", TEXT)

    assert (answer.seq, answer.hits) == (2, ())


async def test_another_tenant_at_the_same_snapshot_gets_its_own_answer() -> None:
    world = World()
    ours = await world.remember("acme", saying("gps-1", TEXT))
    theirs = await world.remember("globex", saying("gps-1", TEXT))

    answers = [await world.retrieval().search(tenant, TEXT) for tenant in ("acme", "globex")]

    assert [answer.seq for answer in answers] == [1, 1]
    assert [answer.hits[0].item_id for answer in answers] == [ours.ref.item_id, theirs.ref.item_id]


@pytest.mark.parametrize(
    ("query", "limit", "where"),
    [
        (TEXT.upper(), 10, SearchFilter()),
        (TEXT, 9, SearchFilter()),
        (TEXT, 10, SearchFilter(sources=("api",))),
    ],
    ids=["text", "limit", "filter"],
)
async def test_another_question_is_not_answered_with_what_was_kept(
    query: str, limit: int, where: SearchFilter
) -> None:
    world = World()
    await world.remember("acme", saying("gps-1", TEXT))
    await world.retrieval().search("acme", TEXT)
    forget_all_behind_the_ledgers_back(world)

    answer = await world.retrieval().search("acme", query, limit=limit, where=where)

    assert answer.hits == ()


async def test_an_answer_is_kept_for_a_minute() -> None:
    world, clock = World(), [0.0]
    world.cache = MemoryCache(clock=lambda: clock[0])
    await world.remember("acme", saying("gps-1", TEXT))
    kept = await world.retrieval().search("acme", TEXT)
    forget_all_behind_the_ledgers_back(world)

    clock[0] = 59.0
    before = await world.retrieval().search("acme", TEXT)
    clock[0] = 61.0
    after = await world.retrieval().search("acme", TEXT)

    assert before == kept
    assert after.hits == ()


async def test_a_question_is_embedded_once_for_all_snapshots() -> None:
    world = World()
    await world.remember("acme", saying("gps-1", TEXT))
    await world.retrieval().search("acme", TEXT)
    await world.remember("acme", saying("gps-2", TEXT))
    world.embedder.embed = refused

    answer = await world.retrieval().search("acme", TEXT)

    assert answer.missing == ()
    assert {hit.external_id for hit in answer.hits} == {"gps-1", "gps-2"}


async def test_a_vector_serves_no_other_question_and_no_other_embedder() -> None:
    world = World()
    await world.remember("acme", saying("gps-1", TEXT))
    await world.retrieval().search("acme", TEXT)
    world.embedder.embed = refused

    another_question = await world.retrieval().search("acme", "the gate")
    world.embedder.id = "another embedder"
    another_embedder = await world.retrieval().search("acme", TEXT)

    assert another_question.missing == ("embedder",)
    assert another_embedder.missing == ("embedder",)


async def spoiled(*_call: object) -> bytes:
    return b"\xff not what was kept"


@pytest.mark.parametrize("get", [refused, unanswered, spoiled])
@pytest.mark.parametrize("put", [refused, unanswered])
async def test_a_cache_that_fails_changes_no_answer(get: Fault, put: Fault) -> None:
    world = World()
    await world.remember("acme", saying("gps-1", TEXT))
    whole = await world.retrieval().search("acme", TEXT)

    world.cache.get, world.cache.put = get, put
    again = await world.retrieval().search("acme", TEXT)

    assert again == whole
