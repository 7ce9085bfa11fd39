"""A buried item in, what ledger, inbox and outbox still hold of its text found, erased and counted."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, LiteralString
from uuid import UUID

import orjson

from apex_memory.database import Connection
from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.errors import BatchStillOpen
from apex_memory.domain.forgetting import Condemned, Delivery

#: Rows emptied in one statement.
_AT_A_TIME: Final = 1_000

# Up to its tombstone, everything of the item and of what derives from it; and what was derived from a version
# below the tombstone while that was being set. By the tombstones of this very request, for what a later one
# buries may still be under way. An event belongs to the versions that it was allocated or ended as.
_CONDEMNED: Final[LiteralString] = """
WITH buried AS (
    SELECT item_id, version AS tombstone FROM item_version
    WHERE tenant_id = %(tenant)s AND batch_id = %(forget)s AND tombstone
), condemned AS (
    SELECT v.item_id, v.version, v.event_id, v.state, v.collected_at FROM buried AS b
    JOIN item_version AS v ON v.tenant_id = %(tenant)s AND v.item_id = b.item_id AND v.version <= b.tombstone
    UNION
    SELECT v.item_id, v.version, v.event_id, v.state, v.collected_at FROM buried AS b
    JOIN item_version AS v ON v.tenant_id = %(tenant)s AND v.parent_item = b.item_id
         AND v.parent_version <= b.tombstone
), told AS (
    SELECT e.event_id FROM condemned AS c
    JOIN inbox_event AS e ON e.tenant_id = %(tenant)s AND e.event_id = c.event_id
    WHERE e.item_id IS NULL OR e.item_id = c.item_id
    UNION
    SELECT e.event_id FROM condemned AS c
    JOIN inbox_event AS e ON e.tenant_id = %(tenant)s AND e.item_id = c.item_id AND e.version = c.version
)
"""

_BURIED: Final[LiteralString] = f"{_CONDEMNED} SELECT item_id, tombstone AS version FROM buried"  # noqa: S608 - our constants
_VERSIONS: Final[LiteralString] = (
    f"{_CONDEMNED} SELECT item_id, version FROM condemned WHERE collected_at IS NULL"  # noqa: S608 - our constants
)

_UNDER_WAY: Final[LiteralString] = f"""{_CONDEMNED}
SELECT (SELECT count(DISTINCT b.batch_id) FROM told AS t
        JOIN inbox_event AS e ON e.tenant_id = %(tenant)s AND e.event_id = t.event_id
        JOIN batch AS b ON b.tenant_id = e.tenant_id AND b.batch_id = e.batch_id
        WHERE b.closed_at IS NULL) AS batches,
       (SELECT count(*) FROM condemned WHERE state = 'preparing') AS versions
"""  # noqa: S608 - our constants

_DELIVERIES: Final[LiteralString] = f"""{_CONDEMNED}
SELECT e.event_id, e.source, e.batch_id, CASE WHEN e.kind = 'document' THEN e.body ELSE '' END AS body
FROM told AS t JOIN inbox_event AS e ON e.tenant_id = %(tenant)s AND e.event_id = t.event_id
"""  # noqa: S608 - our constants

_FULL_VERSION: Final[LiteralString] = """
    (v.title <> '' OR v.content_hash <> '' OR v.manifests IS NOT NULL
     OR v.reason IS NOT NULL AND v.reason NOT IN ('overtaken', 'superseded'))
"""
_FULL_EVENT: Final[LiteralString] = """
    (e.body <> '' OR e.headers IS NOT NULL OR e.reason IS DISTINCT FROM 'forgotten')
"""

# What is being prepared is not ours yet: its commit reads the manifests.
_ERASE_VERSIONS: Final[LiteralString] = f"""{_CONDEMNED}
UPDATE item_version AS v SET title = '', content_hash = '', manifests = NULL,
    reason = CASE WHEN v.reason IN ('overtaken', 'superseded') THEN v.reason END
FROM (SELECT v.item_id, v.version FROM condemned AS c
      JOIN item_version AS v ON v.tenant_id = %(tenant)s AND v.item_id = c.item_id AND v.version = c.version
      WHERE v.state <> 'preparing' AND {_FULL_VERSION} LIMIT %(limit)s) AS c
WHERE v.tenant_id = %(tenant)s AND v.item_id = c.item_id AND v.version = c.version
"""  # noqa: S608 - our constants

_ERASE_EVENTS: Final[LiteralString] = f"""{_CONDEMNED}
UPDATE inbox_event AS e SET body = '', headers = NULL, reason = 'forgotten'
FROM (SELECT e.event_id FROM told AS t
      JOIN inbox_event AS e ON e.tenant_id = %(tenant)s AND e.event_id = t.event_id
      WHERE {_FULL_EVENT} LIMIT %(limit)s) AS t
WHERE e.tenant_id = %(tenant)s AND e.event_id = t.event_id
"""  # noqa: S608 - our constants

# Its rows hold no text, but the courier would read it for them once more and put it into the cache.
_ERASE_OUTBOX: Final[LiteralString] = f"""{_CONDEMNED}
DELETE FROM outbox AS o USING condemned AS c
WHERE o.tenant_id = %(tenant)s AND o.item_id = c.item_id AND o.version = c.version
"""  # noqa: S608 - our constants

_LEFT: Final[LiteralString] = f"""{_CONDEMNED}
SELECT (SELECT count(*) FROM condemned AS c
        JOIN item_version AS v ON v.tenant_id = %(tenant)s AND v.item_id = c.item_id AND v.version = c.version
        WHERE {_FULL_VERSION}) AS item_version,
       (SELECT count(*) FROM told AS t
        JOIN inbox_event AS e ON e.tenant_id = %(tenant)s AND e.event_id = t.event_id
        WHERE {_FULL_EVENT}) AS inbox_event,
       (SELECT count(*) FROM condemned AS c
        JOIN outbox AS o ON o.tenant_id = %(tenant)s AND o.item_id = c.item_id AND o.version = c.version)
       AS outbox
"""  # noqa: S608 - our constants


async def condemned(connection: Connection, tenant_id: str, forget_id: UUID) -> Condemned:
    where = _where(tenant_id, forget_id)
    buried = await _refs(connection, _BURIED, where)
    return Condemned(buried=buried, known=await _refs(connection, _VERSIONS, where))


async def deliveries(connection: Connection, tenant_id: str, forget_id: UUID) -> Sequence[Delivery]:
    """Raises BatchStillOpen."""
    where = _where(tenant_id, forget_id)
    cursor = await connection.execute(_UNDER_WAY, where)
    row = await cursor.fetchone()
    if row and (row["batches"] or row["versions"]):
        raise BatchStillOpen(row["batches"], row["versions"])
    cursor = await connection.execute(_DELIVERIES, where)
    return [Delivery(staged=_staged(row.pop("body")), **row) async for row in cursor]


async def erase(connection: Connection, tenant_id: str, forget_id: UUID) -> None:
    where = {**_where(tenant_id, forget_id), "limit": _AT_A_TIME}
    for statement in (_ERASE_VERSIONS, _ERASE_EVENTS):
        while (await connection.execute(statement, where)).rowcount:
            pass
    await connection.execute(_ERASE_OUTBOX, where)


async def left(connection: Connection, tenant_id: str, forget_id: UUID) -> dict[str, int]:
    cursor = await connection.execute(_LEFT, _where(tenant_id, forget_id))
    return await cursor.fetchone() or {}


async def _refs(
    connection: Connection, query: LiteralString, where: dict[str, Any]
) -> tuple[VersionRef, ...]:
    cursor = await connection.execute(query, where)
    return tuple([VersionRef(**row) async for row in cursor])


def _staged(body: bytes) -> str | None:
    """Where an upload was put when it was accepted."""
    with suppress(orjson.JSONDecodeError, AttributeError):
        return orjson.loads(body).get("staged")
    return None


def _where(tenant_id: str, forget_id: UUID) -> dict[str, Any]:
    return {"tenant": tenant_id, "forget": forget_id}
