"""A staged batch in, a committed batch in every store out, or nothing of it in any."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from temporalio.exceptions import FailureError

from apex_memory.domain.messages import Aborted, Allocated, Committed, StagedBatch, Undoing, WriteRound
from apex_memory.domain.queues import Queue
from apex_memory.workflows.attributes import Stage
from apex_memory.workflows.reasons import reason_of
from apex_memory.workflows.saga import Undo, side_by_side
from apex_memory.workflows.steps import Steps

#: An operator's cancel and a failed activity; never a bare Exception, for a bug must fail the workflow task.
UNDO_ON = (FailureError, asyncio.CancelledError)


class Write:
    """The four-store write of one batch: allocate, prepare in parallel, verify and commit."""

    def __init__(self, staged: StagedBatch, *, register: Callable[[Undo], None], steps: Steps) -> None:
        self._staged = staged
        self._register = register
        self._steps = steps
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
            await self._clean("the item was deleted or overtaken meanwhile", decided=True)

    async def _round(self, write: WriteRound) -> tuple[UUID, ...]:
        summary = f"{write.staged.items} items, round {write.round + 1}"
        allocated = await self._steps.run(
            "allocate_versions_activity", Queue.WRITE, write, Allocated, summary=summary
        )
        self.unchanged += allocated.unchanged
        if not allocated.versions:
            return ()
        preparing = [
            self._steps.run(f"prepare_{store}_activity", Queue.WRITE, write, int, summary=store)
            for store in allocated.stores
        ]
        await side_by_side(preparing, undo_on=UNDO_ON)
        committed = await self._steps.run(
            "commit_versions_activity",
            Queue.WRITE,
            write,
            Committed,
            summary="verify every store, then commit",
        )
        self.committed += committed.committed
        self.superseded += committed.superseded
        self.seq = committed.seq if committed.seq is not None else self.seq
        if committed.overtaken:
            await self._clean("overtaken by a concurrent write", decided=True)
        return committed.overtaken

    async def _undo(self, failure: BaseException) -> None:
        self._steps.show(Stage.UNDOING)
        await self._clean(reason_of(failure, cancelled=self._steps.cancelled), decided=False)

    async def _clean(self, reason: str, *, decided: bool) -> None:
        """Decide in PostgreSQL first; only what is aborted there is deleted, exactly, from every store."""
        undoing = Undoing(
            tenant_id=self._staged.tenant_id, batch_id=self._staged.batch_id, reason=reason, decided=decided
        )
        aborted = await self._steps.run(
            "abort_versions_activity", Queue.MAINTAIN, undoing, Aborted, summary=reason
        )
        if not aborted.versions:
            return
        await asyncio.gather(
            *(
                self._steps.run(f"discard_{store}_activity", Queue.MAINTAIN, undoing, int, summary=store)
                for store in aborted.stores
            )
        )
        await self._steps.run("confirm_discarded_activity", Queue.MAINTAIN, undoing, int)
