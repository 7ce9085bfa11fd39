"""Deliveries in, kept once; batches of them out to workflows, and how each of them ended."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID, uuid4

from apex_memory.database import Connection, Database, Listener
from apex_memory.domain.bundles import ItemKind
from apex_memory.domain.errors import ItemNotFound, StoreUnavailable
from apex_memory.domain.ledger import Accepted, AcceptedBatch, Batch, Conclusion, InboxEvent, Ingestion
from apex_memory.pipeline.intake.accepting import Accepting, row_of

#: A claimer that has not started its workflow after this long is taken for dead; starting twice is harmless.
_CLAIM_EXPIRES: Final = "15 seconds"
#: Notifications are lost while a listener reconnects: look again this often.
_LOOK_AGAIN_S: Final = 1.0

_NOTIFY_ARRIVED: Final = "SELECT pg_notify('apex_inbox', '')"

_ORPHAN: Final = f"""
UPDATE batch SET claimed_at = now()
WHERE (tenant_id, batch_id) = (
    SELECT tenant_id, batch_id FROM batch
    WHERE workflow_id IS NULL AND closed_at IS NULL AND claimed_at < now() - interval '{_CLAIM_EXPIRES}'
    ORDER BY claimed_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING tenant_id, batch_id, source, kind, label, size
"""  # noqa: S608 - a constant of this module

# A loose index scan: one probe a lane (tenant, source, kind), however long each lane's queue is. The lane
# with the fewest open batches goes first, so a flood of one tenant does not hold up the others. A batch that
# has been open for long waits for something, such as a source that is down: it takes nobody's place.
_LANE: Final = """
WITH RECURSIVE lane AS (
    (SELECT tenant_id, source, kind FROM inbox_event WHERE batch_id IS NULL AND outcome IS NULL
     ORDER BY tenant_id, source, kind LIMIT 1)
    UNION ALL
    SELECT n.tenant_id, n.source, n.kind FROM lane AS l, LATERAL (
        SELECT tenant_id, source, kind FROM inbox_event
        WHERE batch_id IS NULL AND outcome IS NULL
          AND (tenant_id, source, kind) > (l.tenant_id, l.source, l.kind)
        ORDER BY tenant_id, source, kind LIMIT 1) AS n
), load AS (
    SELECT l.*, (SELECT count(*) FROM batch AS b
                 WHERE b.tenant_id = l.tenant_id AND b.source = l.source AND b.kind = l.kind
                   AND b.closed_at IS NULL) AS open
    FROM lane AS l
)
SELECT tenant_id, source, kind FROM load
WHERE open < %(in_flight)s
  AND (SELECT count(*) FROM batch
       WHERE closed_at IS NULL AND claimed_at > now() - interval '30 seconds') < %(at_once)s
ORDER BY open, random() LIMIT 1
"""

_TAKE: Final = """
SELECT event_id, label FROM inbox_event
WHERE tenant_id = %(tenant_id)s AND source = %(source)s AND kind = %(kind)s
  AND batch_id IS NULL AND outcome IS NULL
ORDER BY received_at LIMIT %(size)s FOR UPDATE SKIP LOCKED
"""

_OPEN_BATCH: Final = """
INSERT INTO batch (tenant_id, batch_id, source, kind, label, size)
VALUES (%(tenant_id)s, %(batch_id)s, %(source)s, %(kind)s, %(label)s, %(size)s)
"""

_OPEN_ONCE: Final = f"{_OPEN_BATCH} ON CONFLICT (tenant_id, batch_id) DO NOTHING RETURNING batch_id"

_BATCH: Final = """
SELECT tenant_id, batch_id, source, kind, label, size,
       workflow_id IS NOT NULL OR closed_at IS NOT NULL AS started
FROM batch WHERE tenant_id = %(tenant_id)s AND batch_id = %(batch_id)s
"""

# What is there already under its key stays where it is.
_KEEP: Final = """
INSERT INTO inbox_event (tenant_id, event_id, source, kind, dedupe_key, label, body, received_at, batch_id)
VALUES (%(tenant_id)s, %(event_id)s, %(source)s, %(kind)s, %(dedupe_key)s, %(label)s, %(body)s,
        %(received_at)s, %(batch_id)s)
ON CONFLICT (tenant_id, source, dedupe_key) DO UPDATE SET deliveries = inbox_event.deliveries + 1
"""

_ASSIGN: Final = "UPDATE inbox_event SET batch_id = %s WHERE tenant_id = %s AND event_id = ANY(%s)"

_STARTED: Final = "UPDATE batch SET workflow_id = %s WHERE tenant_id = %s AND batch_id = %s"

_EVENTS: Final = """
SELECT event_id, tenant_id, source, kind, dedupe_key, label, body, received_at FROM inbox_event
WHERE tenant_id = %s AND batch_id = %s AND outcome IS NULL ORDER BY received_at, event_id
"""

_CONCLUDE: Final = """
UPDATE inbox_event AS e SET outcome = c.outcome, reason = c.reason, finished_at = now()
FROM unnest(%(events)s::uuid[], %(outcomes)s::text[], %(reasons)s::text[]) AS c (event_id, outcome, reason)
WHERE e.tenant_id = %(tenant)s AND e.event_id = c.event_id AND e.outcome IS NULL
"""

_CLOSE: Final = """
WITH closed AS (
    UPDATE batch SET closed_at = coalesce(closed_at, now())
    WHERE tenant_id = %(tenant)s AND batch_id = %(batch)s
)
UPDATE inbox_event SET outcome = 'quarantined', reason = %(reason)s, finished_at = now()
WHERE tenant_id = %(tenant)s AND batch_id = %(batch)s AND outcome IS NULL AND %(reason)s::text IS NOT NULL
"""

_RELEASE: Final = """
UPDATE batch SET workflow_id = NULL WHERE tenant_id = %s AND batch_id = %s AND closed_at IS NULL
"""

_NOTIFY_CLOSED: Final = "SELECT pg_notify('apex_done', %s), pg_notify('apex_inbox', '')"

_INGESTION: Final = """
SELECT e.event_id AS ingestion_id, e.source, e.kind, e.label,
       CASE WHEN e.outcome IS NOT NULL THEN 'done' WHEN b.workflow_id IS NOT NULL THEN 'running'
            ELSE 'received' END AS state,
       e.outcome, e.reason, e.item_id, e.version, e.commit_seq AS seq,
       b.workflow_id, e.received_at, e.finished_at
FROM inbox_event AS e LEFT JOIN batch AS b ON b.tenant_id = e.tenant_id AND b.batch_id = e.batch_id
WHERE e.tenant_id = %s AND e.event_id = %s
"""


class PostgresInbox:
    """The port `Inbox` over PostgreSQL. `done` wakes `settled`; without it, settled looks every second."""

    def __init__(self, database: Database, *, done: Listener | None = None) -> None:
        self._database = database
        self._accepting = Accepting(database)
        self._done = done
        self._arrived = False
        self._notifying: asyncio.Task[None] | None = None

    async def accept(self, event: InboxEvent) -> Accepted:
        accepted = await self._accepting.accept(event)
        if not accepted.duplicate:
            self._wake_relays()
        return accepted

    async def accept_batch(self, batch: Batch, events: Sequence[InboxEvent]) -> AcceptedBatch:
        async with self._database.transaction() as connection:
            # Two at once: the later one waits here for the earlier one's end.
            if await _one(connection, _OPEN_ONCE, batch.model_dump()) is None:
                row = await _one(connection, _BATCH, batch.model_dump())
                assert row  # noqa: S101 - batches are never deleted
                started = row.pop("started")
                return AcceptedBatch(batch=Batch(**row), duplicate=True, started=started)
            rows = [{**row_of(event), "batch_id": batch.batch_id} for event in events]
            async with connection.cursor() as cursor:
                await cursor.executemany(_KEEP, rows)
        return AcceptedBatch(batch=batch, duplicate=False, started=False)

    async def claim(self, *, batch_size: int, in_flight: int, at_once: int = 1_000) -> Batch | None:
        async with self._database.transaction() as connection:
            orphan = await _one(connection, _ORPHAN, None)
            if orphan is not None:
                return Batch(**orphan)
            lane = await _one(connection, _LANE, {"in_flight": in_flight, "at_once": at_once})
            return await _take(connection, lane, batch_size) if lane else None

    async def started(self, batch: Batch, *, workflow_id: str) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_STARTED, (workflow_id, batch.tenant_id, batch.batch_id))

    async def events(self, tenant_id: str, batch_id: UUID) -> Sequence[InboxEvent]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_EVENTS, (tenant_id, batch_id))
            return [InboxEvent(**row) async for row in cursor]

    async def conclude(self, tenant_id: str, conclusions: Sequence[Conclusion]) -> None:
        if not conclusions:
            return
        parameters = {
            "tenant": tenant_id,
            "events": [c.event_id for c in conclusions],
            "outcomes": [str(c.outcome) for c in conclusions],
            "reasons": [c.reason for c in conclusions],
        }
        async with self._database.transaction() as connection:
            await connection.execute(_CONCLUDE, parameters)
            await connection.execute("SELECT pg_notify('apex_done', %s)", (tenant_id,))

    async def close(self, tenant_id: str, batch_id: UUID, *, reason: str | None = None) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(_CLOSE, {"tenant": tenant_id, "batch": batch_id, "reason": reason})
            await connection.execute(_NOTIFY_CLOSED, (tenant_id,))

    async def release(self, tenant_id: str, batch_id: UUID) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_RELEASE, (tenant_id, batch_id))

    async def ingestion(self, tenant_id: str, event_id: UUID) -> Ingestion:
        async with self._database.connection() as connection:
            row = await _one(connection, _INGESTION, (tenant_id, event_id))
        if row is None:
            raise ItemNotFound("ingestion", str(event_id))
        return Ingestion(**row)

    async def settled(self, tenant_id: str, event_id: UUID, *, timeout_s: float) -> Ingestion:
        if self._done is None:
            return await self._poll(tenant_id, event_id, asyncio.Event(), timeout_s)
        with self._done.waiting_for(tenant_id) as wakened:
            return await self._poll(tenant_id, event_id, wakened, timeout_s)

    def _wake_relays(self) -> None:
        """Beside the answer, and once for all that arrives meanwhile.

        Not within the INSERT: PostgreSQL lets transactions that notify commit one by one, each waiting for
        the disk, so that 200 deliveries a second stood in a queue as soon as a checkpoint slowed it down.
        """
        self._arrived = True
        if self._notifying is None or self._notifying.done():
            self._notifying = asyncio.create_task(self._notify(), name="notify relays")

    async def _notify(self) -> None:
        while self._arrived:
            self._arrived = False
            # Lost with the process or an outage, it delays an event by the second after which relays look.
            with suppress(StoreUnavailable):
                async with self._database.connection() as connection:
                    await connection.execute(_NOTIFY_ARRIVED)

    async def _poll(
        self, tenant_id: str, event_id: UUID, wakened: asyncio.Event, timeout_s: float
    ) -> Ingestion:
        deadline = time.monotonic() + timeout_s
        while True:
            wakened.clear()
            ingestion = await self.ingestion(tenant_id, event_id)
            remaining = deadline - time.monotonic()
            if ingestion.state == "done" or remaining <= 0:
                return ingestion
            with suppress(TimeoutError):
                async with asyncio.timeout(min(remaining, _LOOK_AGAIN_S)):
                    await wakened.wait()


async def _take(connection: Connection, lane: dict[str, Any], batch_size: int) -> Batch | None:
    # A document is long work of its own: one workflow each.
    kind: ItemKind = lane["kind"]
    size = batch_size if kind == "record" else 1
    cursor = await connection.execute(_TAKE, {**lane, "size": size})
    rows = await cursor.fetchall()
    if not rows:
        return None
    label = rows[0]["label"] if len(rows) == 1 else f"{len(rows)} records"
    batch = Batch(**lane, batch_id=uuid4(), label=label, size=len(rows))
    await connection.execute(_OPEN_BATCH, batch.model_dump())
    await connection.execute(_ASSIGN, (batch.batch_id, batch.tenant_id, [r["event_id"] for r in rows]))
    return batch


async def _one(connection: Connection, query: str, parameters: Any) -> dict[str, Any] | None:  # noqa: ANN401 - psycopg's own
    cursor = await connection.execute(query, parameters)  # pyright: ignore[reportArgumentType, reportCallIssue] - module constants
    return await cursor.fetchone()
