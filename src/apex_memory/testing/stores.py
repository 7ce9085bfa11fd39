"""Bundles in, a dictionary of them by (tenant, item, version) kept: a Store without a service."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef


class MemoryStore:
    """Keeps the contract of `ports.Store`; by default every part of a bundle counts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._held: dict[tuple[str, VersionRef], VersionedBundle] = {}

    async def ensure(self) -> None:
        return

    def parts(self, write: VersionedBundle) -> Sequence[UUID]:
        return (*write.chunk_ids, *write.claim_ids, *write.mention_ids, *write.sample_ids)

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        for write in writes:
            self._held[write.tenant_id, write.ref] = write

    async def read_back(self, tenant_id: str, refs: Sequence[VersionRef]) -> Mapping[VersionRef, Manifest]:
        return {ref: Manifest.of(self._parts_held(tenant_id, ref)) for ref in refs}

    async def discard(self, tenant_id: str, refs: Sequence[VersionRef]) -> None:
        for ref in refs:
            self._held.pop((tenant_id, ref), None)

    async def ping(self) -> None:
        return

    def held(self, tenant_id: str) -> Sequence[VersionedBundle]:
        """Everything kept for a tenant, as a test wants to look at it."""
        return [write for (tenant, _), write in self._held.items() if tenant == tenant_id]

    def _parts_held(self, tenant_id: str, ref: VersionRef) -> Sequence[UUID]:
        write = self._held.get((tenant_id, ref))
        return self.parts(write) if write else ()
