"""Staged bundles and vectors in, a committed batch out: one activity a store, so each waits for itself."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

import structlog
from temporalio import activity

from apex_memory.activities.content import BatchContent, ContentReader
from apex_memory.domain import ids
from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.domain.errors import ManifestMismatch, StoreUnavailable
from apex_memory.domain.ledger import AllocationRequest, CommitState, VersionManifests
from apex_memory.domain.messages import Allocated, Committed, WriteRound
from apex_memory.domain.staged import StagedBundle
from apex_memory.ports import Ledger, StagingArea, Store

log = structlog.get_logger()

#: Items a call to a store: a heartbeat and a cancel fit between two calls.
_SLICE: Final = 50


class WriteActivities:
    """The activities of the write queue. `stores` is in the order an operator reads them."""

    def __init__(
        self, *, ledger: Ledger, staging: StagingArea, stores: Sequence[Store], embedder_id: str
    ) -> None:
        self._ledger = ledger
        self._content = ContentReader(staging, embedder_id=embedder_id)
        self._stores = {store.name: store for store in stores}

    @activity.defn
    async def allocate_versions_activity(self, write: WriteRound) -> Allocated:
        """Give each bundle its version and note what every store must hold of it."""
        staged = write.staged
        content = await self._content.read(staged)
        wanted = [b for b in content.bundles if write.only is None or b.event_id in write.only]
        requests = [_request(staged.tenant_id, b, write.round) for b in wanted]
        allocations = await self._ledger.allocate(staged.tenant_id, staged.batch_id, requests)
        new = [a for a in allocations if not a.unchanged]
        writes = await self._writes(write, content)
        await self._ledger.expect(staged.tenant_id, [self._manifests(w) for w in writes])
        unchanged = len(allocations) - len(new)
        log.info("versions.allocated", tenant_id=staged.tenant_id, versions=len(new), unchanged=unchanged)
        return Allocated(versions=len(new), unchanged=unchanged, stores=tuple(self._stores))

    def prepare_activities(self) -> list[Callable[[WriteRound], Awaitable[int]]]:
        """One `prepare_<store>_activity` a store."""
        return [self._prepare_into(store) for store in self._stores.values()]

    @activity.defn
    async def commit_versions_activity(self, write: WriteRound) -> Committed:
        """Read every store back against its manifest, then commit the batch in one transaction."""
        staged = write.staged
        expected = await self._ledger.manifests(staged.tenant_id, staged.batch_id)
        await self._verify(write, expected)
        verified = frozenset(e.ref for e in expected)
        results = await self._ledger.commit(staged.tenant_id, staged.batch_id, verified=verified)
        # The batch's earlier rounds are decided, and were counted.
        own = [r for r in results if r.request_id.endswith(_suffix(write.round))]
        seqs = [r.commit_seq for r in own if r.commit_seq is not None]
        committed = Committed(
            seq=max(seqs, default=None),
            committed=len(seqs),
            superseded=sum(r.state is CommitState.SUPERSEDED for r in own),
            overtaken=tuple(_event_id(r.request_id) for r in own if r.state is CommitState.OVERTAKEN),
        )
        log.info(
            "versions.committed", tenant_id=staged.tenant_id, **committed.model_dump(exclude={"overtaken"})
        )
        return committed

    def _prepare_into(self, store: Store) -> Callable[[WriteRound], Awaitable[int]]:
        ensured = False

        @activity.defn(name=f"prepare_{store.name}_activity")
        async def prepare(write: WriteRound) -> int:
            nonlocal ensured
            # Here and not at start: a worker must come up while a store is down.
            if not ensured:
                await store.ensure()
                ensured = True
            writes = await self._writes(write, await self._content.read(write.staged))
            try:
                for start in range(0, len(writes), _SLICE):
                    await store.prepare(writes[start : start + _SLICE])
            except StoreUnavailable:
                ensured = False  # it may have been wiped: the next attempt makes sure again
                raise
            return len(writes)

        return prepare

    async def _verify(self, write: WriteRound, expected: Sequence[VersionManifests]) -> None:
        """Raises ManifestMismatch: a store that was written anew still holds other things."""
        tenant_id, refs = write.staged.tenant_id, [e.ref for e in expected]
        stores = self._stores.values()
        held = await asyncio.gather(*(store.read_back(tenant_id, refs) for store in stores))
        for store, found in zip(stores, held, strict=True):
            if wrong := _differing(store, expected, found):
                await self._write_anew(write, store, wrong)

    async def _write_anew(
        self, write: WriteRound, store: Store, versions: Sequence[VersionManifests]
    ) -> None:
        """A store that lost what it acknowledged will not find it again, and nobody else would write it."""
        tenant_id, refs = write.staged.tenant_id, [v.ref for v in versions]
        writes = await self._writes(write, await self._content.read(write.staged))
        await store.ensure()
        lost = set(refs)
        await store.prepare([w for w in writes if w.ref in lost])
        log.warning("versions.written_anew", tenant_id=tenant_id, store=store.name, versions=len(refs))
        found = await store.read_back(tenant_id, refs)
        for version in _differing(store, versions, found):
            raise _mismatch(store.name, version, found)

    async def _writes(self, write: WriteRound, content: BatchContent) -> list[VersionedBundle]:
        """The batch's bundles under the versions that are being prepared, each with its vectors."""
        versions = await self._ledger.preparing(write.staged.tenant_id, write.staged.batch_id)
        suffix = _suffix(write.round)
        own = {_event_id(id_): ref for id_, ref in versions.items() if id_.endswith(suffix)}
        return content.under(own)

    def _manifests(self, write: VersionedBundle) -> VersionManifests:
        parts = {store.name: Manifest.of(store.parts(write)) for store in self._stores.values()}
        return VersionManifests(ref=write.ref, manifests=parts)


def _request(tenant_id: str, staged: StagedBundle, round_: int) -> AllocationRequest:
    bundle = staged.bundle
    return AllocationRequest(
        request_id=_request_id(staged.event_id, round_),
        event_id=staged.event_id,
        item_id=ids.item_id(tenant_id, bundle.source, bundle.external_id),
        source=bundle.source,
        external_id=bundle.external_id,
        kind=bundle.kind,
        title=bundle.title,
        content_hash=bundle.content_hash(),
        as_of=bundle.as_of,
        parent=bundle.parent,
    )


def _request_id(event_id: UUID, round_: int) -> str:
    return f"{event_id}{_suffix(round_)}"


def _event_id(request_id: str) -> UUID:
    return UUID(request_id.partition(":")[0])


def _suffix(round_: int) -> str:
    return f":{round_}"


def _differing(
    store: Store, versions: Sequence[VersionManifests], found: Mapping[VersionRef, Manifest]
) -> Sequence[VersionManifests]:
    return [v for v in versions if found[v.ref] != v.manifests[store.name]]


def _mismatch(
    store: str, version: VersionManifests, found: Mapping[VersionRef, Manifest]
) -> ManifestMismatch:
    return ManifestMismatch(
        store,
        str(version.ref.item_id),
        version.ref.version,
        expected=version.manifests[store].count,
        found=found[version.ref].count,
    )
