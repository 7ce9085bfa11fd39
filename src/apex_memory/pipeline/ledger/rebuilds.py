"""A store that is being filled again in, what readers are told of it out."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from apex_memory.database import Database

_BEGIN: Final = """
WITH begun AS (
    INSERT INTO rebuild (tenant_id, store, rebuild_id)
    SELECT t.tenant_id, %(store)s, %(rebuild)s FROM unnest(%(tenants)s::text[]) AS t (tenant_id)
    ON CONFLICT DO NOTHING
)
SELECT count(*) AS live FROM item_version
WHERE tenant_id = ANY(%(tenants)s) AND state = 'committed' AND superseded_seq IS NULL AND NOT tombstone
"""

_UNDER_WAY: Final = """
SELECT rebuild_id FROM rebuild
WHERE tenant_id = %s AND store = %s AND finished_at IS NULL ORDER BY rebuild_id
"""

_END: Final = """
UPDATE rebuild SET finished_at = now()
WHERE tenant_id = %s AND store = %s AND rebuild_id = ANY(%s) AND finished_at IS NULL
"""


class PostgresRebuilds:
    """The port `Rebuilds` over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, store: str, tenants: Sequence[str], *, rebuild_id: UUID) -> int:
        where = {"store": store, "tenants": list(tenants), "rebuild": rebuild_id}
        async with self._database.connection() as connection:
            cursor = await connection.execute(_BEGIN, where)
            row = await cursor.fetchone()
        return row["live"] if row else 0

    async def under_way(self, tenant_id: str, store: str) -> Sequence[UUID]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_UNDER_WAY, (tenant_id, store))
            return [row["rebuild_id"] async for row in cursor]

    async def end(self, tenant_id: str, store: str, rebuild_ids: Sequence[UUID]) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_END, (tenant_id, store, list(rebuild_ids)))
