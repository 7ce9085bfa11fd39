"""What an in-memory PostgreSQL holds in, the bundles that lost stores are rebuilt from out."""

from collections.abc import Sequence
from uuid import UUID

from apex_memory.domain.bundles import VersionedBundle, VersionRef
from apex_memory.testing.stores import MemoryStore


class MemoryCanon:
    """Keeps the contract of `ports.Canon`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def bundles(self, tenant_id: str, versions: Sequence[VersionRef]) -> Sequence[VersionedBundle]:
        return [write for write in self._store.held(tenant_id) if write.ref in versions]


class MemoryRebuilds:
    """Keeps the contract of `ports.Rebuilds`; `live` says how many versions a tenant has."""

    def __init__(self) -> None:
        self.live: dict[str, int] = {}
        self._under_way: dict[tuple[str, str], dict[UUID, bool]] = {}

    async def begin(self, store: str, tenants: Sequence[str], *, rebuild_id: UUID) -> int:
        for tenant_id in tenants:
            self._under_way.setdefault((tenant_id, store), {}).setdefault(rebuild_id, True)
        return sum(self.live.get(tenant_id, 0) for tenant_id in tenants)

    async def under_way(self, tenant_id: str, store: str) -> Sequence[UUID]:
        known = self._under_way.get((tenant_id, store), {})
        return sorted(rebuild_id for rebuild_id, open_ in known.items() if open_)

    async def end(self, tenant_id: str, store: str, rebuild_ids: Sequence[UUID]) -> None:
        known = self._under_way.get((tenant_id, store), {})
        known.update(dict.fromkeys(known.keys() & set(rebuild_ids), False))
