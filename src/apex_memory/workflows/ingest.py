"""A batch of inbox events in, its end out: stage, extract, embed, write, clean up."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import FailureError

from apex_memory.domain.messages import BatchFailed, IngestBatch, IngestResult, StagedBatch
from apex_memory.domain.queues import Queue, prefix_of
from apex_memory.workflows.attributes import Stage, show_stage
from apex_memory.workflows.policies import options
from apex_memory.workflows.reasons import reason_of
from apex_memory.workflows.saga import Undo, run_saga
from apex_memory.workflows.write import Write

#: An operator's cancel and a failed activity; never a bare Exception, for a bug must fail the workflow task.
UNDO_ON = (FailureError, asyncio.CancelledError)


@dataclass(frozen=True)
class Preparation:
    """The activities that turn a batch into bundles with vectors, with the queue that each runs on."""

    stage: str
    read: tuple[tuple[str, Queue], ...]
    embed: str


async def ingest(batch: IngestBatch, preparation: Preparation) -> IngestResult:
    """Run one ingestion; what it takes back on failure is registered before it is begun."""

    async def body(register: Callable[[Undo], None]) -> IngestResult:
        return await _Ingestion(batch, register).run(preparation)

    return await run_saga(body, undo_on=UNDO_ON)


class _Ingestion:
    def __init__(self, batch: IngestBatch, register: Callable[[Undo], None]) -> None:
        self._batch = batch
        self._register = register
        self._prefix = prefix_of(workflow.info().task_queue)

    async def run(self, preparation: Preparation) -> IngestResult:
        self._register(self._mark_failed)
        workflow.set_current_details(f"staging {self._batch.size} events")
        staged = await self._step(preparation.stage, Queue.STAGE, self._batch)
        for name, queue in preparation.read:
            staged = await self._step(name, queue, staged) if staged.items else staged
        write = Write(staged, register=self._register)
        if staged.items:
            await self._embed(preparation.embed, staged)
            show_stage(Stage.WRITING)
            workflow.set_current_details(f"writing {staged.items} items")
            await write.run()
        await self._clean_up(staged)
        show_stage(Stage.DONE)
        workflow.set_current_details(f"{write.committed} committed, {write.unchanged} unchanged")
        return IngestResult(
            committed=write.committed,
            unchanged=write.unchanged,
            superseded=write.superseded,
            quarantined=self._batch.size - staged.items,
            seq=write.seq,
        )

    async def _step(self, name: str, queue: Queue, argument: IngestBatch | StagedBatch) -> StagedBatch:
        return await workflow.execute_activity(
            name,
            argument,
            result_type=StagedBatch,
            summary=self._batch.label,
            **options(queue, prefix=self._prefix),
        )

    async def _embed(self, name: str, staged: StagedBatch) -> None:
        await workflow.execute_activity(
            name, staged, summary=self._batch.label, **options(Queue.EMBED, prefix=self._prefix)
        )

    async def _clean_up(self, staged: StagedBatch) -> None:
        await workflow.execute_activity(
            "cleanup_staging_activity", staged, **options(Queue.STAGE, prefix=self._prefix)
        )

    async def _mark_failed(self, failure: BaseException) -> None:
        show_stage(Stage.FAILED)
        failed = BatchFailed(batch=self._batch, reason=reason_of(failure))
        await workflow.execute_activity(
            "mark_staging_failed_activity", failed, **options(Queue.STAGE, prefix=self._prefix)
        )
