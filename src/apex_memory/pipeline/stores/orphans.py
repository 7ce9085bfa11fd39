"""Versions that go in, the entities that nobody speaks of any more gone with them out.

An entity's row is shared by all versions that speak of it, and its key is their text. The transaction that
takes the last one away removes it, as in the graph. Whoever writes of entities holds a lock of the tenant,
shared; whoever is about to remove one holds it alone, and looks again: what committed before is then seen,
and what comes after inserts the entity anew.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from apex_memory.database import Connection

_NAMED: Final = """
WITH w AS (SELECT * FROM unnest(%(items)s::uuid[], %(versions)s::int[]) AS w (item_id, version))
SELECT t.entity_id FROM mention AS t JOIN w USING (item_id, version) WHERE t.tenant_id = %(tenant)s
UNION SELECT t.subject_id FROM claim AS t JOIN w USING (item_id, version) WHERE t.tenant_id = %(tenant)s
UNION SELECT t.object_id FROM claim AS t JOIN w USING (item_id, version)
      WHERE t.tenant_id = %(tenant)s AND t.object_id IS NOT NULL
UNION SELECT t.entity_id FROM sample AS t JOIN w USING (item_id, version) WHERE t.tenant_id = %(tenant)s
"""

_UNSAID: Final[LiteralString] = """
    e.tenant_id = %(tenant)s AND e.entity_id = ANY(%(entities)s)
    AND NOT EXISTS (SELECT FROM mention AS t WHERE t.tenant_id = e.tenant_id AND t.entity_id = e.entity_id)
    AND NOT EXISTS (SELECT FROM claim AS t WHERE t.tenant_id = e.tenant_id AND t.subject_id = e.entity_id)
    AND NOT EXISTS (SELECT FROM claim AS t WHERE t.tenant_id = e.tenant_id AND t.object_id = e.entity_id)
    AND NOT EXISTS (SELECT FROM sample AS t WHERE t.tenant_id = e.tenant_id AND t.entity_id = e.entity_id)
"""
_ORPHANS: Final[LiteralString] = f"SELECT e.entity_id FROM entity AS e WHERE {_UNSAID}"  # noqa: S608 - our constants
_DELETE: Final[LiteralString] = f"DELETE FROM entity AS e WHERE {_UNSAID}"  # noqa: S608 - our constants


async def speaking(connection: Connection, tenant_id: str) -> None:
    """From here to the transaction's end, no entity that it writes of is removed."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_lock_key(tenant_id),))


async def named_by(connection: Connection, where: dict[str, Any]) -> Sequence[UUID]:
    """The entities that versions speak of, asked before they are deleted."""
    cursor = await connection.execute(_NAMED, where)
    return [row["entity_id"] async for row in cursor]


async def delete_orphans(connection: Connection, tenant_id: str, entities: Sequence[UUID]) -> None:
    """Of these entities, remove those that nobody speaks of."""
    where = {"tenant": tenant_id, "entities": list(entities)}
    cursor = await connection.execute(_ORPHANS, where)
    # Mostly there is none, and then nobody has to wait.
    if orphans := [row["entity_id"] async for row in cursor]:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_lock_key(tenant_id),))
        await connection.execute(_DELETE, {**where, "entities": orphans})


def _lock_key(tenant_id: str) -> int:
    digest = hashlib.blake2b(f"entities of {tenant_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
