"""What is left behind by workflows that died, were replaced or failed is cleaned up, on the real stack."""

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from tests.doubles.sandbox import sandbox
from tests.integration.workflows.product import accept_document, accept_record, at_rest, at_work, settled

from apex_memory.bootstrap.activities import activities_of
from apex_memory.bootstrap.clients import open_embedder
from apex_memory.bootstrap.memory import Memory
from apex_memory.bootstrap.schedules import SCHEDULED, ensure_schedules, schedule_id
from apex_memory.database import Database
from apex_memory.domain import ids
from apex_memory.domain.bundles import VersionedBundle, VersionRef
from apex_memory.domain.errors import EmbedderMismatch, StoreUnavailable
from apex_memory.domain.ledger import Ingestion, Outcome
from apex_memory.domain.queues import Queue
from apex_memory.domain.upkeep import UpkeepFigures, UpkeepRun
from apex_memory.pipeline.stores.registry import Stores, open_stores
from apex_memory.ports import Store
from apex_memory.settings import ENV_PREFIX, Settings, process_environment
from apex_memory.testing import Fault, Misbehaving, always
from apex_memory.worker import worker_with

pytestmark = pytest.mark.integration

KEY = "SHIP-77"


@pytest.fixture
def now(settings: Settings) -> Settings:
    """Nothing is too young for the upkeep; one batch at a time in a lane."""
    ages = dict.fromkeys(("reap_after_s", "sweep_after_s", "grace_s", "staging_ttl_s"), 0.0)
    return settings.model_copy(update={**ages, "relay_in_flight": 1})


@pytest.fixture
async def stores(settings: Settings, database: Database) -> AsyncGenerator[Stores, None]:
    async with (
        open_embedder(settings, database) as embedder,
        open_stores(settings, database, embedder) as stores,
    ):
        for store in stores.participants():
            await store.ensure()
        yield stores


class _Outage:
    """Neo4j writes and every answer is lost, until it is over."""

    def __init__(self) -> None:
        self.over = False
        self.written = defaultdict[str, asyncio.Event](asyncio.Event)

    def end(self) -> None:
        self.over = True

    def spoil(self, store: Store) -> Store:
        return _LosingAnswers(store, self) if store.name == "neo4j" else store


class _LosingAnswers(Misbehaving):
    def __init__(self, store: Store, outage: _Outage) -> None:
        super().__init__(store, always(Fault.NONE))
        self._outage = outage

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        await super().prepare(writes)
        if not self._outage.over:
            self._outage.written[writes[0].tenant_id].set()
            raise StoreUnavailable(self.name, "the answer was lost, as planned")


async def _run(temporal: Client, settings: Settings, name: str, **input_: Any) -> UpkeepFigures:
    """As an operator starts it from the Temporal UI: a type, a queue and a JSON input."""
    [kind] = [kind for kind in SCHEDULED if kind.name == name]
    return await temporal.execute_workflow(
        kind.workflow.__name__,
        input_,
        id=f"by-hand:{uuid4()}",
        task_queue=Queue.WORKFLOWS.named(settings.queue_prefix),
        result_type=UpkeepFigures,
    )


async def _accept(memory: Memory, tenant: str, status: str, *, key: str = KEY) -> UUID:
    return await accept_record(memory, tenant, "turvo", {"shipmentId": key, "status": status}, label=key)


async def _being_written(memory: Memory, outage: _Outage, tenant: str) -> Ingestion:
    """The ingestion, once all of it is in Neo4j and nobody knows."""
    event_id = await _accept(memory, tenant, "in_transit")
    await outage.written[tenant].wait()
    return await memory.inbox.ingestion(tenant, event_id)


async def _held(stores: Stores, tenant: str, version: int) -> dict[str, int]:
    """How many parts of this version each store holds, read from the store."""
    ref = VersionRef(item_id=ids.item_id(tenant, "turvo", KEY), version=version)
    return {s.name: (await s.read_back(tenant, [ref]))[ref].count for s in stores.participants()}


async def test_a_terminated_workflow_is_taken_back_everywhere_and_its_lane_goes_on(
    now: Settings, temporal: Client, memory: Memory, stores: Stores, tenant: str
) -> None:
    outage = _Outage()
    async with at_work(now, temporal, spoil=outage.spoil):
        dead = await _being_written(memory, outage, tenant)
        await temporal.get_workflow_handle(dead.workflow_id or "").terminate()
        behind = await _accept(memory, tenant, "delayed", key="SHIP-78")
        outage.end()

        figures = await _run(temporal, now, "reap")

        ended = await settled(memory, tenant, dead.ingestion_id)
        held = await _held(stores, tenant, 1)
        next_ = await settled(memory, tenant, behind)

    assert figures == UpkeepFigures(batches=1, versions=1)
    assert (ended.outcome, ended.reason) == (Outcome.ABORTED, "its workflow was terminated")
    assert set(held.values()) == {0}
    assert next_.outcome is Outcome.COMMITTED


async def test_a_workflow_that_still_runs_is_left_alone(
    now: Settings, temporal: Client, memory: Memory, tenant: str
) -> None:
    outage = _Outage()
    async with at_work(now, temporal, spoil=outage.spoil):
        running = await _being_written(memory, outage, tenant)

        figures = await _run(temporal, now, "reap")

        outage.end()
        ended = await settled(memory, tenant, running.ingestion_id)

    assert figures == UpkeepFigures(left_alone=1)
    assert (ended.outcome, ended.version) == (Outcome.COMMITTED, 1)


async def test_what_a_compensation_left_is_swept_for_one_tenant_or_all(
    now: Settings, temporal: Client, memory: Memory, stores: Stores, tenant: str, other_tenant: str
) -> None:
    outage = _Outage()
    async with at_work(now, temporal, spoil=outage.spoil):
        for one in (tenant, other_tenant):
            dead = await _being_written(memory, outage, one)
            await temporal.get_workflow_handle(dead.workflow_id or "").terminate()
            batch_id = UUID((dead.workflow_id or "").rpartition(":")[2])
            # As far as an undo came that was terminated in its turn.
            await memory.ledger.abort(one, batch_id, reason="cancelled")
            await memory.inbox.close(one, batch_id, reason="cancelled")

        ours = await _run(temporal, now, "sweep", tenant_id=tenant)
        left = [any((await _held(stores, one, 1)).values()) for one in (tenant, other_tenant)]
        theirs = await _run(temporal, now, "sweep")

    assert ours == theirs == UpkeepFigures(batches=1, versions=1)
    assert left == [False, True]
    assert not any((await _held(stores, other_tenant, 1)).values())


async def test_an_old_version_can_be_read_within_the_grace_and_is_nowhere_after_it(
    settings: Settings, now: Settings, temporal: Client, memory: Memory, stores: Stores, tenant: str
) -> None:
    async with at_work(now, temporal):
        old = await settled(memory, tenant, await _accept(memory, tenant, "in_transit"))
        new = await settled(memory, tenant, await _accept(memory, tenant, "delayed"))
        item_id = ids.item_id(tenant, "turvo", KEY)

        within = await _collect_now(settings)
        seen = await memory.archive.item(tenant, item_id, seq=old.seq or 0)
        after = await _run(temporal, now, "collect")

    assert (old.version, new.version, seen.version) == (1, 2, 1)
    assert (within, after) == (UpkeepFigures(), UpkeepFigures(versions=1))
    assert set((await _held(stores, tenant, 1)).values()) == {0}
    assert all((await _held(stores, tenant, 2)).values())
    answer = await memory.retrieval.search(tenant, KEY)
    assert {hit.version for hit in answer.hits} == {2}
    assert answer.missing == ()


async def _collect_now(settings: Settings) -> UpkeepFigures:
    """One call of the activity as the product wires it, with the grace of these settings."""
    async with AsyncExitStack() as stack:
        activities = (await activities_of([Queue.MAINTAIN], settings, stack))[Queue.MAINTAIN]
        [collect] = [a for a in activities if a.__name__ == "collect_garbage_activity"]
        run: UpkeepRun = await collect(UpkeepRun())
        return run.figures


class _Refusing(Misbehaving):
    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        await super().prepare(writes)
        raise EmbedderMismatch(stored="another", configured="this")


async def test_the_folder_of_a_failed_document_expires_and_that_of_an_open_batch_stays(
    now: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    outage = _Outage()
    failing: Callable[[Store], Store] = lambda s: (  # noqa: E731
        _Refusing(s, always(Fault.NONE)) if s.name == "qdrant" else s
    )
    async with at_work(now, temporal, spoil=failing):
        failed = await settled(
            memory, tenant, await accept_document(memory, tenant, "a.md", "# A\n\nText.\n")
        )
        await at_rest(database)
    async with at_work(now, temporal, spoil=outage.spoil):
        await _being_written(memory, outage, tenant)
        before = await _folders(memory, tenant)

        figures = await _run(temporal, now, "expire-staging", tenant_id=tenant)

        after = await _folders(memory, tenant)
        outage.end()

    assert failed.outcome is Outcome.ABORTED
    assert figures.folders == len(before) - len(after)
    assert {folder.split("/")[1] for folder in before} == {"local_upload", "turvo"}
    assert [folder.split("/")[1] for folder in after] == ["turvo"]


async def _folders(memory: Memory, tenant: str) -> list[str]:
    listed = await memory.staging.folders(older_than_s=0, after=tenant, limit=1000)
    return [folder for folder in listed if folder.startswith(f"{tenant}/")]


async def test_schedules_are_made_once_and_follow_the_settings_but_not_an_operators_pause(
    settings: Settings, temporal: Client
) -> None:
    await asyncio.gather(*(ensure_schedules(temporal, settings) for _ in range(2)))
    paused = temporal.get_schedule_handle(schedule_id(SCHEDULED[0], settings))
    await paused.pause()

    await ensure_schedules(temporal, settings.model_copy(update={"reap_every_s": 77.0}))

    changed = (await paused.describe()).schedule
    assert [interval.every.total_seconds() for interval in changed.spec.intervals] == [77]
    assert changed.state.paused
    for kind in SCHEDULED[1:]:
        kept = (await temporal.get_schedule_handle(schedule_id(kind, settings)).describe()).schedule
        assert [i.every.total_seconds() for i in kept.spec.intervals] == [kind.every_s(settings)]


async def test_a_schedule_runs_its_workflow_on_the_queue_of_its_settings(
    settings: Settings, temporal: Client
) -> None:
    await ensure_schedules(temporal, settings)
    async with at_work(settings, temporal):
        for kind in SCHEDULED:
            schedule = temporal.get_schedule_handle(schedule_id(kind, settings))
            await schedule.trigger()
            while not (actions := (await schedule.describe()).info.recent_actions):
                await asyncio.sleep(0.1)
            started: Any = actions[0].action
            result = await temporal.get_workflow_handle(
                started.workflow_id, result_type=UpkeepFigures
            ).result()
            assert result == UpkeepFigures()


async def test_upkeep_is_run_and_shown_from_the_command_line(
    now: Settings, temporal: Client, memory: Memory, tenant: str
) -> None:
    outage = _Outage()
    async with at_work(now, temporal, spoil=outage.spoil):
        dead = await _being_written(memory, outage, tenant)
        await temporal.get_workflow_handle(dead.workflow_id or "").terminate()

        environment = _environment(now)
        before = await _apex(environment, "upkeep", "status", "--json")
        figures = await _apex(environment, "upkeep", "run", "reap", "--tenant", tenant, "--json")
        await ensure_schedules(temporal, now)
        after = await _apex(environment, "upkeep", "status", "--json")

    assert (before["backlog"]["preparing"], after["backlog"]["preparing"]) == (1, 0)
    assert (figures["batches"], figures["versions"]) == (1, 1)
    assert [s["state"].partition(":")[0] for s in before["schedules"]] == ["missing"] * len(SCHEDULED)
    assert [s["name"] for s in after["schedules"]] == [kind.name for kind in SCHEDULED]
    assert all(s["next_run"] for s in after["schedules"])


def _environment(settings: Settings) -> dict[str, str]:
    given = ("postgres_url", "qdrant_url", "neo4j_url", "redis_url", "temporal_address", "queue_prefix")
    return process_environment() | {
        f"{ENV_PREFIX}{name.upper()}": str(getattr(settings, name)) for name in given
    }


async def _apex(environment: dict[str, str], *arguments: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "apex_memory.cli", *arguments),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return orjson.loads(out)


async def test_a_long_run_begins_its_history_anew_and_keeps_its_figures(
    settings: Settings, temporal: Client
) -> None:
    calls = 205

    @activity.defn(name="sweep_leftovers_activity")
    async def sweep(run: UpkeepRun) -> UpkeepRun:
        done = run.figures + UpkeepFigures(batches=1)
        return UpkeepRun(after=None if done.batches == calls else str(done.batches), figures=done)

    async with (
        worker_with((), Queue.WORKFLOWS, settings, temporal, runner=sandbox()),
        worker_with((sweep,), Queue.MAINTAIN, settings, temporal),
    ):
        workflow_id = f"long:{uuid4()}"
        queue = Queue.WORKFLOWS.named(settings.queue_prefix)
        first = await temporal.start_workflow("SweepWorkflow", id=workflow_id, task_queue=queue)
        result = await temporal.get_workflow_handle(workflow_id, result_type=UpkeepFigures).result()
        began = await temporal.get_workflow_handle(workflow_id, run_id=first.result_run_id).describe()

    assert result == UpkeepFigures(batches=calls)
    assert began.status is WorkflowExecutionStatus.CONTINUED_AS_NEW
