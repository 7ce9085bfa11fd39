"""What failed, ended or was replaced behind the workflows in, stores without a trace of it out."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Final, TypeVar
from uuid import UUID

import structlog
from temporalio import activity

from apex_memory.activities.turns import Turn, tenants_of
from apex_memory.domain import ids
from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.upkeep import Leftover, OpenBatch, UpkeepFigures, UpkeepRun, WorkflowState
from apex_memory.ports import Inbox, Leases, Ledger, StagingArea, Store, Upkeep, Workflows

#: Batches or folders a call; what is done again if a worker dies in the middle.
_PAGE: Final = 50
#: Versions a call to a store.
_VERSIONS: Final = 200
#: A call ends after about this long (seconds), though there is more: it stays far below its time-out.
_TURN_S: Final = 60.0
#: Longer than one piece of work takes. A worker that dies holds it so long, and the next run sees to it.
_LEASE_S: Final = 60.0

Entry = TypeVar("Entry", OpenBatch, Leftover)

log = structlog.get_logger()


@dataclass(frozen=True)
class UpkeepAges:
    """How old something is before it is taken away (seconds)."""

    reap_s: float
    sweep_s: float
    grace_s: float
    staging_s: float


class UpkeepActivities:
    """The activities of the scheduled workflows; each call does one bounded part of a run, and is repeatable.

    A run goes through everything once. What fails is logged, counted and left to the next run.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        upkeep: Upkeep,
        inbox: Inbox,
        stores: Sequence[Store],
        staging: StagingArea,
        workflows: Workflows,
        leases: Leases,
        ages: UpkeepAges,
    ) -> None:
        self._ledger = ledger
        self._upkeep = upkeep
        self._inbox = inbox
        self._stores = stores
        self._staging = staging
        self._workflows = workflows
        self._leases = leases
        self._ages = ages

    @activity.defn
    async def reap_batches_activity(self, run: UpkeepRun) -> UpkeepRun:
        """Take back the batches whose workflow is over and did not close them."""
        limit = _passed(run) + _PAGE
        found = await self._upkeep.open_batches(older_than_s=self._ages.reap_s, limit=limit)
        return await self._in_order(run, found, self._reap)

    @activity.defn
    async def sweep_leftovers_activity(self, run: UpkeepRun) -> UpkeepRun:
        """Discard aborted versions whose own workflow has not."""
        limit = _passed(run) + _PAGE
        found = await self._upkeep.leftovers(older_than_s=self._ages.sweep_s, limit=limit)
        return await self._in_order(run, found, self._sweep)

    @activity.defn
    async def collect_garbage_activity(self, run: UpkeepRun) -> UpkeepRun:
        """Delete versions that were superseded so long ago that no reader can see them any more."""
        # One page a tenant, then the next tenant: nobody's garbage waits until another's is gone.
        again, start = (run.after or "-")[0] == "+", (run.after or "-")[1:]
        tenants = await tenants_of(self._upkeep, run.tenant_id)
        figures, turn = run.figures, Turn(_TURN_S)
        for tenant_id in (tenant for tenant in tenants if tenant >= start):
            if turn.over():
                return _on(run, figures, f"{'+' if again else '-'}{tenant_id}")
            did = await self._attempt("collect", tenant_id, "", lambda t=tenant_id: self._collect(t))
            figures += did
            again = again or did.versions == _VERSIONS
        return _on(run, figures, "-" if again else None)

    @activity.defn
    async def expire_staging_activity(self, run: UpkeepRun) -> UpkeepRun:
        """Remove staged folders that nobody has asked for since their batch ended."""
        found = await self._staging.folders(older_than_s=self._ages.staging_s, after=run.after, limit=_PAGE)
        figures = run.figures
        for tenant_id, own in groupby(found, key=lambda folder: folder.partition("/")[0]):
            if run.tenant_id in {None, tenant_id}:
                folders = tuple(own)
                figures += await self._attempt(
                    "expire", tenant_id, "", lambda t=tenant_id, f=folders: self._expire(t, f)
                )
        return _on(run, figures, found[-1] if len(found) == _PAGE else None)

    async def _in_order(
        self, run: UpkeepRun, found: Sequence[Entry], work: Callable[[Entry], Awaitable[UpkeepFigures]]
    ) -> UpkeepRun:
        """The oldest first. What is done leaves the list; what is not, is passed by from now on."""
        passed, figures, turn = _passed(run), run.figures, Turn(_TURN_S)
        for entry in found[passed:]:
            if turn.over():
                return _on(run, figures, str(passed))
            did = UpkeepFigures()
            if run.tenant_id in {None, entry.tenant_id}:
                did = await self._attempt(
                    "batch", entry.tenant_id, str(entry.batch_id), lambda e=entry: work(e)
                )
            figures += did
            passed += not did.batches
        return _on(run, figures, str(passed) if len(found) == _passed(run) + _PAGE else None)

    async def _attempt(
        self, what: str, tenant_id: str, name: str, work: Callable[[], Awaitable[UpkeepFigures]]
    ) -> UpkeepFigures:
        try:
            async with self._leases.hold(tenant_id, f"upkeep:{what}:{name}", ttl_s=_LEASE_S) as ours:
                return await work() if ours else UpkeepFigures(left_alone=1)
        except Exception as exc:
            # Whatever it is: one tenant's trouble must not stop the work for the others.
            log.exception("upkeep.failed", what=what, tenant_id=tenant_id, of=name, error=type(exc).__name__)
            return UpkeepFigures(failed=1)

    async def _reap(self, batch: OpenBatch) -> UpkeepFigures:
        tenant_id, batch_id = batch.tenant_id, batch.batch_id
        own_id = ids.ingestion_workflow_id(tenant_id, batch.source, batch.label, batch_id)
        state = await self._workflows.state(batch.workflow_id or own_id)
        if state is WorkflowState.UNKNOWN and batch.workflow_id:
            # Temporal lost its state, or forgot a workflow that ended long ago. Either way, to start it again
            # loses nothing and repeats nothing: its requests get the versions that they had.
            await self._inbox.release(tenant_id, batch_id)
            log.warning("batch.released", tenant_id=tenant_id, batch_id=str(batch_id))
            return UpkeepFigures(released=1)
        # What was never started is the relay's to start.
        if state in {WorkflowState.RUNNING, WorkflowState.UNKNOWN}:
            return UpkeepFigures(left_alone=1)
        reason = f"its workflow {state}"
        aborted = await self._ledger.abort(tenant_id, batch_id, reason=reason)
        # Before it is clean: a store that is down must not keep the lane full. The sweeper has the rest.
        await self._inbox.close(tenant_id, batch_id, reason=reason)
        log.info(
            "batch.reaped", tenant_id=tenant_id, batch_id=str(batch_id), versions=len(aborted), reason=reason
        )
        _count("apex_upkeep_reaped_batches", 1)
        try:
            await self._clean(tenant_id, aborted)
        except Exception as exc:
            log.exception("upkeep.failed", what="batch", tenant_id=tenant_id, error=type(exc).__name__)
            return UpkeepFigures(batches=1, failed=1)
        return UpkeepFigures(batches=1, versions=len(aborted))

    async def _sweep(self, leftover: Leftover) -> UpkeepFigures:
        tenant_id, batch_id = leftover.tenant_id, leftover.batch_id
        aborted = await self._ledger.aborted(tenant_id, batch_id)
        await self._clean(tenant_id, aborted)
        log.info("batch.swept", tenant_id=tenant_id, batch_id=str(batch_id), versions=len(aborted))
        _count("apex_upkeep_swept_versions", len(aborted))
        return UpkeepFigures(batches=1, versions=len(aborted))

    async def _collect(self, tenant_id: str) -> UpkeepFigures:
        superseded = await self._upkeep.superseded(
            tenant_id, older_than_s=self._ages.grace_s, limit=_VERSIONS
        )
        if superseded:
            # Exactly these: "all but the current one" would take what is being prepared as well.
            await self._discard(tenant_id, superseded)
            await self._upkeep.collected(tenant_id, superseded)
            log.info("versions.collected", tenant_id=tenant_id, versions=len(superseded))
            _count("apex_upkeep_collected_versions", len(superseded))
        return UpkeepFigures(versions=len(superseded))

    async def _expire(self, tenant_id: str, folders: Sequence[str]) -> UpkeepFigures:
        named = dict(_named_by(folders))
        over = await self._upkeep.over(tenant_id, tuple(named), older_than_s=self._ages.staging_s)
        for data_id in over:
            await self._staging.remove(named[data_id])
        if over:
            log.info("staging.expired", tenant_id=tenant_id, folders=len(over))
            _count("apex_upkeep_expired_folders", len(over))
        return UpkeepFigures(folders=len(over), left_alone=len(folders) - len(over))

    async def _clean(self, tenant_id: str, aborted: Sequence[VersionRef]) -> None:
        for start in range(0, len(aborted), _VERSIONS):
            some = aborted[start : start + _VERSIONS]
            await self._discard(tenant_id, some)
            await self._ledger.cleaned(tenant_id, some)

    async def _discard(self, tenant_id: str, versions: Sequence[VersionRef]) -> None:
        """From every store, also if one fails. Raises what the first of them raised."""
        ended = await asyncio.gather(
            *(store.discard(tenant_id, versions) for store in self._stores), return_exceptions=True
        )
        for error in ended:
            if error is not None:
                raise error


def _passed(run: UpkeepRun) -> int:
    """How many of the oldest entries this run has looked at and could not finish."""
    return int(run.after or 0)


def _on(run: UpkeepRun, figures: UpkeepFigures, after: str | None) -> UpkeepRun:
    return UpkeepRun(tenant_id=run.tenant_id, after=after, figures=figures)


def _named_by(folders: Sequence[str]) -> Iterator[tuple[UUID, str]]:
    for folder in folders:
        # What is not named by an id of ours is not ours to remove.
        with suppress(ValueError):
            yield UUID(folder.rpartition("/")[2]), folder


def _count(name: str, number: int) -> None:
    """A counter of the SDK's own meter; outside of Temporal nobody reads it."""
    if activity.in_activity():
        activity.metric_meter().create_counter(name).add(number)
