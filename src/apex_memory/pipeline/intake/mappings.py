"""Mappings of sources that are a tenant's own in, kept in PostgreSQL; the one that is in force out."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from psycopg.types.json import Jsonb

from apex_memory.database import Database
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.mappings import Declaration, DeclaredMapping, RecordMapping

_PUT: Final = """
INSERT INTO mapping (tenant_id, source, mapping) VALUES (%s, %s, %s)
ON CONFLICT (tenant_id, source) DO UPDATE SET mapping = EXCLUDED.mapping, updated_at = now()
RETURNING source, mapping, created_at, updated_at
"""

_GET: Final = """
SELECT source, mapping, created_at, updated_at FROM mapping WHERE tenant_id = %s AND source = %s
"""

# Not the mappings themselves: each may have 40 kB.
_LISTED: Final = """
SELECT source, created_at, updated_at FROM mapping WHERE tenant_id = %s ORDER BY source COLLATE "C"
"""

_REMOVE: Final = "DELETE FROM mapping WHERE tenant_id = %s AND source = %s"


class PostgresMappings:
    """The port `Mappings` over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, tenant_id: str, source: str, mapping: RecordMapping) -> DeclaredMapping:
        body = Jsonb(mapping.model_dump(exclude_defaults=True))
        async with self._database.connection() as connection:
            cursor = await connection.execute(_PUT, (tenant_id, source, body))
            row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - INSERT … RETURNING always returns its row
        return _declared(row)

    async def get(self, tenant_id: str, source: str) -> DeclaredMapping | None:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_GET, (tenant_id, source))
            row = await cursor.fetchone()
        return _declared(row) if row else None

    async def listed(self, tenant_id: str) -> Sequence[Declaration]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_LISTED, (tenant_id,))
            return [Declaration.model_validate(row) async for row in cursor]

    async def remove(self, tenant_id: str, source: str) -> None:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_REMOVE, (tenant_id, source))
            if cursor.rowcount == 0:
                raise ItemNotFound("mapping", source)


def _declared(row: Mapping[str, Any]) -> DeclaredMapping:
    return DeclaredMapping.model_validate({name: row[name] for name in DeclaredMapping.model_fields})
