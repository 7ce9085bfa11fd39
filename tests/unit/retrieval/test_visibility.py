"""Stores that hold versions nobody may see, and answers that never show them: a read is of one snapshot."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.retrieval.faults import answered_then
from tests.unit.retrieval.world import World, saying

from apex_memory.domain.answers import Candidate, SearchAnswer
from apex_memory.domain.bundles import EntityRef, VersionedBundle
from apex_memory.domain.errors import ItemNotFound, SnapshotBehind

TRUCK = EntityRef(type="vehicle", key="4412")
GATE = EntityRef(type="place", key="Gate 7")
YARD = EntityRef(type="place", key="Yard 9")
TEXT = "truck 4412 waits at the gate"
AT_GATE = saying("gps-1", TEXT, links=((TRUCK, "waits at", GATE),))
IN_YARD = saying("gps-1", TEXT, links=((TRUCK, "waits at", YARD),))


def shown(answer: SearchAnswer) -> set[tuple[UUID, int]]:
    return {(one.item_id, one.version) for one in (*answer.hits, *answer.facts)}


def of(*writes: VersionedBundle) -> set[tuple[UUID, int]]:
    return {(write.ref.item_id, write.ref.version) for write in writes}


async def test_a_committed_item_is_found_in_text_and_graph() -> None:
    world = World()
    write = await world.remember("acme", AT_GATE)

    answer = await world.retrieval().search("acme", TEXT)

    assert answer.seq == 1
    assert [hit.chunk_id for hit in answer.hits] == list(write.chunk_ids)
    assert [fact.claim_id for fact in answer.facts] == list(write.claim_ids)
    assert answer.missing == ()


async def test_what_is_still_preparing_is_not_shown() -> None:
    world = World()
    visible = await world.remember("acme", AT_GATE)
    await world.prepare("acme", IN_YARD)

    answer = await world.retrieval().search("acme", TEXT)

    assert shown(answer) == of(visible)


async def test_what_was_superseded_is_not_shown_although_every_store_still_holds_it() -> None:
    world = World()
    await world.remember("acme", AT_GATE)
    head = await world.remember("acme", IN_YARD)

    answer = await world.retrieval().search("acme", TEXT)

    assert shown(answer) == of(head)


async def test_what_was_deleted_is_not_shown_although_every_store_still_holds_it() -> None:
    world = World()
    write = await world.remember("acme", AT_GATE)
    world.delete("acme", write.ref.item_id)

    answer = await world.retrieval().search("acme", TEXT)

    assert answer == SearchAnswer(seq=2, hits=(), facts=())


@pytest.mark.parametrize(
    ("port", "method"),
    [
        ("cache", "get"),
        ("archive", "entities_named"),
        ("embedder", "embed"),
        ("vectors", "nearest"),
        ("archive", "lexical"),
        ("archive", "visible_hits"),
        ("graph", "claims_around"),
        ("archive", "visible_facts"),
    ],
)
async def test_a_commit_in_the_middle_of_a_read_belongs_to_the_next_one(port: str, method: str) -> None:
    world = World()
    before = await world.remember("acme", AT_GATE)
    after = await world.prepare("acme", IN_YARD)
    searched = getattr(world, port)
    setattr(searched, method, answered_then(getattr(searched, method), lambda: world.commit(after)))
    retrieval = world.retrieval()

    during = await retrieval.search("acme", TEXT)
    then = await retrieval.search("acme", TEXT)

    assert (during.seq, shown(during)) == (1, of(before))
    assert (then.seq, shown(then)) == (2, of(after))


async def test_two_tenants_with_the_same_content_never_meet() -> None:
    world = World()
    ours = await world.remember("acme", AT_GATE)
    theirs = await world.remember("globex", AT_GATE)
    retrieval = world.retrieval()

    assert shown(await retrieval.search("acme", TEXT)) == of(ours)
    assert shown(await retrieval.search("globex", TEXT)) == of(theirs)


async def test_stores_that_propose_what_is_anothers_are_not_believed() -> None:
    world = World()
    ours = await world.remember("acme", AT_GATE)
    theirs = await world.remember("globex", IN_YARD)
    proposed = [
        Candidate(chunk_id=chunk, item_id=write.ref.item_id, version=1, score=1.0)
        for write in (theirs, ours)
        for chunk in write.chunk_ids
    ]

    async def leaked_chunks(*_call: object, **_options: object) -> Sequence[Candidate]:
        return proposed

    async def leaked_claims(*_call: object, **_options: object) -> Sequence[UUID]:
        return [*theirs.claim_ids, *ours.claim_ids]

    world.vectors.nearest, world.graph.claims_around = leaked_chunks, leaked_claims
    answer = await world.retrieval().search("acme", TEXT)

    assert shown(answer) == of(ours)


async def test_a_reader_that_demands_its_own_write_waits_for_it() -> None:
    world = World()
    write = await world.prepare("acme", AT_GATE)
    world.archive.snapshot = answered_then(world.archive.snapshot, lambda: world.commit(write))

    answer = await world.retrieval().search("acme", TEXT, min_seq=1)

    assert shown(answer) == of(write)


async def test_a_reader_that_demands_more_than_was_committed_is_told_so() -> None:
    world = World()
    write = await world.remember("acme", AT_GATE)
    retrieval = world.retrieval(deadline_s=0.0)

    with pytest.raises(SnapshotBehind, match="the newest commit is 1, the reader demands 7"):
        await retrieval.search("acme", TEXT, min_seq=7)
    with pytest.raises(SnapshotBehind):
        await retrieval.neighbourhood("acme", write.entity_id(TRUCK), min_seq=7)


async def test_an_item_is_seen_at_its_visible_version() -> None:
    world = World()
    await world.remember("acme", AT_GATE)
    head = await world.remember("acme", IN_YARD)
    await world.prepare("acme", AT_GATE)

    item = await world.retrieval().item("acme", head.ref.item_id)

    assert (item.version, item.chunks, item.claims) == (2, 1, 1)


async def test_another_tenants_item_is_not_there() -> None:
    world = World()
    write = await world.remember("acme", AT_GATE)

    with pytest.raises(ItemNotFound):
        await world.retrieval().item("globex", write.ref.item_id)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["acme", "globex"]),
        st.sampled_from(["gps-1", "gps-2"]),
        st.sampled_from(["prepare", "commit", "delete", "read"]),
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
async def test_after_any_history_a_read_shows_all_that_is_visible_and_nothing_else(
    steps: list[tuple[str, str, str]],
) -> None:
    world = World()
    retrieval = world.retrieval()
    prepared: dict[tuple[str, str], VersionedBundle] = {}

    for tenant, name, step in [*steps, ("acme", "", "read"), ("globex", "", "read")]:
        write = prepared.get((tenant, name))
        if step == "prepare":
            bundle = (AT_GATE if len(prepared) % 2 else IN_YARD).model_copy(update={"external_id": name})
            prepared[tenant, name] = await world.prepare(tenant, bundle)
        elif step == "commit" and write and world.archive.rows[tenant, write.ref].commit_seq is None:
            world.commit(write)
        elif step == "delete" and write:
            world.delete(tenant, write.ref.item_id)
        elif step == "read":
            answer = await retrieval.search(tenant, TEXT, limit=100)
            visible = [row.write for row in world.archive.visible(tenant, answer.seq)]
            assert {hit.chunk_id for hit in answer.hits} == {c for write in visible for c in write.chunk_ids}
            assert {fact.claim_id for fact in answer.facts} == {c for w in visible for c in w.claim_ids}
