"""The upkeep's activities over a real ledger, with stores, workflows and leases in memory."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID, uuid4

import pytest
from tests.contracts.ledger_contract import commit_all
from tests.contracts.writes import EMBEDDER, NOON, message

from apex_memory.activities.upkeep import UpkeepActivities, UpkeepAges
from apex_memory.database import Database
from apex_memory.domain import ids
from apex_memory.domain.bundles import VersionedBundle, VersionRef
from apex_memory.domain.ledger import AllocationRequest, Batch, InboxEvent, Outcome
from apex_memory.domain.upkeep import UpkeepFigures, UpkeepRun, WorkflowState
from apex_memory.pipeline.intake.inbox import PostgresInbox
from apex_memory.pipeline.ledger.ledger import PostgresLedger
from apex_memory.pipeline.ledger.upkeep import PostgresUpkeep
from apex_memory.ports import Store
from apex_memory.testing import (
    Fault,
    MemoryLeases,
    MemoryStaging,
    MemoryStore,
    MemoryWorkflows,
    Misbehaving,
    always,
)

pytestmark = pytest.mark.integration


class World:
    """One database; stores, staging, workflows and leases of this test alone."""

    def __init__(self, database: Database) -> None:
        self.ledger = PostgresLedger(database)
        self.upkeep = PostgresUpkeep(database)
        self.inbox = PostgresInbox(database)
        self.stores = [MemoryStore(name) for name in ("postgres", "qdrant", "neo4j")]
        self.staging = MemoryStaging()
        self.workflows = MemoryWorkflows()
        self.leases = MemoryLeases()

    def activities(self, *stores: Store) -> UpkeepActivities:
        return UpkeepActivities(
            ledger=self.ledger,
            upkeep=self.upkeep,
            inbox=self.inbox,
            stores=stores or self.stores,
            staging=self.staging,
            workflows=self.workflows,
            leases=self.leases,
            ages=UpkeepAges(reap_s=0, sweep_s=0, grace_s=0, staging_s=0),
        )

    def without(self, name: str) -> Sequence[Store]:
        """The stores, of which this one is down."""
        return [
            Misbehaving(store, always(Fault.BEFORE)) if store.name == name else store for store in self.stores
        ]

    async def batch(self, tenant: str, label: str, *, state: WorkflowState, noted: bool = True) -> Batch:
        """One accepted event in a batch of its own, whose workflow is in this state."""
        event_id = uuid4()
        await self.inbox.accept(
            InboxEvent(
                event_id=event_id,
                tenant_id=tenant,
                source="samsara",
                kind="record",
                dedupe_key=str(event_id),
                label=label,
                body=b"{}",
                received_at=NOON,
            )
        )
        batch = await self.inbox.claim(batch_size=1, in_flight=1000)
        assert batch
        workflow_id = ids.ingestion_workflow_id(tenant, "samsara", label, batch.batch_id)
        self.workflows.note(workflow_id, state)
        if noted:
            await self.inbox.started(batch, workflow_id=workflow_id)
        return batch

    async def prepared(self, batch: Batch, *, content: str = "a") -> VersionRef:
        """The batch's event under a version, in every store."""
        [event] = await self.inbox.events(batch.tenant_id, batch.batch_id)
        item_id = ids.item_id(batch.tenant_id, batch.source, batch.label)
        request = AllocationRequest(
            request_id=f"{event.event_id}:0",
            event_id=event.event_id,
            item_id=item_id,
            source=batch.source,
            external_id=batch.label,
            kind="record",
            title=batch.label,
            content_hash=content,
            as_of=NOON,
        )
        [allocation] = await self.ledger.allocate(batch.tenant_id, batch.batch_id, [request])
        bundle = message(batch.label)
        vectors = EMBEDDER.vectors([passage.text for passage in bundle.passages])
        write = VersionedBundle(batch.tenant_id, allocation.ref, bundle, EMBEDDER.id, vectors)
        for store in self.stores:
            await store.prepare([write])
        return allocation.ref

    async def committed(self, tenant: str, label: str, *, content: str) -> VersionRef:
        batch = await self.batch(tenant, label, state=WorkflowState.COMPLETED)
        ref = await self.prepared(batch, content=content)
        await commit_all(self.ledger, tenant, batch.batch_id)
        await self.inbox.close(tenant, batch.batch_id)
        return ref

    async def aborted(self, tenant: str, label: str) -> Batch:
        """As a compensation leaves it that got no further than PostgreSQL."""
        batch = await self.batch(tenant, label, state=WorkflowState.FAILED)
        await self.prepared(batch)
        await self.ledger.abort(tenant, batch.batch_id, reason="cancelled")
        await self.inbox.close(tenant, batch.batch_id)
        return batch

    def held(self, tenant: str) -> list[int]:
        """How many versions each store holds."""
        return [len(store.held(tenant)) for store in self.stores]

    async def event_of(self, batch: Batch) -> UUID:
        [event] = await self.inbox.events(batch.tenant_id, batch.batch_id)
        return event.event_id

    async def still_open(self) -> int:
        return len(await self.upkeep.open_batches(older_than_s=0, limit=1000))


class _Poisoned(MemoryStore):
    """Fails for one tenant, with an error that nobody foresaw."""

    def __init__(self, tenant: str) -> None:
        super().__init__("qdrant")
        self._tenant = tenant

    async def discard(self, tenant_id: str, refs: Sequence[VersionRef]) -> None:
        if tenant_id == self._tenant:
            raise ZeroDivisionError
        await super().discard(tenant_id, refs)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


async def _whole(
    activity: Callable[[UpkeepRun], Awaitable[UpkeepRun]], tenant_id: str | None = None
) -> UpkeepFigures:
    """As the workflow does it, call after call."""
    run = await activity(UpkeepRun(tenant_id=tenant_id))
    while run.after is not None:
        run = await activity(run)
    return run.figures


@pytest.mark.parametrize(
    "state", [s for s in WorkflowState if s not in {WorkflowState.RUNNING, WorkflowState.UNKNOWN}]
)
async def test_a_batch_whose_workflow_is_over_is_taken_back_and_closed(
    world: World, tenant: str, state: WorkflowState
) -> None:
    batch = await world.batch(tenant, "TRUCK-1", state=state)
    event_id = await world.event_of(batch)
    await world.prepared(batch)

    figures = await _whole(world.activities().reap_batches_activity)

    ended = await world.inbox.ingestion(tenant, event_id)
    assert figures == UpkeepFigures(batches=1, versions=1)
    assert (ended.outcome, ended.reason) == (Outcome.ABORTED, f"its workflow {state}")
    assert world.held(tenant) == [0, 0, 0]
    assert await world.still_open() == 0
    assert await _whole(world.activities().reap_batches_activity) == UpkeepFigures()


async def test_an_event_that_had_no_version_yet_is_quarantined_with_the_reason(
    world: World, tenant: str
) -> None:
    batch = await world.batch(tenant, "TRUCK-1", state=WorkflowState.TERMINATED)
    event_id = await world.event_of(batch)

    assert await _whole(world.activities().reap_batches_activity) == UpkeepFigures(batches=1)

    ended = await world.inbox.ingestion(tenant, event_id)
    assert (ended.outcome, ended.reason) == (Outcome.QUARANTINED, "its workflow was terminated")


async def test_what_had_committed_before_its_workflow_was_terminated_stays(world: World, tenant: str) -> None:
    batch = await world.batch(tenant, "TRUCK-1", state=WorkflowState.TERMINATED)
    event_id = await world.event_of(batch)
    await world.prepared(batch)
    await commit_all(world.ledger, tenant, batch.batch_id)

    assert await _whole(world.activities().reap_batches_activity) == UpkeepFigures(batches=1)

    assert (await world.inbox.ingestion(tenant, event_id)).outcome is Outcome.COMMITTED
    assert world.held(tenant) == [1, 1, 1]


async def test_a_workflow_that_runs_is_left_alone(world: World, tenant: str) -> None:
    batch = await world.batch(tenant, "TRUCK-1", state=WorkflowState.RUNNING)
    await world.prepared(batch)

    assert await _whole(world.activities().reap_batches_activity) == UpkeepFigures(left_alone=1)

    assert world.held(tenant) == [1, 1, 1]
    assert await world.still_open() == 1


@pytest.mark.parametrize(
    ("state", "figures"),
    [
        (WorkflowState.UNKNOWN, UpkeepFigures(left_alone=1)),
        (WorkflowState.RUNNING, UpkeepFigures(left_alone=1)),
        (WorkflowState.TERMINATED, UpkeepFigures(batches=1)),
    ],
)
async def test_a_batch_that_nobody_noted_as_started_is_the_relays_unless_its_workflow_is_over(
    world: World, tenant: str, state: WorkflowState, figures: UpkeepFigures
) -> None:
    await world.batch(tenant, "TRUCK-1", state=state, noted=False)

    assert await _whole(world.activities().reap_batches_activity) == figures


async def test_a_batch_whose_workflow_temporal_lost_goes_back_to_the_relay_with_nothing_lost(
    world: World, tenant: str
) -> None:
    batch = await world.batch(tenant, "TRUCK-1", state=WorkflowState.UNKNOWN)
    await world.prepared(batch)

    assert await _whole(world.activities().reap_batches_activity) == UpkeepFigures(released=1)

    assert await world.still_open() == 1
    assert world.held(tenant) == [1, 1, 1]
    # Not the relay's claim that expires, but the reaper's next look: it is the relay's now.
    assert await _whole(world.activities().reap_batches_activity) == UpkeepFigures(left_alone=1)


async def test_a_dead_batch_is_found_behind_any_number_that_run(
    world: World, tenant: str, other_tenant: str
) -> None:
    for n in range(120):
        await world.batch(tenant, f"TRUCK-{n}", state=WorkflowState.RUNNING)
    await world.batch(other_tenant, "TRUCK-1", state=WorkflowState.TERMINATED)

    figures = await _whole(world.activities().reap_batches_activity)

    assert figures == UpkeepFigures(batches=1, left_alone=120)


async def test_a_store_that_is_down_delays_the_deletes_and_keeps_no_lane_full(
    world: World, tenant: str
) -> None:
    batch = await world.batch(tenant, "TRUCK-1", state=WorkflowState.TERMINATED)
    event_id = await world.event_of(batch)
    await world.prepared(batch)

    reaped = await _whole(world.activities(*world.without("neo4j")).reap_batches_activity)
    swept = await _whole(world.activities(*world.without("neo4j")).sweep_leftovers_activity)

    assert (reaped, swept) == (UpkeepFigures(batches=1, failed=1), UpkeepFigures(failed=1))
    assert (await world.inbox.ingestion(tenant, event_id)).outcome is Outcome.ABORTED
    assert await world.still_open() == 0
    assert world.held(tenant) == [0, 0, 1]
    # It is back.
    again = await _whole(world.activities().sweep_leftovers_activity)
    assert again == UpkeepFigures(batches=1, versions=1)
    assert world.held(tenant) == [0, 0, 0]
    assert await _whole(world.activities().sweep_leftovers_activity) == UpkeepFigures()


async def test_sweeping_takes_the_aborted_version_and_leaves_the_one_that_readers_see(
    world: World, tenant: str
) -> None:
    await world.committed(tenant, "TRUCK-1", content="seen")
    await world.aborted(tenant, "TRUCK-1")

    assert await _whole(world.activities().sweep_leftovers_activity) == UpkeepFigures(batches=1, versions=1)

    assert [[write.ref.version for write in store.held(tenant)] for store in world.stores] == [[1]] * 3


async def test_a_tenant_that_always_fails_holds_nobody_up(
    world: World, tenant: str, other_tenant: str
) -> None:
    world.stores[1] = _Poisoned(tenant)
    for n in range(60):
        await world.aborted(tenant, f"TRUCK-{n}")
        if n in {0, 59}:
            await world.aborted(other_tenant, f"TRUCK-{n}")
    for content in ("old", "new"):
        await world.committed(tenant, "TRUCK-0", content=content)
        await world.committed(other_tenant, "TRUCK-0", content=content)

    swept = await _whole(world.activities().sweep_leftovers_activity)
    collected = await _whole(world.activities().collect_garbage_activity)

    assert swept == UpkeepFigures(batches=2, versions=2, failed=60)
    assert collected == UpkeepFigures(versions=1, failed=1)
    assert world.held(other_tenant) == [1, 1, 1]


async def test_exactly_the_superseded_versions_are_collected(world: World, tenant: str) -> None:
    for content in ("a", "b", "c"):
        await world.committed(tenant, "TRUCK-1", content=content)
    await world.prepared(await world.batch(tenant, "TRUCK-1", state=WorkflowState.RUNNING), content="d")

    assert await _whole(world.activities().collect_garbage_activity) == UpkeepFigures(versions=2)

    assert [sorted(w.ref.version for w in store.held(tenant)) for store in world.stores] == [[3, 4]] * 3
    assert await _whole(world.activities().collect_garbage_activity) == UpkeepFigures()


async def test_garbage_of_many_pages_is_collected_in_one_run_of_many_calls(
    world: World, tenant: str, other_tenant: str
) -> None:
    versions = 205
    for n in range(versions):
        await world.committed(tenant, "TRUCK-1", content=str(n))
    for content in ("a", "b"):
        await world.committed(other_tenant, "TRUCK-1", content=content)

    figures = await _whole(world.activities().collect_garbage_activity)

    assert figures == UpkeepFigures(versions=versions)
    assert world.held(tenant) == world.held(other_tenant) == [1, 1, 1]


async def test_collecting_goes_on_where_a_store_had_failed(world: World, tenant: str) -> None:
    for content in ("a", "b"):
        await world.committed(tenant, "TRUCK-1", content=content)

    failed = await _whole(world.activities(*world.without("qdrant")).collect_garbage_activity)
    assert (failed, world.held(tenant)) == (UpkeepFigures(failed=1), [1, 2, 1])

    assert await _whole(world.activities().collect_garbage_activity) == UpkeepFigures(versions=1)
    assert world.held(tenant) == [1, 1, 1]


async def test_a_run_for_one_tenant_touches_nobody_elses(
    world: World, tenant: str, other_tenant: str
) -> None:
    for one in (tenant, other_tenant):
        await world.aborted(one, "TRUCK-1")
        for content in ("a", "b"):
            await world.committed(one, "TRUCK-1", content=content)
        await world.prepared(await world.batch(one, "TRUCK-2", state=WorkflowState.TERMINATED))
        await world.staging.write(f"{one}/samsara/{uuid4()}/records.json", b"[]")
    activities = world.activities()

    figures = UpkeepFigures()
    for activity in (
        activities.reap_batches_activity,
        activities.sweep_leftovers_activity,
        activities.collect_garbage_activity,
        activities.expire_staging_activity,
    ):
        figures += await _whole(activity, tenant)

    assert figures == UpkeepFigures(batches=2, versions=3, folders=1)
    assert world.held(tenant) == [1, 1, 1]
    assert world.held(other_tenant) == [4, 4, 4]


async def test_what_another_run_is_at_is_left_to_it(world: World, tenant: str) -> None:
    batch = await world.aborted(tenant, "TRUCK-1")
    for content in ("a", "b"):
        await world.committed(tenant, "TRUCK-1", content=content)
    activities = world.activities()

    async with (
        world.leases.hold(tenant, f"upkeep:batch:{batch.batch_id}", ttl_s=60),
        world.leases.hold(tenant, "upkeep:collect:", ttl_s=60),
    ):
        assert await _whole(activities.sweep_leftovers_activity) == UpkeepFigures(left_alone=1)
        assert await _whole(activities.collect_garbage_activity) == UpkeepFigures(left_alone=1)

    assert await _whole(activities.sweep_leftovers_activity) == UpkeepFigures(batches=1, versions=1)


async def test_only_folders_that_nobody_needs_any_more_expire(
    world: World, tenant: str, other_tenant: str
) -> None:
    running = await world.batch(tenant, "TRUCK-1", state=WorkflowState.RUNNING)
    failed = await world.aborted(tenant, "TRUCK-2")
    upload = await world.event_of(running)
    kept = [
        f"{tenant}/samsara/{running.batch_id}",
        f"{tenant}/samsara/{upload}",
        f"{tenant}/samsara/not-ours",
    ]
    gone = [f"{tenant}/samsara/{failed.batch_id}", f"{other_tenant}/local_upload/{uuid4()}"]
    for folder in kept + gone:
        await world.staging.write(f"{folder}/records.json", b"[]")

    figures = await _whole(world.activities().expire_staging_activity)

    assert figures == UpkeepFigures(folders=2, left_alone=3)
    assert await world.staging.folders(older_than_s=0, after=None, limit=9) == sorted(kept)


async def test_folders_of_many_pages_expire_in_one_run(world: World, tenant: str, other_tenant: str) -> None:
    for n in range(130):
        await world.staging.write(f"{(tenant, other_tenant)[n % 2]}/samsara/{uuid4()}/original", b"")

    assert await _whole(world.activities().expire_staging_activity) == UpkeepFigures(folders=130)

    assert await world.staging.folders(older_than_s=0, after=None, limit=9) == []
