"""Deliveries in one by one, kept together: what arrives while one statement runs goes with the next."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from typing import Any, Final

from psycopg.types.json import Jsonb

from apex_memory.database import Database
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.ledger import Accepted, InboxEvent

#: Bodies of 1 MiB would make one statement of 32 MiB.
_MOST: Final = 32

# xmax is 0 in a row that was not there before.
_ACCEPT: Final = """
INSERT INTO inbox_event AS e (tenant_id, event_id, source, kind, dedupe_key, label, body, received_at,
                              endpoint_id, secret_id, headers, outcome, reason, finished_at)
SELECT d.*, CASE WHEN d.outcome IS NOT NULL THEN now() END FROM unnest(
    %(tenant_id)s::text[], %(event_id)s::uuid[], %(source)s::text[], %(kind)s::text[], %(dedupe_key)s::text[],
    %(label)s::text[], %(body)s::bytea[], %(received_at)s::timestamptz[], %(endpoint_id)s::text[],
    %(secret_id)s::uuid[], %(headers)s::jsonb[], %(outcome)s::text[], %(reason)s::text[])
    AS d (tenant_id, event_id, source, kind, dedupe_key, label, body, received_at, endpoint_id, secret_id,
          headers, outcome, reason)
ON CONFLICT (tenant_id, source, dedupe_key) DO UPDATE SET deliveries = e.deliveries + 1
RETURNING tenant_id, source, dedupe_key, event_id, xmax <> 0 AS duplicate
"""

_Key = tuple[str, str, str]
#: An event, and who waits to hear what became of it.
_Sent = tuple[InboxEvent, asyncio.Future[Accepted]]


class Accepting:
    """Each caller waits for its own event. One statement at a time: alone, an event waits for nobody.

    One transaction, and so one sync of the disk, for all that arrived during the one before: a disk that is
    slow for a moment makes the next group larger, where it made the queue for connections longer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[_Sent] = deque()
        self._keeping: asyncio.Task[None] | None = None

    async def accept(self, event: InboxEvent) -> Accepted:
        """Raises StoreUnavailable: it may or may not have been kept."""
        accepted = asyncio.get_running_loop().create_future()
        self._waiting.append((event, accepted))
        if self._keeping is None or self._keeping.done():
            # In no caller's context: what it logs is not of the tenant that happened to come first.
            self._keeping = asyncio.create_task(self._keep_all(), name="keep deliveries", context=Context())
        try:
            return await accepted
        except StoreUnavailable as exc:
            # Its own: one that many raise would gather all their traces.
            raise StoreUnavailable(exc.store, exc.reason) from exc

    async def _keep_all(self) -> None:
        while self._waiting:
            group = self._next_group()
            try:
                kept = await self._keep([event for event, _ in group.values()])
            except StoreUnavailable as exc:
                # Those that wait behind them would wait as long again for the same answer.
                _refuse([*group.values(), *self._waiting], exc)
                self._waiting.clear()
            except Exception as exc:  # noqa: BLE001 - told to the caller whose event it is of
                await self._keep_apart(list(group.values()), exc)
            else:
                _settle(group, kept)

    def _next_group(self) -> dict[_Key, _Sent]:
        """The first ones, each of another key: no statement may touch a row twice."""
        group: dict[_Key, _Sent] = {}
        repeated: list[_Sent] = []
        while self._waiting and len(group) < _MOST:
            event, accepted = self._waiting.popleft()
            if (key := _key(event)) in group:
                repeated.append((event, accepted))
            else:
                group[key] = event, accepted
        self._waiting.extendleft(reversed(repeated))
        return group

    async def _keep_apart(self, group: Sequence[_Sent], exc: Exception) -> None:
        """What PostgreSQL refuses in one event is not the others' fault."""
        if len(group) == 1:
            _refuse(group, exc)
            return
        for event, accepted in group:
            try:
                kept = await self._keep([event])
            except Exception as own:  # noqa: BLE001 - told to its caller
                _refuse([(event, accepted)], own)
            else:
                _settle({_key(event): (event, accepted)}, kept)

    async def _keep(self, events: Sequence[InboxEvent]) -> dict[_Key, Accepted]:
        # Sorted: two processes whose groups share keys take the rows in one order.
        rows = [row_of(event) for event in sorted(events, key=_key)]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        async with self._database.connection() as connection:
            cursor = await connection.execute(_ACCEPT, columns)
            return {
                (row["tenant_id"], row["source"], row["dedupe_key"]): Accepted(
                    event_id=row["event_id"], duplicate=row["duplicate"]
                )
                async for row in cursor
            }


def row_of(event: InboxEvent) -> dict[str, Any]:
    """The columns of the event's row."""
    arrival, ending = event.arrival, event.ending
    return {
        **event.model_dump(exclude={"arrival", "ending"}),
        "endpoint_id": arrival and arrival.endpoint_id,
        "secret_id": arrival and arrival.secret_id,
        "headers": Jsonb(arrival.headers) if arrival else None,
        "outcome": ending and str(ending.outcome),
        "reason": ending and ending.reason,
    }


def _key(event: InboxEvent) -> _Key:
    return event.tenant_id, event.source, event.dedupe_key


def _settle(group: dict[_Key, _Sent], kept: dict[_Key, Accepted]) -> None:
    for key, (_, accepted) in group.items():
        if not accepted.done():  # its caller may have gone
            accepted.set_result(kept[key])


def _refuse(group: Sequence[_Sent], exc: Exception) -> None:
    for _, accepted in group:
        if not accepted.done():
            accepted.set_exception(exc)
