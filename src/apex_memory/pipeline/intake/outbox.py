"""Committed versions in, to whoever must hear of them; a row leaves only when it was delivered."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from apex_memory.database import Database
from apex_memory.domain.ledger import Announcement

_CLAIM: Final = """
SELECT tenant_id, outbox_id, item_id, version, commit_seq FROM outbox
ORDER BY outbox_id LIMIT %s FOR UPDATE SKIP LOCKED
"""

_DELIVERED: Final = """
DELETE FROM outbox AS o USING unnest(%s::text[], %s::bigint[]) AS d (tenant_id, outbox_id)
WHERE o.tenant_id = d.tenant_id AND o.outbox_id = d.outbox_id
"""


class PostgresOutbox:
    """The port `Outbox` over PostgreSQL: rows stay locked while they are delivered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def deliver(self, to: Callable[[Sequence[Announcement]], Awaitable[None]], *, limit: int) -> int:
        async with self._database.transaction() as connection:
            cursor = await connection.execute(_CLAIM, (limit,))
            announcements = [Announcement(**row) async for row in cursor]
            if announcements:
                await to(announcements)
                await connection.execute(
                    _DELIVERED,
                    ([a.tenant_id for a in announcements], [a.outbox_id for a in announcements]),
                )
            return len(announcements)
