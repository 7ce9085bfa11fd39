"""An item under a tombstone in, nothing left of it in any place out, counted."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Final
from uuid import UUID

import structlog
from temporalio import activity

from apex_memory.domain import cached
from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.errors import StagedObjectMissing
from apex_memory.domain.forgetting import (
    Census,
    Condemnation,
    Condemned,
    CountWanted,
    Delivery,
    ForgetItem,
)
from apex_memory.domain.staged import BUNDLES, FAILED, ORIGINAL, RECORDS, UPLOAD, UPLOADED, VECTORS
from apex_memory.ports import Cache, Forgettings, StagingArea, Store

#: Versions a call to a store: each takes a lock in PostgreSQL.
_SLICE: Final = 200
_STAGED: Final = (RECORDS, ORIGINAL, UPLOAD, BUNDLES, VECTORS, FAILED, UPLOADED)

log = structlog.get_logger()


class ForgetActivities:
    """The activities of a ForgetWorkflow; each may be repeated at any time."""

    def __init__(
        self, *, forgettings: Forgettings, stores: Sequence[Store], staging: StagingArea, cache: Cache
    ) -> None:
        self._forgettings = forgettings
        self._stores = stores
        self._staging = staging
        self._cache = cache

    @activity.defn
    async def condemn_versions_activity(self, forget: ForgetItem) -> Condemnation:
        """How much there is to erase, and from where."""
        condemned = await self._forgettings.condemned(forget.tenant_id, forget.forget_id)
        log.info("item.condemned", **_named(forget), versions=len(condemned.known))
        return Condemnation(versions=len(condemned.known), stores=tuple(store.name for store in self._stores))

    def erase_activities(self) -> list[Callable[[ForgetItem], Awaitable[int]]]:
        """One `erase_<store>_activity` a store."""
        return [self._erase_from(store) for store in self._stores]

    @activity.defn
    async def erase_traces_activity(self, forget: ForgetItem) -> None:
        """Whatever else holds the text: ledger, inbox, outbox, staging area, and last the cache.

        Raises:
            BatchStillOpen: what a batch works at cannot be taken from under it, and it may still write.
        """
        tenant_id, forget_id = forget.tenant_id, forget.forget_id
        # The files first: where they lie is written in what is erased after them.
        for folder in _folders(tenant_id, await self._forgettings.deliveries(tenant_id, forget_id)):
            await self._staging.remove(folder)
        await self._forgettings.erase(tenant_id, forget_id)
        await self._cache.forget(tenant_id)

    @activity.defn
    async def count_traces_activity(self, wanted: CountWanted) -> Census:
        """Look into every place. A clean count is kept; the last one completes the receipt."""
        forget = wanted.forget
        tenant_id, forget_id = forget.tenant_id, forget.forget_id
        condemned = await self._forgettings.condemned(tenant_id, forget_id)
        if wanted.last:
            # An answer of before may have been put there by a reader that was under way.
            await self._cache.forget(tenant_id)
        held = {store.name: len(await _held(store, tenant_id, condemned)) for store in self._stores}
        held |= await self._forgettings.left(tenant_id, forget_id)
        held["staging"] = await self._staged(tenant_id, forget_id)
        held[self._cache.name] = await self._cached(forget, condemned)
        census = Census(counted_at=datetime.now(UTC), held=held)
        if census.clean:
            await self._forgettings.erased(tenant_id, condemned.known)
            await self._forgettings.counted(tenant_id, forget_id, census, last=wanted.last)
        log.info("item.counted", **_named(forget), last=wanted.last, held=sum(held.values()))
        return census

    def _erase_from(self, store: Store) -> Callable[[ForgetItem], Awaitable[int]]:
        @activity.defn(name=f"erase_{store.name}_activity")
        async def erase(forget: ForgetItem) -> int:
            condemned = await self._forgettings.condemned(forget.tenant_id, forget.forget_id)
            # What the store holds and the ledger does not know of is of a ledger that was set back.
            held = await _held(store, forget.tenant_id, condemned)
            refs = iter(dict.fromkeys((*held, *condemned.known)))
            while some := list(islice(refs, _SLICE)):
                await store.discard(forget.tenant_id, some)
            return len(held)

        return erase

    async def _staged(self, tenant_id: str, forget_id: UUID) -> int:
        found = 0
        for folder in _folders(tenant_id, await self._forgettings.deliveries(tenant_id, forget_id)):
            for name in _STAGED:
                with suppress(StagedObjectMissing):
                    await self._staging.read(f"{folder}/{name}")
                    found += 1
        return found

    async def _cached(self, forget: ForgetItem, condemned: Condemned) -> int:
        """Cards of condemned versions, and answers from before the item was buried."""
        keys = await self._cache.keys(forget.tenant_id)
        cards = [ref for ref in map(cached.card_of, keys) if ref]
        answers = [seq for seq in map(cached.answered_at, keys) if seq is not None and seq < forget.seq]
        return len(condemned.among(cards)) + len(answers)


async def _held(store: Store, tenant_id: str, condemned: Condemned) -> Sequence[VersionRef]:
    return condemned.among(await store.versions_of(tenant_id, condemned.items))


def _folders(tenant_id: str, deliveries: Sequence[Delivery]) -> Sequence[str]:
    """Where an event's content may be staged: as it was uploaded, and in its batch's folder."""
    folders: dict[str, None] = {}
    for delivery in deliveries:
        own = [str(delivery.event_id), *([str(delivery.batch_id)] if delivery.batch_id else [])]
        folders.update(dict.fromkeys(f"{tenant_id}/{delivery.source}/{name}" for name in own))
        if delivery.staged:
            folders[delivery.staged.rpartition("/")[0]] = None
    return list(folders)


def _named(forget: ForgetItem) -> dict[str, str]:
    return {
        "tenant_id": forget.tenant_id,
        "item_id": str(forget.item_id),
        "forget_id": str(forget.forget_id),
    }
