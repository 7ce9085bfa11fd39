"""A lost store in, the same store filled again from PostgreSQL and compared with the ledger out."""

from typing import Final
from uuid import uuid5

import structlog
from temporalio import activity

from apex_memory.activities.comparing import Comparing
from apex_memory.activities.turns import Turn, tenants_of
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.reconciling import RebuildRun, Stretch
from apex_memory.ports import Rebuilds, Upkeep

#: A call ends after about this long (seconds): so much is done again if its worker dies, and so often the
#: progress moves on.
TURN_S: Final = 3.0

log = structlog.get_logger()


class RebuildActivities:
    """The activities of a RebuildWorkflow; each may be repeated, by any number of rebuilds at once."""

    def __init__(
        self, *, comparing: Comparing, upkeep: Upkeep, rebuilds: Rebuilds, turn_s: float = TURN_S
    ) -> None:
        self._comparing = comparing
        self._upkeep = upkeep
        self._rebuilds = rebuilds
        self._turn_s = turn_s

    @activity.defn
    async def begin_rebuild_activity(self, run: RebuildRun) -> RebuildRun:
        """Tell the readers of every tenant, and count what there is to write.

        Raises:
            ItemNotFound: no store of this name can be rebuilt.
        """
        if run.rebuild_id is None or not self._comparing.is_projection(run.store):
            raise ItemNotFound("store to rebuild", run.store)
        tenants = await tenants_of(self._upkeep, run.tenant_id)
        total = await self._rebuilds.begin(run.store, tenants, rebuild_id=run.rebuild_id)
        log.info(
            "rebuild.begun", store=run.store, tenant_id=run.tenant_id, tenants=len(tenants), versions=total
        )
        return run.model_copy(update={"total": total})

    @activity.defn
    async def rebuild_store_activity(self, run: RebuildRun) -> RebuildRun:
        """Write all live versions of one tenant, compare, go on to the next one, for a turn."""
        turn = Turn(self._turn_s)
        # Each turn: it may be lost again in the middle.
        await self._comparing.ensure(run.store)
        while not run.done:
            run = await self._step(run)
            if turn.over():
                break
        return run

    async def _step(self, run: RebuildRun) -> RebuildRun:
        if run.comparison:
            return await self._compare(run)
        if run.at and run.after:
            return await self._write(run, run.at)
        tenants = await tenants_of(self._upkeep, run.tenant_id)
        following = [tenant for tenant in tenants if tenant > (run.at or "")]
        if following:
            return await self._write(run, following[0])
        log.info("rebuild.done", store=run.store, tenant_id=run.tenant_id, versions=run.written)
        return run.model_copy(update={"done": True})

    async def _write(self, run: RebuildRun, tenant_id: str) -> RebuildRun:
        refs, after = await self._comparing.write_live(tenant_id, run.store, after=run.after)
        written = {"at": tenant_id, "after": after, "written": run.written + len(refs)}
        if after:
            return run.model_copy(update=written)
        assert run.rebuild_id  # noqa: S101 - a rebuild has begun with one
        comparison = await self._comparing.begin(
            tenant_id, run.store, comparison_id=uuid5(run.rebuild_id, tenant_id)
        )
        return run.model_copy(update={**written, "comparison": comparison})

    async def _compare(self, run: RebuildRun) -> RebuildRun:
        assert run.comparison  # noqa: S101 - the caller looked
        comparison = await self._comparing.step(run.comparison)
        if comparison.stretch is not Stretch.DONE:
            return run.model_copy(update={"comparison": comparison})
        differences = run.differences + comparison.differences
        return run.model_copy(update={"comparison": None, "differences": differences})
