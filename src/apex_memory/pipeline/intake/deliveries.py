"""A tenant's endpoint in; what was delivered to it, and how many of these were taken in once more, out."""

from collections.abc import Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from apex_memory.database import Database
from apex_memory.domain.hooks import KeptDelivery, Selection

#: Of one call: a replay of more is several calls, each of which says how many it took.
MOST_AT_ONCE: Final = 10_000

_CHOSEN: Final[LiteralString] = """
    e.tenant_id = %(tenant)s AND e.endpoint_id = %(endpoint)s
    AND (%(events)s::uuid[] IS NULL OR e.event_id = ANY(%(events)s))
    AND (%(since)s::timestamptz IS NULL OR e.received_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR e.received_at < %(until)s)
    AND (NOT %(failed)s OR e.outcome IN ('quarantined', 'aborted') AND NOT EXISTS (
        SELECT FROM inbox_event AS r
        WHERE r.tenant_id = e.tenant_id AND r.endpoint_id = e.endpoint_id AND r.replay_of = e.event_id
          AND (r.outcome IS NULL OR r.outcome NOT IN ('quarantined', 'aborted'))))
"""

_LISTED: Final[LiteralString] = f"""
SELECT e.event_id, e.label, e.received_at, e.deliveries, length(e.body) AS size, e.outcome, e.reason,
       e.replay_of
FROM inbox_event AS e
WHERE {_CHOSEN}
  AND (%(after)s::uuid IS NULL OR (e.received_at, e.event_id) < (
      SELECT a.received_at, a.event_id FROM inbox_event AS a
      WHERE a.tenant_id = %(tenant)s AND a.event_id = %(after)s))
ORDER BY e.received_at DESC, e.event_id DESC LIMIT %(limit)s
"""  # noqa: S608 - our constants

# The original only: a replay of a replay is a replay of it.
_AGAIN: Final[LiteralString] = f"{_CHOSEN} AND e.replay_of IS NULL AND e.body <> ''"

_COUNT: Final[LiteralString] = f"SELECT count(*) AS chosen FROM inbox_event AS e WHERE {_AGAIN}"  # noqa: S608 - as above

_REPLAY: Final[LiteralString] = f"""
WITH added AS (
    INSERT INTO inbox_event (tenant_id, event_id, source, kind, dedupe_key, label, body, received_at,
                             endpoint_id, secret_id, headers, replay_of)
    SELECT e.tenant_id, gen_random_uuid(), e.source, e.kind, 'replay:' || %(replay)s || ':' || e.event_id,
           e.label, e.body, e.received_at, e.endpoint_id, e.secret_id, e.headers, e.event_id
    FROM inbox_event AS e WHERE {_AGAIN} ORDER BY e.received_at LIMIT %(limit)s
    ON CONFLICT (tenant_id, source, dedupe_key) DO NOTHING
    RETURNING event_id
)
SELECT count(*) AS chosen, CASE WHEN count(*) > 0 THEN pg_notify('apex_inbox', '') END FROM added
"""  # noqa: S608 - as above


class PostgresDeliveries:
    """The port `Deliveries` over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def listed(
        self, tenant_id: str, endpoint_id: str, selection: Selection, *, after: UUID | None, limit: int
    ) -> Sequence[KeptDelivery]:
        where = {**_where(tenant_id, endpoint_id, selection), "after": after, "limit": limit}
        async with self._database.connection() as connection:
            cursor = await connection.execute(_LISTED, where)
            return [KeptDelivery(**row) async for row in cursor]

    async def replay(
        self, tenant_id: str, endpoint_id: str, selection: Selection, *, replay_id: UUID, dry_run: bool
    ) -> int:
        where = _where(tenant_id, endpoint_id, selection)
        more = {} if dry_run else {"replay": str(replay_id), "limit": MOST_AT_ONCE}
        async with self._database.connection() as connection:
            cursor = await connection.execute(_COUNT if dry_run else _REPLAY, {**where, **more})
            [row] = await cursor.fetchall()
        return row["chosen"]


def _where(tenant_id: str, endpoint_id: str, selection: Selection) -> dict[str, Any]:
    return {
        "tenant": tenant_id,
        "endpoint": endpoint_id,
        "events": list(selection.event_ids) or None,
        "since": selection.since,
        "until": selection.until,
        "failed": selection.failed,
    }
