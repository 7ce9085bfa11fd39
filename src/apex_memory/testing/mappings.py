"""Mappings in, the same out by tenant and source: Mappings without a service."""

from collections.abc import Sequence
from datetime import UTC, datetime

from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.mappings import Declaration, DeclaredMapping, RecordMapping


class MemoryMappings:
    """Keeps the contract of `ports.Mappings`."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], DeclaredMapping] = {}

    async def put(self, tenant_id: str, source: str, mapping: RecordMapping) -> DeclaredMapping:
        now = datetime.now(UTC)
        before = self._kept.get((tenant_id, source))
        self._kept[tenant_id, source] = DeclaredMapping(
            source=source, mapping=mapping, created_at=before.created_at if before else now, updated_at=now
        )
        return self._kept[tenant_id, source]

    async def get(self, tenant_id: str, source: str) -> DeclaredMapping | None:
        return self._kept.get((tenant_id, source))

    async def listed(self, tenant_id: str) -> Sequence[Declaration]:
        return [
            Declaration(**kept.model_dump(exclude={"mapping"}))
            for (owner, _), kept in sorted(self._kept.items())
            if owner == tenant_id
        ]

    async def remove(self, tenant_id: str, source: str) -> None:
        if self._kept.pop((tenant_id, source), None) is None:
            raise ItemNotFound("mapping", source)
