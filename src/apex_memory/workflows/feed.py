"""A feed that is wanted in; polled again and again until it is not, out."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError

from apex_memory.domain.feeds import Polled, PollFeed
from apex_memory.domain.queues import Queue
from apex_memory.workflows.attributes import STAGE, Stage
from apex_memory.workflows.reasons import reason_of
from apex_memory.workflows.steps import TemporalSteps

#: Polls until the history begins anew: eleven events each, if nothing fails.
_POLLS_A_HISTORY: Final = 300
#: Somebody must mend something first, and may have.
_REFUSED_WAIT: Final = timedelta(seconds=60)


@workflow.defn
class SourceFeedWorkflow:
    """One feed. It holds nothing: a run that is terminated is started again, and goes on where it was."""

    @workflow.run
    async def run(self, poll: PollFeed) -> None:
        polling = _Polling(poll, TemporalSteps())
        for _ in range(_POLLS_A_HISTORY):
            pause = await polling.once()
            if pause is None:
                return
            if pause:
                await workflow.sleep(pause)
            if workflow.info().is_continue_as_new_suggested():
                break
        workflow.continue_as_new(poll)


class _Polling:
    def __init__(self, poll: PollFeed, steps: TemporalSteps) -> None:
        self._poll = poll
        self._steps = steps
        self._shown = workflow.info().typed_search_attributes.get(STAGE)

    async def once(self) -> timedelta | None:
        """How long to wait for the next poll; None if there is to be none."""
        try:
            polled = await self._steps.run("poll_feed_activity", Queue.STAGE, self._poll, Polled)
        except ActivityError as failure:
            if self._steps.cancelled is not None:
                # The last attempt reported its own failure; that there was no other is the cancel's doing.
                raise asyncio.CancelledError from failure
            self._show(Stage.REFUSED)
            again = f"asked again in {_REFUSED_WAIT.total_seconds():g} s"
            self._steps.say(f"{reason_of(failure, cancelled=None)}; {again}")
            return _REFUSED_WAIT
        if not polled.wanted:
            self._show(Stage.DONE)
            self._steps.say("stopped")
            return None
        self._show(Stage.POLLING)
        self._steps.say(_details(polled))
        return timedelta() if polled.more else timedelta(seconds=polled.interval_s)

    def _show(self, stage: Stage) -> None:
        if self._shown != stage:
            self._shown = str(stage)
            self._steps.show(stage)


def _details(polled: Polled) -> str:
    at = f"{workflow.now():%Y-%m-%d %H:%M:%S} UTC"
    if polled.held_back:
        waiting = f"not asked while {polled.waiting} events wait in the inbox"
        return f"{at}: {waiting}; {polled.total} points in all"
    lag = "" if polled.lag_s is None else f", the newest {polled.lag_s:g} s old"
    more = "; more pages wait" if polled.more else ""
    return f"{at}: {polled.points} points{lag}, {polled.total} in all{more}"
