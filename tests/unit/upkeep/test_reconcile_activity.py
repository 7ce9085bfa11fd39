"""Runs over all stores and tenants against what a turn, an outage and a loss make of them."""

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid4

import pytest
from tests.contracts.store_contract import assert_holds_exactly
from tests.contracts.writes import EMBEDDER, message
from tests.unit.upkeep.comparing_world import World

from apex_memory.activities.rebuild import RebuildActivities
from apex_memory.activities.reconcile import ReconcileActivities
from apex_memory.domain.bundles import Manifest, VersionRef
from apex_memory.domain.errors import ItemNotFound, StoreUnavailable
from apex_memory.domain.reconciling import RebuildRun
from apex_memory.domain.upkeep import UpkeepFigures, UpkeepRun
from apex_memory.testing import MemoryVectors

STORES = ("postgres", "qdrant")


class _Down(MemoryVectors):
    async def read_back(self, tenant_id: str, refs: Sequence[VersionRef]) -> Mapping[VersionRef, Manifest]:
        await super().read_back(tenant_id, refs)
        raise StoreUnavailable(self.name, "the answer was lost, as planned")


def reconciling(
    world: World, *, vectors: MemoryVectors | None = None, turn_s: float = 60
) -> ReconcileActivities:
    comparing = world.comparing(vectors=vectors)
    return ReconcileActivities(comparing=comparing, upkeep=world.ledger, stores=STORES, turn_s=turn_s)


def rebuilding(world: World, *, turn_s: float = 60) -> RebuildActivities:
    return RebuildActivities(
        comparing=world.comparing(), upkeep=world.ledger, rebuilds=world.rebuilds, turn_s=turn_s
    )


async def run_of(activities: ReconcileActivities, run: UpkeepRun) -> tuple[UpkeepRun, int]:
    """To its end, and in how many turns."""
    turns = 1
    run = await activities.reconcile_stores_activity(run)
    while run.after is not None:
        run = await activities.reconcile_stores_activity(run)
        turns += 1
    return run, turns


async def published(world: World) -> set[tuple[str, str]]:
    return {(one.store, one.tenant_id) for one in await world.ledger.published()}


@pytest.mark.parametrize("turn_s", [60, 0], ids=["one turn", "a turn a step"])
async def test_every_store_of_every_tenant_is_compared_however_short_the_turns(turn_s: float) -> None:
    world = World()
    for tenant in ("acme", "globex", "initech"):
        [lost] = await world.remember(message(), tenant=tenant)
        await world.vectors.discard(tenant, [lost.ref])

    run, turns = await run_of(reconciling(world, turn_s=turn_s), UpkeepRun())

    assert run.figures == UpkeepFigures(versions=3)
    assert await published(world) == {(s, t) for s in STORES for t in ("acme", "globex", "initech")}
    assert (turns == 1) is (turn_s > 0)


async def test_of_one_tenant_nobody_elses_store_is_compared() -> None:
    world = World()
    for tenant in ("acme", "globex"):
        await world.remember(message(), tenant=tenant)

    await run_of(reconciling(world), UpkeepRun(tenant_id="globex"))

    assert await published(world) == {(store, "globex") for store in STORES}


async def test_without_any_tenant_there_is_nothing_to_do() -> None:
    run, turns = await run_of(reconciling(World()), UpkeepRun())

    assert (run.figures, turns) == (UpkeepFigures(), 1)


async def test_a_projection_that_does_not_answer_is_left_to_the_next_run() -> None:
    world = World()
    for tenant in ("acme", "globex"):
        await world.remember(message(), tenant=tenant)

    run, _ = await run_of(reconciling(world, vectors=_Down(EMBEDDER.id)), UpkeepRun())

    assert run.figures == UpkeepFigures(failed=1)
    assert await published(world) == {("postgres", "acme"), ("postgres", "globex")}


async def test_what_cannot_be_put_right_is_a_failure_of_the_run() -> None:
    world = World()
    [lost] = await world.remember(message())
    await world.postgres.discard("acme", [lost.ref])

    run, _ = await run_of(reconciling(world), UpkeepRun())

    assert run.figures == UpkeepFigures(failed=1)


async def rebuilt(
    activities: RebuildActivities, run: RebuildRun, *, rebuild_id: UUID | None = None
) -> list[RebuildRun]:
    """Every state on the way to the end."""
    begun = run.model_copy(update={"rebuild_id": rebuild_id or uuid4()})
    states = [await activities.begin_rebuild_activity(begun)]
    while not states[-1].done:
        states.append(await activities.rebuild_store_activity(states[-1]))
    return states


@pytest.mark.parametrize("turn_s", [60, 0], ids=["one turn", "a turn a step"])
async def test_a_wiped_store_is_filled_again_and_compared(turn_s: float) -> None:
    world = World()
    written = [
        *(await world.remember(message("msg-1"), message("msg-2"))),
        *(await world.remember(message(), tenant="globex")),
    ]
    for write in written:
        await world.vectors.discard(write.tenant_id, [write.ref])

    *_, ended = await rebuilt(rebuilding(world, turn_s=turn_s), RebuildRun(store="qdrant"))

    await assert_holds_exactly(world.vectors, *written)
    assert (ended.written, ended.differences.checked, ended.differences.found) == (3, 3, 0)
    assert await published(world) == {("qdrant", "acme"), ("qdrant", "globex")}


async def test_readers_of_a_tenant_are_told_until_it_is_compared() -> None:
    world = World()
    for tenant in ("acme", "globex"):
        await world.remember(message(), tenant=tenant)
    activities = rebuilding(world, turn_s=0)

    states = [await activities.begin_rebuild_activity(RebuildRun(store="qdrant", rebuild_id=uuid4()))]
    told: list[tuple[str | None, bool, bool]] = []
    while not states[-1].done:
        states.append(await activities.rebuild_store_activity(states[-1]))
        under_way = [bool(await world.rebuilds.under_way(t, "qdrant")) for t in ("acme", "globex")]
        told.append((states[-1].at, under_way[0], under_way[1]))

    assert told[0] == ("acme", True, True)
    assert ("globex", False, True) in told
    assert told[-1][1:] == (False, False)


async def test_a_turn_that_is_done_again_changes_nothing() -> None:
    world = World()
    written = await world.remember(*(message(f"msg-{n}") for n in range(3)))
    activities = rebuilding(world, turn_s=0)
    states = await rebuilt(activities, RebuildRun(store="qdrant"))

    for state in states[:-1]:
        await activities.rebuild_store_activity(state)

    await assert_holds_exactly(world.vectors, *written)
    assert not await world.rebuilds.under_way("acme", "qdrant")


@pytest.mark.parametrize("store", ["postgres", "redis", ""])
async def test_what_is_no_projection_cannot_be_rebuilt(store: str) -> None:
    with pytest.raises(ItemNotFound):
        await rebuilding(World()).begin_rebuild_activity(RebuildRun(store=store, rebuild_id=uuid4()))
