"""A seed in, a world out: real protocol code over simulated servers, and all that can happen to it."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final
from uuid import UUID

from temporalio.exceptions import FailureError
from tests.simulation.clockwork import VirtualLoop
from tests.simulation.invariants import (
    Facts,
    Violation,
    broken_at_rest,
    broken_by,
    broken_now,
    i11_a_workflow_decides_what_it_began,
    i13_a_cache_changes_no_answer,
)
from tests.simulation.machine_room import AGES, GRACE_S, PREPARATION, RECONCILE, UPKEEP, MachineRoom
from tests.simulation.ports import POSTGRES
from tests.simulation.reader import Filter, read, visible_at
from tests.simulation.senders import CONTENTS, EMBEDDER_ID, SOURCE, TENANTS, Sent, item_of
from tests.simulation.weather import ZOMBIE_S, Network
from tests.simulation.workers import SimulatedSteps, Terminated, Worker

from apex_memory.domain import ids
from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.errors import ItemNotFound, StoreUnavailable
from apex_memory.domain.messages import IngestBatch
from apex_memory.domain.queues import Queue
from apex_memory.domain.upkeep import OpenBatch, UpkeepRun, WorkflowState
from apex_memory.testing import MemoryLedger, MemoryStore, MemoryVectors, MemoryWorkflows
from apex_memory.workflows.ingest import ingest

#: Without faults, whatever still goes on after this long (virtual seconds) will never end.
_REST_S: Final = 3600.0


@dataclass(frozen=True)
class Run:
    """One ingestion's workflow."""

    batch: IngestBatch
    steps: SimulatedSteps
    task: asyncio.Task[None]

    @property
    def workflow_id(self) -> str:
        return _workflow_id(self.batch)


class World:
    """Everything that a schedule acts on. Nothing in it knows the time of day, a hash or a thread."""

    def __init__(self, seed: int, *, visible: Filter = visible_at) -> None:
        self.random = Random(seed)
        self.loop = VirtualLoop()
        self.ledger = MemoryLedger(clock=self.loop.time)
        self.stores: tuple[MemoryStore, ...] = (
            MemoryStore(POSTGRES),
            MemoryVectors(EMBEDDER_ID),
            MemoryStore("neo4j"),
        )
        self.facts = Facts(self.ledger, self.stores, now=self.loop.time, grace_s=GRACE_S)
        self.violations: list[Violation] = []
        self.bugs: list[BaseException] = []
        self.network = Network(self.random, clock=self.loop.time, applied=self._look)
        self.runs: list[Run] = []
        self.ends = Counter[WorkflowState]()
        self._visible = visible
        self._workflows = MemoryWorkflows()
        self._room = MachineRoom(self.facts, self.network, self._workflows)
        self.workers = tuple(Worker(self._room.activities, clock=self.loop.time) for _ in range(3))
        self._background: set[asyncio.Task[None]] = set()
        self._answers: dict[tuple[str, int], frozenset[VersionRef]] = {}
        self._senders_clock_s = 0.0

    def close(self) -> None:
        self.loop.finish()

    def pass_time(self, seconds: float) -> None:
        """All that is due within that time happens. Raises what anything raised that is a bug."""
        self.loop.run_until_complete(asyncio.sleep(seconds))
        for bug in self.bugs:
            raise bug

    def send(
        self,
        tenant_id: str,
        *said: tuple[str, str],
        age_s: float = 0.0,
        poison: bool = False,
        parent: VersionRef | None = None,
    ) -> None:
        """One batch: an event for each item and content; `age_s` makes it speak of an older time."""
        self._senders_clock_s += 1.0
        batch_id = self._uuid()
        events = [
            Sent(
                tenant_id=tenant_id,
                event_id=self._uuid(),
                external_id=item,
                content=content,
                as_of_s=self._senders_clock_s - age_s,
                batch_id=batch_id,
                parent=parent,
                poison=poison,
            )
            for item, content in said
        ]
        if poison:
            self.facts.spoilt.add(batch_id)
        self._start(events)

    def derive(self, tenant_id: str, item: str) -> None:
        """What a model reads in the version that is seen now becomes an item of its own."""
        item_id = item_of(tenant_id, item)
        seen = [
            row.ref for (_, ref), row in self.ledger.versions.items() if ref.item_id == item_id and row.live()
        ]
        if seen:
            self.send(tenant_id, (f"{item} read", self.random.choice(CONTENTS)), parent=seen[0])

    def bury(self, tenant_id: str, item: str) -> None:
        """Delete an item; asked again until it is answered."""
        self._spawn(self._bury(tenant_id, item_of(tenant_id, item), self._uuid()))

    def cancel(self, run: Run) -> None:
        """An operator cancels an ingestion; it may be undoing already."""
        if not run.task.done():
            self.facts.spoilt.add(run.batch.batch_id)
            run.steps.cancel("an operator wanted it so", at=self.loop.time())
            run.task.cancel()

    def terminate(self, run: Run) -> None:
        """No line of its workflow runs any more; what its activities have begun goes on."""
        if not run.task.done():
            self.facts.spoilt.add(run.batch.batch_id)
            run.steps.terminate()

    def under_way(self, at: str = "") -> Sequence[Run]:
        """The ingestions that are at an activity whose name begins so."""
        return [run for run in self.runs if any(name.startswith(at) for name in run.steps.at)]

    def wipe(self, store: MemoryStore) -> None:
        """It loses everything. PostgreSQL is the truth and loses nothing."""
        self.facts.wiped.add(store.name)
        self._spawn(self._wipe(store))

    def set_senders_clock(self, seconds: float) -> None:
        """By so much: it decides what events speak of. How old a thing is, the ledger's clock says."""
        self._senders_clock_s += seconds

    def tick(self, activity: str) -> None:
        """A scheduled workflow runs once."""
        self._spawn(self._upkeep(activity))

    def read(self, tenant_id: str) -> None:
        self._spawn(self._read(tenant_id))

    def settle(self) -> None:
        """No more faults: all that was begun ends, the upkeep runs, and at rest every promise holds."""
        self.network.calm()
        for worker in self.workers:
            worker.recover()
        self.pass_time(ZOMBIE_S)
        self.loop.run_until_complete(self._rest())
        self.pass_time(0.0)
        self.violations += broken_at_rest(self.facts)

    async def _rest(self) -> None:
        tasks = [*self._background]
        if tasks:
            await asyncio.wait(tasks, timeout=_REST_S)
        # Each may leave something to the next, and only what is old enough is theirs.
        for activity in (*UPKEEP, RECONCILE, *UPKEEP, RECONCILE):
            await asyncio.sleep(ZOMBIE_S + GRACE_S + AGES.reap_s)
            await asyncio.wait([self._spawn(self._upkeep(activity))], timeout=_REST_S)
        self.facts.wiped.clear()
        for tenant_id in TENANTS:
            await self._read(tenant_id)

    def _start(self, events: Sequence[Sent]) -> None:
        first = events[0]
        batch = IngestBatch(
            tenant_id=first.tenant_id,
            source=SOURCE,
            batch_id=first.batch_id,
            kind="record",
            label=f"{len(events)} records",
            size=len(events),
        )
        self.facts.sent += events
        self._room.take_in(batch, events)
        claimed = OpenBatch(
            tenant_id=batch.tenant_id,
            source=batch.source,
            batch_id=batch.batch_id,
            label=batch.label,
            workflow_id=_workflow_id(batch),
        )
        self.ledger.claim(claimed, [event.event_id for event in events])
        self._workflows.note(_workflow_id(batch), WorkflowState.RUNNING)
        steps = SimulatedSteps(self.workers, self.random)
        self.runs.append(Run(batch, steps, self._spawn(self._ingest(batch, steps))))

    async def _ingest(self, batch: IngestBatch, steps: SimulatedSteps) -> None:
        try:
            await ingest(batch, PREPARATION, steps)
            ended = WorkflowState.COMPLETED
        except FailureError:
            ended = WorkflowState.FAILED
        except Terminated:
            ended = WorkflowState.TERMINATED
        except asyncio.CancelledError:
            ended = WorkflowState.CANCELLED
        self._workflows.note(_workflow_id(batch), ended)
        self.ends[ended] += 1
        if ended is not WorkflowState.TERMINATED and steps.cancelled_at is not None:
            left = i11_a_workflow_decides_what_it_began(self.facts, batch.batch_id, before=steps.cancelled_at)
            name = i11_a_workflow_decides_what_it_began.__name__
            self.violations += [Violation(name, what) for what in left]

    async def _bury(self, tenant_id: str, item_id: UUID, request_id: UUID) -> None:
        while True:
            try:
                await self._room.ledger.bury(tenant_id, item_id, request_id=request_id)
            except StoreUnavailable:
                await asyncio.sleep(1.0)
            except ItemNotFound:
                return
            else:
                return

    async def _wipe(self, store: MemoryStore) -> None:
        for tenant_id in TENANTS:
            await store.discard(tenant_id, [write.ref for write in store.held(tenant_id)])

    async def _upkeep(self, activity: str) -> None:
        run: UpkeepRun | None = UpkeepRun()
        while run is not None:
            steps = SimulatedSteps(self.workers, self.random)
            run = await steps.run(activity, Queue.MAINTAIN, run, UpkeepRun)
            run = run if run.after is not None else None

    async def _read(self, tenant_id: str) -> None:
        wiped = set(self.facts.wiped)
        answer = await read(
            tenant_id,
            ledger=self.ledger,
            stores=self.stores,
            network=self.network,
            random=self.random,
            visible=self._visible,
        )
        if answer is None:
            return
        answer = answer.without(wiped | self.facts.wiped)
        self.violations += broken_by(self.facts, answer)
        cached = self._answers.setdefault((tenant_id, answer.seq), answer.visible)
        if self.random.random() < 0.5:
            self._answers.clear()
        name = i13_a_cache_changes_no_answer.__name__
        self.violations += [Violation(name, what) for what in i13_a_cache_changes_no_answer(cached, answer)]

    def _look(self, server: str) -> None:
        if not self.violations:
            # What another store does changes nothing in the ledger.
            self.violations += broken_now(self.facts, ledger=server == POSTGRES)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self.loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (bug := task.exception()):
            self.bugs.append(bug)

    def _uuid(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)


def _workflow_id(batch: IngestBatch) -> str:
    return ids.ingestion_workflow_id(batch.tenant_id, batch.source, batch.label, batch.batch_id)
