"""A buried item in, the receipt that no place holds anything of it out."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import workflow

from apex_memory.domain.forgetting import Census, Condemnation, CountWanted, ForgetItem
from apex_memory.domain.queues import Queue
from apex_memory.workflows.attributes import Stage
from apex_memory.workflows.steps import Steps, TemporalSteps

#: A batch that was under way ends within seconds of being seen.
_LOOK_AGAIN: Final = timedelta(seconds=5)


@workflow.defn
class ForgetWorkflow:
    """One item: erased from every place, counted, given a zombie's time to show itself, and counted again."""

    @workflow.run
    async def run(self, forget: ForgetItem) -> Census:
        steps = TemporalSteps()
        steps.show(Stage.ERASING)
        erasure = _Erasure(forget, steps)
        condemned = await steps.run("condemn_versions_activity", Queue.MAINTAIN, forget, Condemnation)
        window = timedelta(seconds=forget.zombie_window_s)
        while True:
            await erasure.until_nothing_is_left(condemned.stores)
            steps.say(f"nothing is left; counting again after {window}")
            await workflow.sleep(window)
            # One that wrote meanwhile may not be alone: what it left is erased, and the wait begins anew.
            if (census := await erasure.count(last=True)).clean:
                break
        steps.show(Stage.DONE)
        steps.say("nothing is left")
        return census


class _Erasure:
    def __init__(self, forget: ForgetItem, steps: Steps) -> None:
        self._forget = forget
        self._steps = steps

    async def until_nothing_is_left(self, stores: tuple[str, ...]) -> None:
        while True:
            self._steps.say(f"erasing from {', '.join(stores)}")
            await asyncio.gather(*(self._erase_from(store) for store in stores))
            await self._steps.run("erase_traces_activity", Queue.MAINTAIN, self._forget, type(None))
            if (await self.count(last=False)).clean:
                return
            # A batch that was under way wrote once more before it was judged.
            await workflow.sleep(_LOOK_AGAIN)

    async def count(self, *, last: bool) -> Census:
        return await self._steps.run(
            "count_traces_activity",
            Queue.MAINTAIN,
            CountWanted(forget=self._forget, last=last),
            Census,
            summary="after the zombie window" if last else "after the erasure",
        )

    async def _erase_from(self, store: str) -> None:
        await self._steps.run(f"erase_{store}_activity", Queue.MAINTAIN, self._forget, int, summary=store)
