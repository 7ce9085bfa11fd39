"""A staged batch in, a committed batch in every store out, or nothing of it in any."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from temporalio import workflow

from apex_memory.domain.messages import Aborted, Allocated, Committed, StagedBatch, Undoing, WriteRound
from apex_memory.domain.queues import Queue, prefix_of
from apex_memory.workflows.attributes import Stage, show_stage
from apex_memory.workflows.policies import options
from apex_memory.workflows.reasons import reason_of
from apex_memory.workflows.saga import Undo


class Write:
    """The four-store write of one batch: allocate, prepare in parallel, verify and commit."""

    def __init__(self, staged: StagedBatch, *, register: Callable[[Undo], None]) -> None:
        self._staged = staged
        self._register = register
        self._prefix = prefix_of(workflow.info().task_queue)
        self.unchanged = 0
        self.committed = 0
        self.superseded = 0
        self.seq: int | None = None

    async def run(self) -> None:
        """Write every item; an item overtaken by a concurrent batch is allocated anew and written again."""
        self._register(self._undo)
        only: tuple[UUID, ...] | None = None
        round_ = 0
        while only is None or only:
            only = await self._round(WriteRound(staged=self._staged, round=round_, only=only))
            round_ += 1
        if self.superseded:
            await self._clean("the item was deleted or overtaken meanwhile")

    async def _round(self, write: WriteRound) -> tuple[UUID, ...]:
        allocated: Allocated = await workflow.execute_activity(
            "allocate_versions_activity",
            write,
            result_type=Allocated,
            summary=f"{write.staged.items} items, round {write.round + 1}",
            **options(Queue.WRITE, prefix=self._prefix),
        )
        self.unchanged += allocated.unchanged
        if not allocated.versions:
            return ()
        await asyncio.gather(*(self._prepare(store, write) for store in allocated.stores))
        committed: Committed = await workflow.execute_activity(
            "commit_versions_activity",
            write,
            result_type=Committed,
            summary="verify every store, then commit",
            **options(Queue.WRITE, prefix=self._prefix),
        )
        self.committed += committed.committed
        self.superseded += committed.superseded
        self.seq = committed.seq if committed.seq is not None else self.seq
        if committed.overtaken:
            await self._clean("overtaken by a concurrent write")
        return committed.overtaken

    async def _prepare(self, store: str, write: WriteRound) -> None:
        await workflow.execute_activity(
            f"prepare_{store}_activity",
            write,
            result_type=int,
            summary=store,
            **options(Queue.WRITE, prefix=self._prefix),
        )

    async def _undo(self, failure: BaseException) -> None:
        show_stage(Stage.UNDOING)
        await self._clean(reason_of(failure))

    async def _clean(self, reason: str) -> None:
        """Decide in PostgreSQL first; only what is aborted there is deleted, exactly, from every store."""
        undoing = Undoing(tenant_id=self._staged.tenant_id, batch_id=self._staged.batch_id, reason=reason)
        where = options(Queue.MAINTAIN, prefix=self._prefix)
        aborted: Aborted = await workflow.execute_activity(
            "abort_versions_activity", undoing, result_type=Aborted, summary=reason, **where
        )
        if not aborted.versions:
            return
        await asyncio.gather(
            *(
                workflow.execute_activity(
                    f"discard_{store}_activity", undoing, result_type=int, summary=store, **where
                )
                for store in aborted.stores
            )
        )
        await workflow.execute_activity("confirm_discarded_activity", undoing, result_type=int, **where)
