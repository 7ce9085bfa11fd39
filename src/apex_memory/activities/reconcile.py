"""Every tenant's stores in, what differs from the ledger put right and published as figures out."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid4, uuid5

import structlog
from temporalio import activity

from apex_memory.activities.comparing import Comparing
from apex_memory.activities.turns import Turn, tenants_of
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.reconciling import Comparison, Stretch
from apex_memory.domain.upkeep import UpkeepFigures, UpkeepRun
from apex_memory.ports import Upkeep

#: A call ends after about this long (seconds), though there is more: it stays far below its time-out.
TURN_S: Final = 30.0

log = structlog.get_logger()


class ReconcileActivities:
    """The activity of a ReconcileWorkflow. A projection that does not answer is left to the next run."""

    def __init__(
        self, *, comparing: Comparing, upkeep: Upkeep, stores: Sequence[str], turn_s: float = TURN_S
    ) -> None:
        self._comparing = comparing
        self._upkeep = upkeep
        self._stores = stores
        self._turn_s = turn_s

    @activity.defn
    async def reconcile_stores_activity(self, run: UpkeepRun) -> UpkeepRun:
        """Store after store, in each tenant after tenant, for a turn; `after` says where the next begins."""
        tenants = await tenants_of(self._upkeep, run.tenant_id)
        places = [(store, tenant_id) for store in self._stores for tenant_id in tenants]
        at = Comparison.model_validate_json(run.after) if run.after else await self._begin(places)
        figures, turn = run.figures, Turn(self._turn_s)
        while at:
            at, did = await self._step(at, places)
            figures += did
            if turn.over():
                break
        return run.model_copy(update={"figures": figures, "after": at.model_dump_json() if at else None})

    async def _step(
        self, at: Comparison, places: Sequence[tuple[str, str]]
    ) -> tuple[Comparison | None, UpkeepFigures]:
        try:
            at = await self._comparing.step(at)
        except StoreUnavailable as exc:
            # Without the ledger nothing can be said of any store: for that one, Temporal waits.
            if exc.store != at.store or not self._comparing.is_projection(at.store):
                raise
            log.warning(
                "upkeep.failed", what="reconcile", tenant_id=at.tenant_id, store=at.store, reason=str(exc)
            )
            others = [
                place for place in places if self._behind(place) > self._behind((at.store, places[-1][1]))
            ]
            return await self._begin(others), UpkeepFigures(failed=1)
        if at.stretch is not Stretch.DONE:
            return at, UpkeepFigures()
        left = [place for place in places if self._behind(place) > self._behind((at.store, at.tenant_id))]
        found, mended = at.differences.found, at.differences.mended
        return await self._begin(left), UpkeepFigures(versions=mended, failed=found - mended)

    def _behind(self, place: tuple[str, str]) -> tuple[int, str]:
        store, tenant_id = place
        return self._stores.index(store), tenant_id

    async def _begin(self, places: Sequence[tuple[str, str]]) -> Comparison | None:
        if not places:
            return None
        store, tenant_id = places[0]
        comparison_id = uuid5(_run_id(), f"{store} {tenant_id}")
        return await self._comparing.begin(tenant_id, store, comparison_id=comparison_id)


def _run_id() -> UUID:
    """The same in each attempt of a call: what an attempt that died has opened, the next one closes."""
    return UUID(activity.info().workflow_run_id) if activity.in_activity() else uuid4()
