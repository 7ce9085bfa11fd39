"""An item to delete in, a committed tombstone over it and over what derives from it out."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from apex_memory.database import Connection
from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.ledger import Burial
from apex_memory.pipeline.ledger.commit import LOCK_CLOCK, TICK

_BURIED: Final = """
SELECT item_id, version, commit_seq FROM item_version
WHERE tenant_id = %s AND batch_id = %s AND tombstone ORDER BY item_id
"""

_FAMILY: Final = """
SELECT item_id, next_version FROM item_head
WHERE tenant_id = %(tenant)s AND (item_id = %(item)s OR item_id IN (
    SELECT item_id FROM item_version WHERE tenant_id = %(tenant)s AND parent_item = %(item)s))
ORDER BY item_id FOR UPDATE
"""

_ADD_TOMBSTONES: Final = """
INSERT INTO item_version (tenant_id, item_id, version, state, tombstone, request_id, event_id, batch_id,
                          title, content_hash, as_of, commit_seq, decided_at)
SELECT %(tenant)s, b.item_id, b.version, 'committed', true, %(request)s::text || ':' || b.item_id,
       %(request)s, %(request)s, '', '', now(), %(seq)s, now()
FROM unnest(%(items)s::uuid[], %(versions)s::int[]) AS b (item_id, version)
"""

_END_WHAT_IS_SEEN: Final = """
UPDATE item_version AS v SET superseded_seq = %(seq)s, superseded_at = clock_timestamp()
FROM unnest(%(items)s::uuid[], %(versions)s::int[]) AS b (item_id, version)
WHERE v.tenant_id = %(tenant)s AND v.item_id = b.item_id AND v.version < b.version
  AND v.state = 'committed' AND v.superseded_seq IS NULL
"""

_MOVE_HEADS: Final = """
UPDATE item_head AS h
SET tombstone = b.version, last_committed = b.version, next_version = b.version + 1, content_hash = NULL,
    as_of = NULL
FROM unnest(%(items)s::uuid[], %(versions)s::int[]) AS b (item_id, version)
WHERE h.tenant_id = %(tenant)s AND h.item_id = b.item_id
"""


async def bury(connection: Connection, tenant_id: str, item_id: UUID, *, request_id: UUID) -> Burial:
    """Within the caller's transaction; the clock is locked first, as in every commit. Raises ItemNotFound."""
    cursor = await connection.execute(LOCK_CLOCK, (tenant_id,))
    clock = await cursor.fetchone()
    assert clock is not None  # noqa: S101 - INSERT … RETURNING always returns its row
    cursor = await connection.execute(_BURIED, (tenant_id, request_id))
    if done := await cursor.fetchall():
        return _burial(done, done[0]["commit_seq"])
    cursor = await connection.execute(_FAMILY, {"tenant": tenant_id, "item": item_id})
    family = await cursor.fetchall()
    if not any(row["item_id"] == item_id for row in family):
        raise ItemNotFound("item", str(item_id))
    seq = clock["seq"] + 1
    where: dict[str, Any] = {
        "tenant": tenant_id,
        "request": request_id,
        "seq": seq,
        "items": [row["item_id"] for row in family],
        "versions": [row["next_version"] for row in family],
    }
    await connection.execute(TICK, (seq, tenant_id))
    for statement in (_ADD_TOMBSTONES, _END_WHAT_IS_SEEN, _MOVE_HEADS):
        await connection.execute(statement, where)
    return _burial([{"item_id": r["item_id"], "version": r["next_version"]} for r in family], seq)


def _burial(rows: Sequence[dict[str, Any]], seq: int) -> Burial:
    refs = (VersionRef(item_id=row["item_id"], version=row["version"]) for row in rows)
    return Burial(seq=seq, tombstones=tuple(refs))
