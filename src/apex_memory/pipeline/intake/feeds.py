"""Feeds to be read in; their cursors, and what was read as inbox events, out: one transaction a poll."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString

from apex_memory.database import Connection, Database
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.feeds import Feed, FeedEntry, FeedTurn, LastKnown, OpenedFeed, PollFeed

#: Waiting events are counted no further: a poll that finds as many asks for none.
COUNTED: Final = 5_000

_COLUMNS: Final[LiteralString] = (
    "source, name, interval_s, created_at, stopped_at, last_polled_at, last_error, points"
)
_WHICH: Final[LiteralString] = "tenant_id = %(tenant)s AND source = %(source)s AND name = %(name)s"

_START: Final[LiteralString] = f"""
WITH started AS (
    INSERT INTO feed (tenant_id, source, name, interval_s)
    VALUES (%(tenant)s, %(source)s, %(name)s, %(interval_s)s)
    ON CONFLICT (tenant_id, source, name) DO UPDATE
    SET interval_s = excluded.interval_s, stopped_at = NULL, looked_at = NULL
    RETURNING {_COLUMNS}
)
SELECT started.*, pg_notify('apex_feed', '') FROM started
"""  # noqa: S608 - our constants

_STOP: Final[LiteralString] = (
    f"UPDATE feed SET stopped_at = coalesce(stopped_at, now()) WHERE {_WHICH} RETURNING {_COLUMNS}"  # noqa: S608
)

_LISTED: Final[LiteralString] = f"SELECT {_COLUMNS} FROM feed WHERE tenant_id = %s ORDER BY source, name"  # noqa: S608

_DUE: Final = """
UPDATE feed SET looked_at = now()
WHERE (tenant_id, source, name) = (
    SELECT tenant_id, source, name FROM feed
    WHERE stopped_at IS NULL
      AND (looked_at IS NULL
           OR greatest(looked_at, last_polled_at) < now() - %s * interval '1 second')
    ORDER BY looked_at NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING tenant_id, source, name
"""

# The size of a body is known without reading it.
_OPENED: Final[LiteralString] = f"""
SELECT {_COLUMNS}, cursor, turn, w.waiting, w.waiting_bytes FROM feed, LATERAL (
    SELECT count(*) AS waiting, coalesce(sum(octet_length(body)), 0)::bigint AS waiting_bytes FROM (
        SELECT body FROM inbox_event AS e
        WHERE e.tenant_id = feed.tenant_id AND e.source = feed.source AND e.kind = 'record'
          AND e.batch_id IS NULL AND e.outcome IS NULL LIMIT %(counted)s) AS counted) AS w
WHERE {_WHICH} AND stopped_at IS NULL
"""  # noqa: S608

_LAST_KNOWN: Final[LiteralString] = f"""
SELECT subject, at, place FROM feed_last_known WHERE {_WHICH} AND subject = ANY(%(subjects)s)
"""  # noqa: S608

# The fence: of two polls that found the feed at the same turn, one finds no row here. The row stays locked to
# the end of the transaction, so the other one waits until that is decided.
_MOVE: Final[LiteralString] = f"""
UPDATE feed SET cursor = %(cursor)s, turn = turn + 1, points = points + %(points)s, last_polled_at = now(),
       last_error = NULL
WHERE {_WHICH} AND turn = %(turn)s AND stopped_at IS NULL RETURNING turn
"""  # noqa: S608

_KEEP: Final = """
INSERT INTO inbox_event (tenant_id, event_id, source, kind, dedupe_key, label, body)
SELECT %(tenant)s, gen_random_uuid(), %(source)s, 'record', * FROM unnest(
    %(dedupe_key)s::text[], %(label)s::text[], %(body)s::bytea[])
ON CONFLICT (tenant_id, source, dedupe_key) DO NOTHING
"""

_KNOW: Final = """
INSERT INTO feed_last_known (tenant_id, source, name, subject, at, place)
SELECT %(tenant)s, %(source)s, %(name)s, * FROM unnest(
    %(subject)s::text[], %(at)s::timestamptz[], %(place)s::text[])
ON CONFLICT (tenant_id, source, name, subject) DO UPDATE SET at = excluded.at, place = excluded.place
"""

_FAILED: Final[LiteralString] = (
    f"UPDATE feed SET last_polled_at = now(), last_error = %(error)s WHERE {_WHICH}"  # noqa: S608
)


class PostgresFeeds:
    """The port `Feeds` over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(self, tenant_id: str, source: str, name: str, *, interval_s: int) -> Feed:
        [row] = await self._rows(_START, {**_which(tenant_id, source, name), "interval_s": interval_s})
        return _feed(row)

    async def stop(self, tenant_id: str, source: str, name: str) -> Feed:
        for row in await self._rows(_STOP, _which(tenant_id, source, name)):
            return _feed(row)
        raise ItemNotFound("feed", f"{source}/{name}")

    async def listed(self, tenant_id: str) -> Sequence[Feed]:
        return [_feed(row) for row in await self._rows(_LISTED, (tenant_id,))]

    async def due(self, *, after_s: float) -> PollFeed | None:
        for row in await self._rows(_DUE, (after_s,)):
            return PollFeed(**row)
        return None

    async def opened(self, tenant_id: str, source: str, name: str) -> OpenedFeed | None:
        for row in await self._rows(_OPENED, {**_which(tenant_id, source, name), "counted": COUNTED}):
            return OpenedFeed(
                feed=_feed(row), **{key: row[key] for key in OpenedFeed.model_fields if key != "feed"}
            )
        return None

    async def last_known(
        self, tenant_id: str, source: str, name: str, subjects: Sequence[str]
    ) -> Mapping[str, LastKnown]:
        where = {**_which(tenant_id, source, name), "subjects": list(subjects)}
        rows = await self._rows(_LAST_KNOWN, where)
        return {row["subject"]: LastKnown(at=row["at"], place=row["place"]) for row in rows}

    async def take(self, tenant_id: str, source: str, name: str, turn: FeedTurn) -> bool:
        which = _which(tenant_id, source, name)
        move = {**which, "cursor": turn.cursor, "points": turn.points, "turn": turn.turn}
        async with self._database.transaction() as connection:
            moved = await connection.execute(_MOVE, move)
            if await moved.fetchone() is None:
                return False
            if turn.entries:
                await _keep(connection, which, turn.entries)
            return True

    async def failed(self, tenant_id: str, source: str, name: str, *, error: str) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_FAILED, {**_which(tenant_id, source, name), "error": error})

    async def _rows(self, query: LiteralString, parameters: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - psycopg's own
        async with self._database.connection() as connection:
            cursor = await connection.execute(query, parameters)
            return await cursor.fetchall()


async def _keep(connection: Connection, which: dict[str, str], entries: Sequence[FeedEntry]) -> None:
    # Sorted: transactions that meet at the same keys take them in one order.
    kept = sorted(entries, key=lambda entry: entry.dedupe_key)
    columns = {name: [getattr(e, name) for e in kept] for name in ("dedupe_key", "label", "body")}
    await connection.execute(_KEEP, {**which, **columns})
    # Of a thing with several entries the last one says what is known.
    known = {e.subject: e.last_known for e in entries if e.subject is not None and e.last_known}
    if known:
        places = {"at": [k.at for k in known.values()], "place": [k.place for k in known.values()]}
        await connection.execute(_KNOW, {**which, "subject": list(known), **places})
    await connection.execute("SELECT pg_notify('apex_inbox', '')")


def _which(tenant_id: str, source: str, name: str) -> dict[str, str]:
    return {"tenant": tenant_id, "source": source, "name": name}


def _feed(row: Mapping[str, Any]) -> Feed:
    return Feed.model_validate({name: row[name] for name in Feed.model_fields})
