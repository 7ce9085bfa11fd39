"""In-memory ports and a network in, the same ports as a worker reaches them out."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from tests.simulation.weather import Network

from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.domain.errors import EmbedderMismatch
from apex_memory.domain.ledger import Allocation, AllocationRequest, Burial, CommitResult, VersionManifests
from apex_memory.domain.upkeep import Leftover, OpenBatch, Reconciliation, Standing, VersionPage
from apex_memory.failpoints import half_of_each
from apex_memory.testing import MemoryLedger, MemoryStore

#: The database that holds the ledger and the canonical content: one server.
POSTGRES = "postgres"
#: A bundle under this title is refused for good by `REFUSING`, after it was written there.
POISON = "poison"
REFUSING = "neo4j"


class DistantStore:
    """A `Store` across the network. Assumed of `read_back`: it says what is held at one moment of the call.

    A write that breaks off has written some of what it should, and has taken away nothing of what was whole:
    PostgreSQL and Neo4j write in transactions, and Qdrant deletes only what the write itself does not keep.
    """

    def __init__(self, store: MemoryStore, network: Network) -> None:
        self.name = store.name
        self._store = store
        self._network = network

    async def ensure(self) -> None:
        await self._network.read(self.name, self._store.ensure)

    def parts(self, write: VersionedBundle) -> Sequence[UUID]:
        return self._store.parts(write)

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        await self._network.write(
            self.name, lambda: self._store.prepare(writes), half=lambda: self._prepare_half(writes)
        )
        if self.name == REFUSING and any(write.bundle.title == POISON for write in writes):
            raise EmbedderMismatch(stored="another", configured="this")

    async def read_back(self, tenant_id: str, refs: Sequence[VersionRef]) -> Mapping[VersionRef, Manifest]:
        return await self._network.read(self.name, lambda: self._store.read_back(tenant_id, refs))

    async def discard(self, tenant_id: str, refs: Sequence[VersionRef]) -> None:
        await self._network.write(
            self.name,
            lambda: self._store.discard(tenant_id, refs),
            half=lambda: self._store.discard(tenant_id, refs[: len(refs) // 2]),
        )

    async def versions(self, tenant_id: str, *, after: str | None, limit: int) -> VersionPage:
        return await self._network.read(
            self.name, lambda: self._store.versions(tenant_id, after=after, limit=limit)
        )

    async def versions_of(self, tenant_id: str, items: Sequence[UUID]) -> Sequence[VersionRef]:
        return await self._network.read(self.name, lambda: self._store.versions_of(tenant_id, items))

    async def ping(self) -> None:
        await self._network.read(self.name, self._store.ping)

    async def altered(self, writes: Sequence[VersionedBundle]) -> Sequence[VersionRef]:
        held = {(w.tenant_id, w.ref): w for t in {w.tenant_id for w in writes} for w in self._store.held(t)}
        return [w.ref for w in writes if held.get((w.tenant_id, w.ref), w).bundle != w.bundle]

    async def _prepare_half(self, writes: Sequence[VersionedBundle]) -> None:
        torn = half_of_each(writes)
        held = {(w.tenant_id, w.ref): w for t in {w.tenant_id for w in torn} for w in self._store.held(t)}
        await self._store.prepare([w for w in torn if (w.tenant_id, w.ref) not in held])


class DistantLedger:
    """`Ledger` and `Upkeep` across the network. A call is a transaction: all of it happens, or nothing."""

    def __init__(
        self, ledger: MemoryLedger, network: Network, *, acknowledged: dict[VersionRef, int]
    ) -> None:
        self._ledger = ledger
        self._network = network
        self._acknowledged = acknowledged

    async def allocate(
        self, tenant_id: str, batch_id: UUID, requests: Sequence[AllocationRequest]
    ) -> Sequence[Allocation]:
        return await self._network.write(
            POSTGRES, lambda: self._ledger.allocate(tenant_id, batch_id, requests)
        )

    async def expect(self, tenant_id: str, expected: Sequence[VersionManifests]) -> None:
        await self._network.write(POSTGRES, lambda: self._ledger.expect(tenant_id, expected))

    async def preparing(self, tenant_id: str, batch_id: UUID) -> Mapping[str, VersionRef]:
        return await self._network.read(POSTGRES, lambda: self._ledger.preparing(tenant_id, batch_id))

    async def manifests(self, tenant_id: str, batch_id: UUID) -> Sequence[VersionManifests]:
        return await self._network.read(POSTGRES, lambda: self._ledger.manifests(tenant_id, batch_id))

    async def commit(
        self, tenant_id: str, batch_id: UUID, *, verified: Collection[VersionRef]
    ) -> Sequence[CommitResult]:
        results = await self._network.write(
            POSTGRES, lambda: self._ledger.commit(tenant_id, batch_id, verified=verified)
        )
        self._acknowledged.update({r.ref: r.commit_seq for r in results if r.commit_seq is not None})
        return results

    async def abort(self, tenant_id: str, batch_id: UUID, *, reason: str) -> Sequence[VersionRef]:
        return await self._network.write(
            POSTGRES, lambda: self._ledger.abort(tenant_id, batch_id, reason=reason)
        )

    async def aborted(self, tenant_id: str, batch_id: UUID) -> Sequence[VersionRef]:
        return await self._network.read(POSTGRES, lambda: self._ledger.aborted(tenant_id, batch_id))

    async def cleaned(self, tenant_id: str, versions: Sequence[VersionRef]) -> None:
        await self._network.write(POSTGRES, lambda: self._ledger.cleaned(tenant_id, versions))

    async def bury(self, tenant_id: str, item_id: UUID, *, request_id: UUID) -> Burial:
        burial = await self._network.write(
            POSTGRES, lambda: self._ledger.bury(tenant_id, item_id, request_id=request_id)
        )
        self._acknowledged.update(dict.fromkeys(burial.tombstones, burial.seq))
        return burial

    async def snapshot(self, tenant_id: str) -> int:
        return await self._network.read(POSTGRES, lambda: self._ledger.snapshot(tenant_id))

    async def tenants(self) -> Sequence[str]:
        return await self._network.read(POSTGRES, self._ledger.tenants)

    async def open_batches(self, *, older_than_s: float, limit: int) -> Sequence[OpenBatch]:
        return await self._network.read(
            POSTGRES, lambda: self._ledger.open_batches(older_than_s=older_than_s, limit=limit)
        )

    async def leftovers(self, *, older_than_s: float, limit: int) -> Sequence[Leftover]:
        return await self._network.read(
            POSTGRES, lambda: self._ledger.leftovers(older_than_s=older_than_s, limit=limit)
        )

    async def superseded(self, tenant_id: str, *, older_than_s: float, limit: int) -> Sequence[VersionRef]:
        return await self._network.read(
            POSTGRES, lambda: self._ledger.superseded(tenant_id, older_than_s=older_than_s, limit=limit)
        )

    async def collected(self, tenant_id: str, versions: Sequence[VersionRef]) -> None:
        await self._network.write(POSTGRES, lambda: self._ledger.collected(tenant_id, versions))

    async def live(
        self, tenant_id: str, *, after: VersionRef | None, limit: int
    ) -> Sequence[VersionManifests]:
        return await self._network.read(
            POSTGRES, lambda: self._ledger.live(tenant_id, after=after, limit=limit)
        )

    async def standing(
        self, tenant_id: str, versions: Sequence[VersionRef], *, window_s: float
    ) -> Mapping[VersionRef, Standing]:
        return await self._network.read(
            POSTGRES, lambda: self._ledger.standing(tenant_id, versions, window_s=window_s)
        )

    async def over(
        self, tenant_id: str, data_ids: Sequence[UUID], *, older_than_s: float
    ) -> Collection[UUID]:
        return await self._network.read(
            POSTGRES, lambda: self._ledger.over(tenant_id, data_ids, older_than_s=older_than_s)
        )

    async def publish(self, figures: Reconciliation) -> None:
        await self._network.write(POSTGRES, lambda: self._ledger.publish(figures))

    async def published(self, tenant_id: str | None = None) -> Sequence[Reconciliation]:
        return await self._network.read(POSTGRES, lambda: self._ledger.published(tenant_id))


class DistantInbox:
    """The part of `Inbox` that closes batches, across the network; the rest is never called here."""

    def __init__(self, ledger: MemoryLedger, network: Network) -> None:
        self._ledger = ledger
        self._network = network

    async def close(self, tenant_id: str, batch_id: UUID, *, reason: str | None = None) -> None:
        async def close() -> None:
            self._ledger.close(tenant_id, batch_id, reason=reason)

        await self._network.write(POSTGRES, close)

    async def release(self, tenant_id: str, batch_id: UUID) -> None:
        raise NotImplementedError  # Temporal itself loses nothing here
