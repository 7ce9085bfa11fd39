"""A batch of inbox events in, its end out: stage, extract, embed, write, clean up."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from temporalio.exceptions import FailureError

from apex_memory.domain.messages import BatchFailed, IngestBatch, IngestResult, StagedBatch
from apex_memory.domain.queues import Queue
from apex_memory.workflows.attributes import Stage
from apex_memory.workflows.reasons import reason_of
from apex_memory.workflows.saga import Undo, run_saga
from apex_memory.workflows.steps import Steps
from apex_memory.workflows.write import UNDO_ON, Write


@dataclass(frozen=True)
class Preparation:
    """The activities that turn a batch into bundles with vectors, with the queue that each runs on.

    complete: fetches what staging found to be wanted; not run if that is nothing.
    """

    stage: str
    read: tuple[tuple[str, Queue], ...]
    embed: str
    complete: str | None = None


async def ingest(batch: IngestBatch, preparation: Preparation, steps: Steps) -> IngestResult:
    """Run one ingestion; what it takes back on failure is registered before it is begun.

    Raises:
        FailureError: an activity can never succeed; the batch was taken back.
        CancelledError: an operator wanted it so; the batch was taken back, unless it had committed.
    """

    async def body(register: Callable[[Undo], None]) -> IngestResult:
        return await _Ingestion(batch, register, steps).run(preparation)

    try:
        return await run_saga(body, undo_on=UNDO_ON)
    except FailureError as failure:
        if steps.cancelled is None:
            raise
        # The last attempt reported its own failure; that there was no other is the cancel's doing.
        raise asyncio.CancelledError from failure


class _Ingestion:
    def __init__(self, batch: IngestBatch, register: Callable[[Undo], None], steps: Steps) -> None:
        self._batch = batch
        self._register = register
        self._steps = steps

    async def run(self, preparation: Preparation) -> IngestResult:
        self._register(self._mark_failed)
        self._steps.say(f"staging {self._batch.size} events")
        staged = await self._step(preparation.stage, Queue.STAGE, self._batch)
        if preparation.complete and staged.wanted:
            self._steps.say(f"fetching what {staged.wanted} records leave out")
            staged = await self._step(preparation.complete, Queue.STAGE, staged)
        for name, queue in preparation.read:
            staged = await self._step(name, queue, staged) if staged.items else staged
        write = Write(staged, register=self._register, steps=self._steps)
        if staged.items:
            await self._steps.run(
                preparation.embed, Queue.EMBED, staged, type(None), summary=self._batch.label
            )
            self._steps.show(Stage.WRITING)
            self._steps.say(f"writing {staged.items} items")
            await write.run()
        await self._steps.run("cleanup_staging_activity", Queue.STAGE, staged, type(None))
        self._steps.show(Stage.DONE)
        self._steps.say(f"{write.committed} committed, {write.unchanged} unchanged")
        return IngestResult(
            committed=write.committed,
            unchanged=write.unchanged,
            superseded=write.superseded,
            quarantined=self._batch.size - staged.items,
            seq=write.seq,
        )

    async def _step(self, name: str, queue: Queue, argument: IngestBatch | StagedBatch) -> StagedBatch:
        return await self._steps.run(name, queue, argument, StagedBatch, summary=self._batch.label)

    async def _mark_failed(self, failure: BaseException) -> None:
        self._steps.show(Stage.FAILED)
        reason = reason_of(failure, cancelled=self._steps.cancelled)
        failed = BatchFailed(batch=self._batch, reason=reason)
        await self._steps.run("mark_staging_failed_activity", Queue.STAGE, failed, type(None))
