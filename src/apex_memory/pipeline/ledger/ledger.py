"""Allocations, commits and aborts in, the order of versions out: the protocol's one source of truth."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

from psycopg.types.json import Jsonb

from apex_memory.database import Connection, Database, columns_of, ref_of
from apex_memory.domain.bundles import Manifest, VersionRef
from apex_memory.domain.ledger import (
    Allocation,
    AllocationRequest,
    Burial,
    CommitResult,
    VersionManifests,
)
from apex_memory.pipeline.ledger.allocate import allocate
from apex_memory.pipeline.ledger.bury import bury
from apex_memory.pipeline.ledger.commit import commit

_SNAPSHOT: Final = "SELECT seq FROM tenant_clock WHERE tenant_id = %s"

_PREPARING: Final = """
SELECT request_id, item_id, version FROM item_version
WHERE tenant_id = %s AND batch_id = %s AND state = 'preparing'
"""

_MANIFESTS: Final = """
SELECT item_id, version, manifests FROM item_version
WHERE tenant_id = %s AND batch_id = %s AND state = 'preparing' AND manifests IS NOT NULL
"""

_EXPECT: Final = """
UPDATE item_version AS v SET manifests = e.manifests
FROM unnest(%(items)s::uuid[], %(versions)s::int[], %(manifests)s::jsonb[]) AS e (item_id, version, manifests)
WHERE v.tenant_id = %(tenant)s AND v.item_id = e.item_id AND v.version = e.version AND v.state = 'preparing'
"""

_ABORT: Final = """
WITH aborted AS (
    UPDATE item_version
    SET state = 'aborted', cleanup_pending = true, reason = %(reason)s, decided_at = now()
    WHERE tenant_id = %(tenant)s AND batch_id = %(batch)s AND state = 'preparing'
    RETURNING event_id
)
UPDATE inbox_event AS e SET outcome = 'aborted', reason = %(reason)s, finished_at = now()
FROM aborted WHERE e.tenant_id = %(tenant)s AND e.event_id = aborted.event_id AND e.outcome IS NULL
"""

_WANT_CLEANING: Final = """
SELECT item_id, version FROM item_version
WHERE tenant_id = %s AND batch_id = %s AND state = 'aborted' AND cleanup_pending
"""

_CLEANED: Final = """
UPDATE item_version AS v SET cleanup_pending = false
FROM unnest(%(items)s::uuid[], %(versions)s::int[]) AS c (item_id, version)
WHERE v.tenant_id = %(tenant)s AND v.item_id = c.item_id AND v.version = c.version AND v.state = 'aborted'
"""


class PostgresLedger:
    """The port `Ledger` over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def allocate(
        self, tenant_id: str, batch_id: UUID, requests: Sequence[AllocationRequest]
    ) -> Sequence[Allocation]:
        async with self._database.transaction() as connection:
            return await allocate(connection, tenant_id, batch_id, requests)

    async def expect(self, tenant_id: str, expected: Sequence[VersionManifests]) -> None:
        parameters = {
            "tenant": tenant_id,
            **columns_of([e.ref for e in expected]),
            "manifests": [Jsonb({k: m.model_dump() for k, m in e.manifests.items()}) for e in expected],
        }
        async with self._database.connection() as connection:
            await connection.execute(_EXPECT, parameters)

    async def preparing(self, tenant_id: str, batch_id: UUID) -> Mapping[str, VersionRef]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_PREPARING, (tenant_id, batch_id))
            return {row["request_id"]: ref_of(row) async for row in cursor}

    async def manifests(self, tenant_id: str, batch_id: UUID) -> Sequence[VersionManifests]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_MANIFESTS, (tenant_id, batch_id))
            return [
                VersionManifests(
                    ref=ref_of(row),
                    manifests={k: Manifest.model_validate(m) for k, m in row["manifests"].items()},
                )
                async for row in cursor
            ]

    async def commit(
        self, tenant_id: str, batch_id: UUID, *, verified: Collection[VersionRef]
    ) -> Sequence[CommitResult]:
        async with self._database.transaction() as connection:
            return await commit(connection, tenant_id, batch_id, verified)

    async def abort(self, tenant_id: str, batch_id: UUID, *, reason: str) -> Sequence[VersionRef]:
        async with self._database.transaction() as connection:
            await connection.execute(_ABORT, {"tenant": tenant_id, "batch": batch_id, "reason": reason})
            return await _want_cleaning(connection, tenant_id, batch_id)

    async def aborted(self, tenant_id: str, batch_id: UUID) -> Sequence[VersionRef]:
        async with self._database.connection() as connection:
            return await _want_cleaning(connection, tenant_id, batch_id)

    async def cleaned(self, tenant_id: str, versions: Sequence[VersionRef]) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_CLEANED, {"tenant": tenant_id, **columns_of(versions)})

    async def bury(self, tenant_id: str, item_id: UUID, *, request_id: UUID) -> Burial:
        async with self._database.transaction() as connection:
            return await bury(connection, tenant_id, item_id, request_id=request_id)

    async def snapshot(self, tenant_id: str) -> int:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_SNAPSHOT, (tenant_id,))
            row = await cursor.fetchone()
            return row["seq"] if row else 0


async def _want_cleaning(connection: Connection, tenant_id: str, batch_id: UUID) -> Sequence[VersionRef]:
    cursor = await connection.execute(_WANT_CLEANING, (tenant_id, batch_id))
    return [ref_of(row) async for row in cursor]
