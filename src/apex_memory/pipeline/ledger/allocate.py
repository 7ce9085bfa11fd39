"""Requests in, one version each out: the same request gets the same version, the same content gets none."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from apex_memory.database import Connection
from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.ledger import Allocation, AllocationRequest

# What was unchanged has no version, and stays unchanged though the head moves on: its event has ended.
_KNOWN: Final = """
SELECT r.request_id, e.item_id, e.version, true AS unchanged
FROM unnest(%(requests)s::text[], %(events)s::uuid[]) AS r (request_id, event_id)
JOIN inbox_event AS e ON e.tenant_id = %(tenant)s AND e.event_id = r.event_id
WHERE e.outcome = 'unchanged'
UNION ALL
SELECT request_id, item_id, version, false FROM item_version
WHERE tenant_id = %(tenant)s AND request_id = ANY(%(requests)s)
"""

# Sorted by item: two batches that share items lock their heads in the same order.
_LOCK_HEADS: Final = """
INSERT INTO item_head (tenant_id, item_id, source, external_id, kind)
SELECT %(tenant)s, r.item_id, r.source, r.external_id, r.kind
FROM unnest(%(items)s::uuid[], %(sources)s::text[], %(external_ids)s::text[], %(kinds)s::text[])
     AS r (item_id, source, external_id, kind)
ORDER BY r.item_id
ON CONFLICT (tenant_id, item_id) DO UPDATE SET source = item_head.source
RETURNING item_id, next_version, committed, tombstone, content_hash
"""

# Read after the heads are locked: what deletes an item holds its head until its events are concluded.
_ENDED: Final = """
SELECT event_id FROM inbox_event WHERE tenant_id = %s AND event_id = ANY(%s) AND outcome IS NOT NULL
"""

_INSERT: Final = """
INSERT INTO item_version
    (tenant_id, item_id, version, request_id, event_id, batch_id, title, content_hash, as_of,
     parent_item, parent_version)
SELECT %(tenant)s, v.item_id, v.version, v.request_id, v.event_id, %(batch)s, v.title, v.content_hash,
       v.as_of, v.parent_item, v.parent_version
FROM unnest(%(items)s::uuid[], %(versions)s::int[], %(requests)s::text[], %(events)s::uuid[],
            %(titles)s::text[], %(hashes)s::text[], %(as_ofs)s::timestamptz[],
            %(parents)s::uuid[], %(parent_versions)s::int[])
     AS v (item_id, version, request_id, event_id, title, content_hash, as_of, parent_item, parent_version)
"""

# What says again what the head says speaks of a newer time: something older must not replace it. (greatest
# leaves out what is NULL.)
_ADVANCE: Final = """
UPDATE item_head AS h SET next_version = n.next_version, as_of = greatest(h.as_of, n.as_of)
FROM unnest(%(items)s::uuid[], %(next)s::int[], %(as_ofs)s::timestamptz[]) AS n (item_id, next_version, as_of)
WHERE h.tenant_id = %(tenant)s AND h.item_id = n.item_id
"""

_UNCHANGED: Final = """
UPDATE inbox_event AS e
SET outcome = 'unchanged', item_id = u.item_id, version = u.version, commit_seq = v.commit_seq,
    finished_at = now()
FROM unnest(%(events)s::uuid[], %(items)s::uuid[], %(versions)s::int[]) AS u (event_id, item_id, version)
JOIN item_version AS v ON v.tenant_id = %(tenant)s AND v.item_id = u.item_id AND v.version = u.version
WHERE e.tenant_id = %(tenant)s AND e.event_id = u.event_id AND e.outcome IS NULL
"""


async def allocate(
    connection: Connection, tenant_id: str, batch_id: UUID, requests: Sequence[AllocationRequest]
) -> Sequence[Allocation]:
    """Within the caller's transaction, give every request its version; `unchanged` names the head instead.

    A new request whose event has ended gets none: its item was deleted, or its batch was given up.
    """
    # Before looking: another attempt of the same request has ended once its heads are ours.
    heads = await _lock_heads(connection, tenant_id, requests)
    known = await _known(connection, tenant_id, requests)
    ended = await _ended(connection, tenant_id, requests)
    wanted = [r for r in requests if r.request_id not in known and r.event_id not in ended]
    fresh = await _fresh(connection, tenant_id, batch_id, wanted, heads) if wanted else {}
    given = {**known, **fresh}
    return [given[r.request_id] for r in requests if r.request_id in given]


async def _ended(
    connection: Connection, tenant_id: str, requests: Sequence[AllocationRequest]
) -> Collection[UUID]:
    # What is derived names an event that ended when its parent committed; the commit asks for the parent.
    events = [r.event_id for r in requests if r.parent is None]
    cursor = await connection.execute(_ENDED, (tenant_id, events))
    return {row["event_id"] async for row in cursor}


async def _known(
    connection: Connection, tenant_id: str, requests: Sequence[AllocationRequest]
) -> dict[str, Allocation]:
    cursor = await connection.execute(
        _KNOWN,
        {
            "tenant": tenant_id,
            "requests": [r.request_id for r in requests],
            "events": [r.event_id for r in requests],
        },
    )
    return {
        row["request_id"]: _allocation(
            row["request_id"], row["item_id"], row["version"], unchanged=row["unchanged"]
        )
        async for row in cursor
    }


async def _fresh(
    connection: Connection,
    tenant_id: str,
    batch_id: UUID,
    wanted: Sequence[AllocationRequest],
    heads: Mapping[UUID, dict[str, Any]],
) -> dict[str, Allocation]:
    allocations: dict[str, Allocation] = {}
    again: dict[UUID, datetime] = {}
    for request in wanted:
        head = heads[request.item_id]
        unchanged = head["committed"] > head["tombstone"] and head["content_hash"] == request.content_hash
        version = head["committed"] if unchanged else head["next_version"]
        allocations[request.request_id] = _allocation(
            request.request_id, request.item_id, version, unchanged=unchanged
        )
        head["next_version"] += not unchanged
        if unchanged:
            again[request.item_id] = max(request.as_of, again.get(request.item_id, request.as_of))
    await _write(connection, tenant_id, batch_id, wanted, allocations)
    advanced = {
        "tenant": tenant_id,
        "items": list(heads),
        "next": [h["next_version"] for h in heads.values()],
        "as_ofs": [again.get(item) for item in heads],
    }
    await connection.execute(_ADVANCE, advanced)
    return allocations


async def _lock_heads(
    connection: Connection, tenant_id: str, wanted: Sequence[AllocationRequest]
) -> dict[UUID, dict[str, Any]]:
    by_item = {r.item_id: r for r in wanted}.values()
    cursor = await connection.execute(
        _LOCK_HEADS,
        {
            "tenant": tenant_id,
            "items": [r.item_id for r in by_item],
            "sources": [r.source for r in by_item],
            "external_ids": [r.external_id for r in by_item],
            "kinds": [r.kind for r in by_item],
        },
    )
    return {row.pop("item_id"): row async for row in cursor}


async def _write(
    connection: Connection,
    tenant_id: str,
    batch_id: UUID,
    wanted: Sequence[AllocationRequest],
    allocations: dict[str, Allocation],
) -> None:
    new = [r for r in wanted if not allocations[r.request_id].unchanged]
    same = [r for r in wanted if allocations[r.request_id].unchanged]
    if new:
        await connection.execute(
            _INSERT,
            {
                "tenant": tenant_id,
                "batch": batch_id,
                "items": [r.item_id for r in new],
                "versions": [allocations[r.request_id].ref.version for r in new],
                "requests": [r.request_id for r in new],
                "events": [r.event_id for r in new],
                "titles": [r.title for r in new],
                "hashes": [r.content_hash for r in new],
                "as_ofs": [r.as_of for r in new],
                "parents": [r.parent and r.parent.item_id for r in new],
                "parent_versions": [r.parent and r.parent.version for r in new],
            },
        )
    if same:
        await connection.execute(
            _UNCHANGED,
            {
                "tenant": tenant_id,
                "events": [r.event_id for r in same],
                "items": [r.item_id for r in same],
                "versions": [allocations[r.request_id].ref.version for r in same],
            },
        )
        await connection.execute("SELECT pg_notify('apex_done', %s)", (tenant_id,))


def _allocation(request_id: str, item_id: UUID, version: int, *, unchanged: bool = False) -> Allocation:
    return Allocation(
        request_id=request_id, ref=VersionRef(item_id=item_id, version=version), unchanged=unchanged
    )
