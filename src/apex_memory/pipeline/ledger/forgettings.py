"""Requests to forget in, buried items at once and receipts in the end out."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from apex_memory.database import Connection, Database, columns_of
from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.forgetting import Census, Condemned, Delivery, Forgetting, ItemName
from apex_memory.domain.ledger import Burial
from apex_memory.pipeline.ledger import bury, condemned
from apex_memory.pipeline.ledger.commit import LOCK_CLOCK

_COLUMNS: Final[LiteralString] = """
    forget_id, item_id, seq, requested_at, first_count, second_count, completed_at, workflow_id,
    CASE WHEN completed_at IS NOT NULL THEN 'done' WHEN first_count IS NOT NULL THEN 'waiting'
         ELSE 'erasing' END AS state
"""

_FORGETTING: Final[LiteralString] = (
    f"SELECT {_COLUMNS} FROM forgetting WHERE tenant_id = %s AND forget_id = %s"  # noqa: S608 - our constants
)

_REQUEST: Final[LiteralString] = f"""
INSERT INTO forgetting (tenant_id, forget_id, item_id, reason, seq)
VALUES (%(tenant)s, %(forget)s, %(item)s, 'requested', %(seq)s) RETURNING {_COLUMNS}
"""  # noqa: S608

# An item of which no event got further than the inbox has no head yet, and wants a tombstone all the same.
_NAME_THE_UNWRITTEN: Final = """
INSERT INTO item_head (tenant_id, item_id, source, external_id, kind)
SELECT tenant_id, %(item)s, source, label, kind FROM inbox_event
WHERE tenant_id = %(tenant)s AND source = %(source)s AND md5(label) = md5(%(label)s) AND label = %(label)s
LIMIT 1 ON CONFLICT DO NOTHING
"""

# Events without a version count as the tombstone's. One that no relay has taken never will be: the batch that
# it is given does not exist.
_CONCLUDE: Final[LiteralString] = """
UPDATE inbox_event AS e
SET outcome = coalesce(e.outcome, 'superseded'), reason = 'forgotten', item_id = b.item_id,
    version = b.version, batch_id = coalesce(e.batch_id, %(forget)s),
    finished_at = coalesce(e.finished_at, now())
FROM unnest(%(items)s::uuid[], %(versions)s::int[]) AS b (item_id, version)
"""
_CONCLUDE_NAMED: Final[LiteralString] = f"""{_CONCLUDE}
JOIN item_head AS h ON h.tenant_id = %(tenant)s AND h.item_id = b.item_id
WHERE e.tenant_id = h.tenant_id AND e.source = h.source AND md5(e.label) = md5(h.external_id)
  AND e.label = h.external_id AND e.item_id IS NULL
"""
_CONCLUDE_ALLOCATED: Final[LiteralString] = f"""{_CONCLUDE}
JOIN item_version AS v ON v.tenant_id = %(tenant)s AND v.item_id = b.item_id AND v.version < b.version
     AND v.state <> 'committed'
WHERE e.tenant_id = v.tenant_id AND e.event_id = v.event_id AND e.item_id IS NULL
"""

_NOTIFY: Final = "SELECT pg_notify('apex_done', %s), pg_notify('apex_forget', '')"

_TAKE: Final[LiteralString] = f"""
SELECT tenant_id, {_COLUMNS} FROM forgetting
WHERE workflow_id IS NULL ORDER BY requested_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""  # noqa: S608

_STARTED: Final = "UPDATE forgetting SET workflow_id = %s WHERE tenant_id = %s AND forget_id = %s"

# A count after the erasure begins a new wait: what an earlier one found is void.
_FIRST: Final = """
UPDATE forgetting SET first_count = %(census)s, second_count = NULL
WHERE tenant_id = %(tenant)s AND forget_id = %(forget)s AND completed_at IS NULL
"""
_LAST: Final = """
UPDATE forgetting SET second_count = %(census)s, completed_at = now()
WHERE tenant_id = %(tenant)s AND forget_id = %(forget)s AND completed_at IS NULL AND first_count IS NOT NULL
"""

_ERASED: Final = """
UPDATE item_version AS v SET cleanup_pending = false, collected_at = coalesce(v.collected_at, now())
FROM unnest(%(items)s::uuid[], %(versions)s::int[]) AS c (item_id, version)
WHERE v.tenant_id = %(tenant)s AND v.item_id = c.item_id AND v.version = c.version AND NOT v.tombstone
"""


class PostgresForgettings:
    """The port `Forgettings` over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def request(
        self, tenant_id: str, item_id: UUID, *, forget_id: UUID, name: ItemName | None = None
    ) -> Forgetting:
        async with self._database.transaction() as connection:
            # First of all, as in every commit; and two requests under one id take their turn here.
            await connection.execute(LOCK_CLOCK, (tenant_id,))
            known = await _forgetting(connection, tenant_id, forget_id)
            if known is not None:
                return known
            where: dict[str, Any] = {"tenant": tenant_id, "item": item_id, "forget": forget_id}
            if name is not None:
                named = {**where, "source": name.source, "label": name.external_id}
                await connection.execute(_NAME_THE_UNWRITTEN, named)
            burial = await bury.bury(connection, tenant_id, item_id, request_id=forget_id)
            await _conclude(connection, {**where, **_columns(burial)})
            cursor = await connection.execute(_REQUEST, {**where, "seq": burial.seq})
            rows = await cursor.fetchall()
            await connection.execute(_NOTIFY, (tenant_id,))
        return Forgetting(**rows[0])

    async def hand_over(self, to: Callable[[str, Forgetting], Awaitable[str]]) -> bool:
        async with self._database.transaction() as connection:
            cursor = await connection.execute(_TAKE)
            row = await cursor.fetchone()
            if row is None:
                return False
            tenant_id = row.pop("tenant_id")
            # Started and not noted: the next one starts it again, under the same id.
            workflow_id = await to(tenant_id, Forgetting(**row))
            await connection.execute(_STARTED, (workflow_id, tenant_id, row["forget_id"]))
            return True

    async def forgetting(self, tenant_id: str, forget_id: UUID) -> Forgetting:
        async with self._database.connection() as connection:
            found = await _forgetting(connection, tenant_id, forget_id)
        if found is None:
            raise ItemNotFound("forgetting", str(forget_id))
        return found

    async def condemned(self, tenant_id: str, forget_id: UUID) -> Condemned:
        async with self._database.connection() as connection:
            return await condemned.condemned(connection, tenant_id, forget_id)

    async def deliveries(self, tenant_id: str, forget_id: UUID) -> Sequence[Delivery]:
        async with self._database.connection() as connection:
            return await condemned.deliveries(connection, tenant_id, forget_id)

    async def erase(self, tenant_id: str, forget_id: UUID) -> None:
        async with self._database.connection() as connection:
            await condemned.erase(connection, tenant_id, forget_id)

    async def left(self, tenant_id: str, forget_id: UUID) -> dict[str, int]:
        async with self._database.connection() as connection:
            return await condemned.left(connection, tenant_id, forget_id)

    async def counted(self, tenant_id: str, forget_id: UUID, census: Census, *, last: bool) -> None:
        where = {"tenant": tenant_id, "forget": forget_id, "census": Jsonb(census.model_dump(mode="json"))}
        async with self._database.connection() as connection:
            await connection.execute(_LAST if last else _FIRST, where)

    async def erased(self, tenant_id: str, versions: Sequence[VersionRef]) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_ERASED, {"tenant": tenant_id, **columns_of(versions)})


async def _forgetting(connection: Connection, tenant_id: str, forget_id: UUID) -> Forgetting | None:
    cursor = await connection.execute(_FORGETTING, (tenant_id, forget_id))
    row = await cursor.fetchone()
    return Forgetting(**row) if row else None


async def _conclude(connection: Connection, where: dict[str, Any]) -> None:
    for statement in (_CONCLUDE_NAMED, _CONCLUDE_ALLOCATED):
        await connection.execute(statement, where)


def _columns(burial: Burial) -> dict[str, list[UUID] | list[int]]:
    tombstones = burial.tombstones
    return {"items": [t.item_id for t in tombstones], "versions": [t.version for t in tombstones]}
