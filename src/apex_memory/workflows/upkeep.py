"""The work behind the workflows in, figures of what was cleaned up out: one workflow a kind of work."""

from typing import Final

from temporalio import workflow

from apex_memory.domain.queues import Queue
from apex_memory.domain.upkeep import UpkeepFigures, UpkeepRun
from apex_memory.workflows.steps import TemporalSteps

#: Calls until the history begins anew: about eleven events each.
_CALLS_A_HISTORY: Final = 200


class Upkeep:
    """Calls one activity until a run is at its end. It may be started at any time, and more than once."""

    def __init__(self) -> None:
        self._figures = UpkeepFigures()

    @workflow.query
    def progress(self) -> UpkeepFigures:
        """What the run has come to so far."""
        return self._figures

    async def _go_through(self, activity: str, run: UpkeepRun) -> UpkeepFigures:
        steps = TemporalSteps()
        for _ in range(_CALLS_A_HISTORY):
            summary = run.tenant_id or "all tenants"
            run = await steps.run(activity, Queue.MAINTAIN, run, UpkeepRun, summary=summary)
            self._figures = run.figures
            steps.say(run.figures.model_dump_json(exclude_defaults=True))
            if run.after is None:
                break
        else:
            workflow.continue_as_new(run)
        return run.figures


@workflow.defn
class ReapWorkflow(Upkeep):
    """Takes back what workflows left open that were terminated, timed out or failed in their undo."""

    @workflow.run
    async def run(self, run: UpkeepRun = UpkeepRun()) -> UpkeepFigures:  # noqa: B008 - frozen
        return await self._go_through("reap_batches_activity", run)


@workflow.defn
class SweepWorkflow(Upkeep):
    """Discards aborted versions from stores that could not be reached when they were aborted."""

    @workflow.run
    async def run(self, run: UpkeepRun = UpkeepRun()) -> UpkeepFigures:  # noqa: B008 - frozen
        return await self._go_through("sweep_leftovers_activity", run)


@workflow.defn
class CollectGarbageWorkflow(Upkeep):
    """Deletes superseded versions that no reader can see any more."""

    @workflow.run
    async def run(self, run: UpkeepRun = UpkeepRun()) -> UpkeepFigures:  # noqa: B008 - frozen
        return await self._go_through("collect_garbage_activity", run)


@workflow.defn
class ExpireStagingWorkflow(Upkeep):
    """Removes staged folders that were left behind by batches that ended long ago."""

    @workflow.run
    async def run(self, run: UpkeepRun = UpkeepRun()) -> UpkeepFigures:  # noqa: B008 - frozen
        return await self._go_through("expire_staging_activity", run)
