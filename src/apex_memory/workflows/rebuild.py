"""A lost store in, the same store filled again from PostgreSQL out, without a model call."""

from typing import Final

from temporalio import workflow

from apex_memory.domain.queues import Queue
from apex_memory.domain.reconciling import RebuildRun
from apex_memory.workflows.steps import TemporalSteps

#: Calls until the history begins anew: about six events each.
_CALLS_A_HISTORY: Final = 500


@workflow.defn
class RebuildWorkflow:
    """Writes all that should be in a store, then compares the two. Two of them at once do no harm."""

    def __init__(self) -> None:
        self._run = RebuildRun(store="")

    @workflow.query
    def progress(self) -> RebuildRun:
        """How far it is."""
        return self._run

    @workflow.run
    async def run(self, run: RebuildRun) -> RebuildRun:
        self._run = run
        if run.rebuild_id is None:
            begun = run.model_copy(update={"rebuild_id": workflow.uuid4()})
            self._run = await self._call("begin_rebuild_activity", begun)
        for _ in range(_CALLS_A_HISTORY):
            if self._run.done:
                break
            self._run = await self._call("rebuild_store_activity", self._run)
            workflow.set_current_details(f"{self._run.written} of {self._run.total} versions written")
        else:
            workflow.continue_as_new(self._run)
        return self._run

    async def _call(self, activity: str, run: RebuildRun) -> RebuildRun:
        summary = f"{run.store}, {run.tenant_id or 'all tenants'}"
        return await TemporalSteps().run(activity, Queue.MAINTAIN, run, RebuildRun, summary=summary)
