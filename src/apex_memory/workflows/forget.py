"""A buried item in, the receipt that no place holds anything of it out."""

import asyncio
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow

from apex_memory.domain.forgetting import Census, Condemnation, CountWanted, ForgetItem
from apex_memory.domain.queues import Queue, prefix_of
from apex_memory.workflows.attributes import Stage, show_stage
from apex_memory.workflows.policies import options

#: A batch that was under way ends within seconds of being seen.
_LOOK_AGAIN: Final = timedelta(seconds=5)


@workflow.defn
class ForgetWorkflow:
    """One item: erased from every place, counted, given a zombie's time to show itself, and counted again."""

    @workflow.run
    async def run(self, forget: ForgetItem) -> Census:
        show_stage(Stage.ERASING)
        where = options(Queue.MAINTAIN, prefix=prefix_of(workflow.info().task_queue))
        erasure = _Erasure(forget, where)
        condemned: Condemnation = await workflow.execute_activity(
            "condemn_versions_activity", forget, result_type=Condemnation, **where
        )
        window = timedelta(seconds=forget.zombie_window_s)
        while True:
            await erasure.until_nothing_is_left(condemned.stores)
            workflow.set_current_details(f"nothing is left; counting again after {window}")
            await workflow.sleep(window)
            # One that wrote meanwhile may not be alone: what it left is erased, and the wait begins anew.
            if (census := await erasure.count(last=True)).clean:
                break
        show_stage(Stage.DONE)
        workflow.set_current_details("nothing is left")
        return census


class _Erasure:
    def __init__(self, forget: ForgetItem, where: dict[str, Any]) -> None:
        self._forget = forget
        self._where = where

    async def until_nothing_is_left(self, stores: tuple[str, ...]) -> None:
        while True:
            workflow.set_current_details(f"erasing from {', '.join(stores)}")
            await asyncio.gather(*(self._erase_from(store) for store in stores))
            await workflow.execute_activity("erase_traces_activity", self._forget, **self._where)
            if (await self.count(last=False)).clean:
                return
            # A batch that was under way wrote once more before it was judged.
            await workflow.sleep(_LOOK_AGAIN)

    async def count(self, *, last: bool) -> Census:
        return await workflow.execute_activity(
            "count_traces_activity",
            CountWanted(forget=self._forget, last=last),
            result_type=Census,
            summary="after the zombie window" if last else "after the erasure",
            **self._where,
        )

    async def _erase_from(self, store: str) -> None:
        await workflow.execute_activity(
            f"erase_{store}_activity", self._forget, result_type=int, summary=store, **self._where
        )
