"""Bundles in, a dictionary of them by (tenant, item, version) kept: a Store without a service."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.domain.upkeep import VersionPage, cursor_at, position_after


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

    async def versions(self, tenant_id: str, *, after: str | None, limit: int) -> VersionPage:
        start = _order(position_after(after))
        held = sorted((ref for tenant, ref in self._held if tenant == tenant_id), key=_order)
        page = [ref for ref in held if _order(ref) > start][:limit]
        return VersionPage(refs=tuple(page), after=cursor_at(page[-1]) if len(page) == limit else None)

    async def versions_of(self, tenant_id: str, items: Sequence[UUID]) -> Sequence[VersionRef]:
        return [ref for tenant, ref in self._held if tenant == tenant_id and ref.item_id in items]

    async def ping(self) -> None:
        return

    def held(self, tenant_id: str) -> Sequence[VersionedBundle]:
        """Everything kept for a tenant, as a test wants to look at it."""
        return [write for (tenant, _), write in self._held.items() if tenant == tenant_id]

    def _parts_held(self, tenant_id: str, ref: VersionRef) -> Sequence[UUID]:
        write = self._held.get((tenant_id, ref))
        return self.parts(write) if write else ()


def _order(ref: VersionRef) -> tuple[bytes, int]:
    return ref.item_id.bytes, ref.version
