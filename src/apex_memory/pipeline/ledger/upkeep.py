"""Ages and versions in, what the work behind the workflows has to do out; ages are PostgreSQL's."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from psycopg.rows import DictRow

from apex_memory.database import Database, columns_of, ref_of
from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.ledger import VersionManifests
from apex_memory.domain.upkeep import Backlog, Leftover, OpenBatch, Reconciliation, Standing

# Loose index scans: one probe a tenant, however many rows each has.
_TENANTS: Final = """
WITH RECURSIVE tenant AS (
    (SELECT tenant_id FROM item_head ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT n.tenant_id FROM tenant AS t, LATERAL (
        SELECT tenant_id FROM item_head WHERE tenant_id > t.tenant_id ORDER BY tenant_id LIMIT 1) AS n
)
SELECT tenant_id FROM tenant
"""

# A closed batch whose versions are still preparing: its workflow closed it and died, or could not abort them.
_OPEN_BATCHES: Final = """
WITH RECURSIVE tenant AS (
    (SELECT tenant_id FROM item_version WHERE state = 'preparing' ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT n.tenant_id FROM tenant AS t, LATERAL (
        SELECT tenant_id FROM item_version WHERE state = 'preparing' AND tenant_id > t.tenant_id
        ORDER BY tenant_id LIMIT 1) AS n
), unfinished AS (
    SELECT DISTINCT v.tenant_id, v.batch_id FROM tenant AS t, LATERAL (
        SELECT tenant_id, batch_id FROM item_version
        WHERE tenant_id = t.tenant_id AND state = 'preparing'
          AND allocated_at < now() - %(age)s * interval '1 second') AS v
)
(SELECT tenant_id, source, batch_id, label, workflow_id, claimed_at FROM batch
 WHERE closed_at IS NULL AND claimed_at < now() - %(age)s * interval '1 second'
 ORDER BY claimed_at, batch_id LIMIT %(limit)s)
UNION ALL
(SELECT b.tenant_id, b.source, b.batch_id, b.label, b.workflow_id, b.claimed_at
 FROM unfinished AS u JOIN batch AS b ON b.tenant_id = u.tenant_id AND b.batch_id = u.batch_id
 WHERE b.closed_at IS NOT NULL)
ORDER BY claimed_at, batch_id LIMIT %(limit)s
"""

_LEFTOVERS: Final = """
WITH RECURSIVE tenant AS (
    (SELECT tenant_id FROM item_version WHERE cleanup_pending ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT n.tenant_id FROM tenant AS t, LATERAL (
        SELECT tenant_id FROM item_version WHERE cleanup_pending AND tenant_id > t.tenant_id
        ORDER BY tenant_id LIMIT 1) AS n
)
SELECT v.tenant_id, v.batch_id FROM tenant AS t, LATERAL (
    SELECT tenant_id, batch_id, min(decided_at) AS since FROM item_version
    WHERE tenant_id = t.tenant_id AND cleanup_pending
      AND decided_at < now() - %(age)s * interval '1 second'
    GROUP BY tenant_id, batch_id) AS v
ORDER BY v.since, v.batch_id LIMIT %(limit)s
"""

_SUPERSEDED: Final = """
SELECT item_id, version FROM item_version
WHERE tenant_id = %(tenant)s AND superseded_seq IS NOT NULL AND collected_at IS NULL
  AND superseded_at < now() - %(age)s * interval '1 second'
ORDER BY superseded_at LIMIT %(limit)s
"""

_COLLECTED: Final = """
UPDATE item_version AS v SET collected_at = now()
FROM unnest(%(items)s::uuid[], %(versions)s::int[]) AS c (item_id, version)
WHERE v.tenant_id = %(tenant)s AND v.item_id = c.item_id AND v.version = c.version
  AND v.superseded_seq IS NOT NULL AND v.collected_at IS NULL
"""

# A tombstone is committed and never superseded, and no store holds anything of it.
_LIVE: Final = """
SELECT item_id, version, manifests FROM item_version
WHERE tenant_id = %(tenant)s AND (item_id, version) > (%(item)s, %(version)s)
  AND state = 'committed' AND superseded_seq IS NULL AND NOT tombstone
ORDER BY item_id, version LIMIT %(limit)s
"""
_FIRST: Final = UUID(int=0)

# Without a row it cannot be young: allocation precedes every write, and no row is ever deleted.
_STANDING: Final = """
SELECT r.item_id, r.version,
       CASE WHEN v.tenant_id IS NULL THEN 'unknown'
            WHEN v.state = 'preparing' OR (v.state = 'committed' AND v.collected_at IS NULL) THEN 'kept'
            WHEN coalesce(v.collected_at, v.decided_at) > now() - %(age)s * interval '1 second' THEN 'recent'
            ELSE 'unknown' END AS standing
FROM unnest(%(items)s::uuid[], %(versions)s::int[]) AS r (item_id, version)
LEFT JOIN item_version AS v
       ON v.tenant_id = %(tenant)s AND v.item_id = r.item_id AND v.version = r.version
"""

# A staged folder is named by its batch, or by the event that brought it.
_OVER: Final = """
SELECT d.data_id FROM unnest(%(ids)s::uuid[]) AS d (data_id)
LEFT JOIN batch AS b ON b.tenant_id = %(tenant)s AND b.batch_id = d.data_id
LEFT JOIN inbox_event AS e ON e.tenant_id = %(tenant)s AND e.event_id = d.data_id
WHERE (b.batch_id IS NULL OR b.closed_at < now() - %(age)s * interval '1 second')
  AND (e.event_id IS NULL OR e.finished_at < now() - %(age)s * interval '1 second')
"""

_PUBLISH: Final = """
INSERT INTO reconciliation
    (tenant_id, store, checked, missing, torn, unknown, mended, started_at, finished_at)
VALUES (%(tenant_id)s, %(store)s, %(checked)s, %(missing)s, %(torn)s, %(unknown)s, %(mended)s,
        %(started_at)s, %(finished_at)s)
ON CONFLICT (tenant_id, store) DO UPDATE
SET checked = excluded.checked, missing = excluded.missing, torn = excluded.torn,
    unknown = excluded.unknown, mended = excluded.mended, started_at = excluded.started_at,
    finished_at = excluded.finished_at
WHERE reconciliation.started_at <= excluded.started_at
"""

_PUBLISHED: Final = "SELECT * FROM reconciliation ORDER BY tenant_id, store"

_PUBLISHED_OF: Final = "SELECT * FROM reconciliation WHERE tenant_id = %(tenant)s ORDER BY store"

_BACKLOG: Final = """
SELECT * FROM
    (SELECT count(*) AS open_batches,
            coalesce(extract(epoch FROM now() - min(claimed_at)), 0)::float AS oldest_open_s
     FROM batch WHERE closed_at IS NULL AND claimed_at < now() - %(age)s * interval '1 second') AS o,
    (SELECT count(*) AS preparing,
            coalesce(extract(epoch FROM now() - min(allocated_at)), 0)::float AS oldest_preparing_s
     FROM item_version WHERE state = 'preparing') AS p,
    (SELECT count(*) AS cleanup_pending,
            coalesce(extract(epoch FROM now() - min(decided_at)), 0)::float AS oldest_cleanup_pending_s
     FROM item_version WHERE cleanup_pending) AS c,
    (SELECT count(*) AS superseded,
            coalesce(extract(epoch FROM now() - min(superseded_at)), 0)::float AS oldest_superseded_s
     FROM item_version WHERE superseded_seq IS NOT NULL AND collected_at IS NULL) AS s
"""


class PostgresUpkeep:
    """The port `Upkeep` over PostgreSQL, and the figures that an operator watches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tenants(self) -> Sequence[str]:
        return [row["tenant_id"] for row in await self._rows(_TENANTS)]

    async def open_batches(self, *, older_than_s: float, limit: int) -> Sequence[OpenBatch]:
        rows = await self._rows(_OPEN_BATCHES, age=older_than_s, limit=limit)
        return [OpenBatch(**{k: v for k, v in row.items() if k != "claimed_at"}) for row in rows]

    async def leftovers(self, *, older_than_s: float, limit: int) -> Sequence[Leftover]:
        return [Leftover(**row) for row in await self._rows(_LEFTOVERS, age=older_than_s, limit=limit)]

    async def superseded(self, tenant_id: str, *, older_than_s: float, limit: int) -> Sequence[VersionRef]:
        rows = await self._rows(_SUPERSEDED, tenant=tenant_id, age=older_than_s, limit=limit)
        return [ref_of(row) for row in rows]

    async def collected(self, tenant_id: str, versions: Sequence[VersionRef]) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_COLLECTED, {"tenant": tenant_id, **columns_of(versions)})

    async def live(
        self, tenant_id: str, *, after: VersionRef | None, limit: int
    ) -> Sequence[VersionManifests]:
        start = after or VersionRef(item_id=_FIRST, version=0)
        rows = await self._rows(
            _LIVE, tenant=tenant_id, item=start.item_id, version=start.version, limit=limit
        )
        return [VersionManifests(ref=ref_of(row), manifests=row["manifests"] or {}) for row in rows]

    async def standing(
        self, tenant_id: str, versions: Sequence[VersionRef], *, window_s: float
    ) -> Mapping[VersionRef, Standing]:
        rows = await self._rows(_STANDING, tenant=tenant_id, age=window_s, **columns_of(versions))
        return {ref_of(row): Standing(row["standing"]) for row in rows}

    async def over(
        self, tenant_id: str, data_ids: Sequence[UUID], *, older_than_s: float
    ) -> Collection[UUID]:
        rows = await self._rows(_OVER, tenant=tenant_id, ids=list(data_ids), age=older_than_s)
        return {row["data_id"] for row in rows}

    async def publish(self, figures: Reconciliation) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_PUBLISH, figures.model_dump())

    async def published(self, tenant_id: str | None = None) -> Sequence[Reconciliation]:
        rows = await (
            self._rows(_PUBLISHED) if tenant_id is None else self._rows(_PUBLISHED_OF, tenant=tenant_id)
        )
        return [Reconciliation(**row) for row in rows]

    async def backlog(self, *, open_longer_than_s: float) -> Backlog:
        """All tenants together; no part of the port."""
        [row] = await self._rows(_BACKLOG, age=open_longer_than_s)
        return Backlog(**row)

    async def _rows(self, query: str, **parameters: Any) -> Sequence[DictRow]:  # noqa: ANN401 - psycopg's own
        async with self._database.connection() as connection:
            cursor = await connection.execute(query, parameters)  # pyright: ignore[reportArgumentType, reportCallIssue] - constants of this module
            return await cursor.fetchall()
