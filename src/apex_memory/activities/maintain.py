"""Versions to take back in, stores without a trace of them out."""

from collections.abc import Awaitable, Callable, Sequence

import structlog
from temporalio import activity

from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.messages import Aborted, Undoing
from apex_memory.ports import Ledger, Store

log = structlog.get_logger()


class MaintainActivities:
    """The activities of the maintain queue: undoing never waits behind writing."""

    def __init__(self, *, ledger: Ledger, stores: Sequence[Store]) -> None:
        self._ledger = ledger
        self._stores = stores

    @activity.defn
    async def abort_versions_activity(self, undoing: Undoing) -> Aborted:
        """Decide first, clean after: what is found committed has succeeded and is left alone."""
        aborted = await self._decided(undoing)
        log.info("versions.aborted", tenant_id=undoing.tenant_id, versions=len(aborted))
        return Aborted(versions=len(aborted), stores=tuple(store.name for store in self._stores))

    def discard_activities(self) -> list[Callable[[Undoing], Awaitable[int]]]:
        """One `discard_<store>_activity` a store."""
        return [self._discard_from(store) for store in self._stores]

    @activity.defn
    async def confirm_discarded_activity(self, undoing: Undoing) -> int:
        """Every store is clean of the batch's aborted versions: nothing is left to sweep."""
        aborted = await self._ledger.aborted(undoing.tenant_id, undoing.batch_id)
        await self._ledger.cleaned(undoing.tenant_id, aborted)
        return len(aborted)

    async def _decided(self, undoing: Undoing) -> Sequence[VersionRef]:
        if undoing.decided:
            # An attempt that comes late must not abort what a later round prepares.
            return await self._ledger.aborted(undoing.tenant_id, undoing.batch_id)
        return await self._ledger.abort(undoing.tenant_id, undoing.batch_id, reason=undoing.reason)

    def _discard_from(self, store: Store) -> Callable[[Undoing], Awaitable[int]]:
        @activity.defn(name=f"discard_{store.name}_activity")
        async def discard(undoing: Undoing) -> int:
            aborted = await self._ledger.aborted(undoing.tenant_id, undoing.batch_id)
            await store.discard(undoing.tenant_id, aborted)
            return len(aborted)

        return discard
