"""Stores that differ from the ledger against what a comparison finds, mends and leaves alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

import numpy as np
from structlog.testing import capture_logs
from tests.contracts.store_contract import assert_holds_exactly, assert_holds_nothing_of
from tests.contracts.writes import EMBEDDER, LATE, bare, message
from tests.unit.upkeep.comparing_world import TENANT, WINDOW_S, World, figures, to_the_end

from apex_memory.activities import comparing as module
from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.testing import MemoryVectors

CLEAN = (0, 0, 0, 0)


async def test_stores_that_hold_what_they_should_have_no_difference() -> None:
    world = World()
    await world.remember(*(message(f"msg-{n}") for n in range(3)), bare())

    assert figures(await world.compare("qdrant")) == (4, *CLEAN)
    assert figures(await world.compare("postgres")) == (4, *CLEAN)


async def test_a_version_that_is_missing_is_written_again() -> None:
    world = World()
    lost, kept = await world.remember(message("msg-1"), message("msg-2"))
    await world.vectors.discard(TENANT, [lost.ref])

    assert figures(await world.compare()) == (2, 1, 0, 0, 1)

    await assert_holds_exactly(world.vectors, lost, kept)
    assert figures(await world.compare()) == (2, *CLEAN)


async def test_half_a_version_is_written_again() -> None:
    world = World()
    [torn] = await world.remember(message())
    await world.vectors.prepare([half(torn)])

    assert figures(await world.compare()) == (1, 0, 1, 0, 1)

    await assert_holds_exactly(world.vectors, torn)


async def test_a_vector_that_was_changed_in_place_is_found_and_written_again() -> None:
    world = World()
    [altered] = await world.remember(message())
    await world.vectors.prepare([replace(altered, vectors=-altered.vectors)])

    assert figures(await world.compare()) == (1, 0, 1, 0, 1)

    [held] = world.vectors.held(TENANT)
    assert np.array_equal(held.vectors, altered.vectors)


async def test_what_postgresql_lost_is_counted_and_not_made_up() -> None:
    world = World()
    [lost] = await world.remember(message())
    await world.postgres.discard(TENANT, [lost.ref])
    await world.vectors.discard(TENANT, [lost.ref])

    assert figures(await world.compare("postgres")) == (1, 1, 0, 0, 0)
    assert figures(await world.compare("qdrant")) == (1, 1, 0, 0, 0)


async def test_a_version_that_was_never_allocated_is_deleted() -> None:
    world = World()
    [kept] = await world.remember(message())
    stray = replace(kept, ref=VersionRef(item_id=uuid4(), version=3))
    await world.vectors.prepare([stray])

    assert figures(await world.compare()) == (1, 0, 0, 1, 1)

    await assert_holds_nothing_of(world.vectors, stray)
    await assert_holds_exactly(world.vectors, kept)


async def test_an_aborted_version_is_deleted_once_no_zombie_can_write_it() -> None:
    world = World()
    batch, write = await world.prepare(message())
    await world.ledger.abort(TENANT, batch, reason="a test")

    assert figures(await world.compare()) == (0, *CLEAN)
    await assert_holds_exactly(world.vectors, write)
    world.now += WINDOW_S + 1

    assert figures(await world.compare()) == (0, 0, 0, 1, 1)
    await assert_holds_nothing_of(world.vectors, write)


async def test_what_is_being_prepared_or_awaits_collection_is_left_alone() -> None:
    world = World()
    first, second = await world.remember(message(), message(texts=(LATE,)))
    _, preparing = await world.prepare(message("msg-9"))
    world.now += WINDOW_S + 1

    assert figures(await world.compare()) == (1, *CLEAN)

    await assert_holds_exactly(world.vectors, first, second, preparing)


async def test_a_collected_version_that_came_back_is_deleted() -> None:
    world = World()
    old, new = await world.remember(message(), message(texts=(LATE,)))
    await world.ledger.collected(TENANT, [old.ref])
    world.now += WINDOW_S + 1

    assert figures(await world.compare()) == (1, 0, 0, 1, 1)

    await assert_holds_nothing_of(world.vectors, old)
    await assert_holds_exactly(world.vectors, new)


async def test_another_tenants_store_is_not_touched() -> None:
    world = World()
    [ours], [theirs] = await world.remember(message()), await world.remember(message(), tenant="globex")
    for write in (ours, theirs):
        await world.vectors.discard(write.tenant_id, [write.ref])

    await world.compare()

    await assert_holds_exactly(world.vectors, ours)
    await assert_holds_nothing_of(world.vectors, theirs)


async def test_more_than_a_page_is_gone_through() -> None:
    world = World()
    bundles = [message(f"msg-{n}", texts=(LATE,)) for n in range(2 * module.PAGE + 3)]
    written = await world.remember(*bundles)
    await world.vectors.discard(TENANT, [write.ref for write in written])

    assert figures(await world.compare()) == (len(written), len(written), 0, 0, len(written))

    await assert_holds_exactly(world.vectors, *written)
    assert figures(await world.compare()) == (len(written), *CLEAN)


class _CollectedWhileLooking(MemoryVectors):
    """As the store answers, the version is superseded, collected and gone."""

    def __init__(self, world: World, gone: VersionedBundle) -> None:
        super().__init__(EMBEDDER.id)
        self._world, self._gone = world, gone

    async def read_back(self, tenant_id: str, refs: Sequence[VersionRef]) -> Mapping[VersionRef, Manifest]:
        await self._world.remember(message(texts=("Something else.",)))
        await self._world.ledger.collected(tenant_id, [self._gone.ref])
        return await super().read_back(tenant_id, refs)


async def test_a_version_that_is_collected_while_it_is_looked_at_is_no_difference() -> None:
    world = World()
    [gone] = await world.remember(message())
    store = _CollectedWhileLooking(world, gone)

    at = await to_the_end(world.comparing(vectors=store), "qdrant")

    assert at.differences.found == 0
    await assert_holds_nothing_of(store, gone)


class _ForgetsWhileMending(MemoryVectors):
    """While the version is written again, it is superseded and collected everywhere."""

    def __init__(self, world: World) -> None:
        super().__init__(EMBEDDER.id)
        self._world = world

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        await super().prepare(writes)
        [write] = writes
        await self._world.remember(message(texts=("Something else.",)))
        await self._world.ledger.collected(write.tenant_id, [write.ref])
        self._world.now += 1


async def test_a_version_that_ends_while_it_is_mended_is_not_left_behind() -> None:
    world = World()
    [gone] = await world.remember(message())
    store = _ForgetsWhileMending(world)

    await to_the_end(world.comparing(vectors=store), "qdrant")

    await assert_holds_nothing_of(store, gone)


class _Watching(MemoryVectors):
    """Notes whether readers were told, each time that it is written."""

    def __init__(self, world: World) -> None:
        super().__init__(EMBEDDER.id)
        self._world = world
        self.told: list[bool] = []

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        self.told.append(bool(await self._world.rebuilds.under_way(TENANT, self.name)))
        await super().prepare(writes)


async def test_readers_are_told_while_what_was_lost_is_written_again() -> None:
    world = World()
    await world.remember(message())
    store = _Watching(world)
    abandoned = uuid4()
    await world.rebuilds.begin("qdrant", [TENANT], rebuild_id=abandoned)
    await world.rebuilds.end(TENANT, "qdrant", [abandoned])

    await to_the_end(world.comparing(vectors=store), "qdrant")

    assert store.told == [True]
    assert not await world.rebuilds.under_way(TENANT, "qdrant")


async def test_a_comparison_to_the_end_withdraws_what_a_dead_rebuild_told_the_readers() -> None:
    world = World()
    await world.remember(message())
    await world.rebuilds.begin("qdrant", [TENANT], rebuild_id=uuid4())

    await world.compare()

    assert not await world.rebuilds.under_way(TENANT, "qdrant")


async def test_differences_are_a_warning_in_the_log_and_their_absence_is_none() -> None:
    world = World()
    [lost] = await world.remember(message())
    await world.vectors.discard(TENANT, [lost.ref])

    with capture_logs() as logs:
        await world.compare()
        await world.compare()

    told = [(line["log_level"], line["missing"]) for line in logs if line["event"] == "reconciled"]
    assert told == [("warning", 1), ("info", 0)]


async def test_no_more_parts_are_held_at_a_time_than_fit_into_memory() -> None:
    world = World()
    texts = tuple(f"{LATE} {n}" for n in range(module.PARTS_AT_ONCE // 3))
    written = await world.remember(*(message(f"long-{n}", texts=texts) for n in range(4)))
    store = _Slices()

    await to_the_end(world.comparing(vectors=store), "qdrant")

    assert store.slices == [2, 2]
    await assert_holds_exactly(store, *written)


class _Slices(MemoryVectors):
    def __init__(self) -> None:
        super().__init__(EMBEDDER.id)
        self.slices: list[int] = []

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        self.slices.append(len(writes))
        await super().prepare(writes)


def half(write: VersionedBundle) -> VersionedBundle:
    some = write.bundle.model_copy(update={"passages": write.bundle.passages[:1]})
    return replace(write, bundle=some, vectors=write.vectors[:1])
