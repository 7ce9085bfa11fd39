"""A run of the upkeep in, what the comparison of all stores with the ledger came to out."""

from temporalio import workflow

from apex_memory.domain.upkeep import UpkeepFigures, UpkeepRun
from apex_memory.workflows.upkeep import Upkeep


@workflow.defn
class ReconcileWorkflow(Upkeep):
    """Compares what each store holds with what it should, puts the difference right, publishes figures."""

    @workflow.run
    async def run(self, run: UpkeepRun = UpkeepRun()) -> UpkeepFigures:  # noqa: B008 - frozen
        return await self._go_through("reconcile_stores_activity", run)
