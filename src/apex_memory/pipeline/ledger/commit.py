"""A prepared batch in, visible versions out: one transaction, one sequence number, all items or none."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from apex_memory.database import Connection, columns_of, ref_of
from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.ledger import CommitResult, CommitState
from apex_memory.pipeline.ledger.decide import Decision, Head, Preparing, decide

# The clock's row lock is taken first and held to COMMIT: commit order is sequence order, and every commit of
# a tenant locks in the same order (clock, versions, heads), so two of them cannot deadlock.
LOCK_CLOCK: Final = """
INSERT INTO tenant_clock (tenant_id) VALUES (%s)
ON CONFLICT (tenant_id) DO UPDATE SET seq = tenant_clock.seq RETURNING seq
"""

_VERSIONS: Final = """
SELECT request_id, event_id, item_id, version, state, reason, commit_seq, as_of, content_hash,
       parent_item, parent_version
FROM item_version WHERE tenant_id = %s AND batch_id = %s ORDER BY item_id, version FOR UPDATE
"""

_HEADS: Final = """
SELECT item_id, committed, last_committed, tombstone, as_of, content_hash FROM item_head
WHERE tenant_id = %s AND item_id = ANY(%s) ORDER BY item_id FOR UPDATE
"""

TICK: Final = "UPDATE tenant_clock SET seq = %s WHERE tenant_id = %s"

_COMMIT: Final = """
UPDATE item_version AS v SET state = 'committed', commit_seq = %(seq)s, decided_at = now()
FROM unnest(%(items)s::uuid[], %(versions)s::int[]) AS c (item_id, version)
WHERE v.tenant_id = %(tenant)s AND v.item_id = c.item_id AND v.version = c.version
"""

# Not now(), which is when this transaction began, before it had waited for locks: readers have their grace
# from here on.
_SUPERSEDE: Final = """
UPDATE item_version AS v SET superseded_seq = %(seq)s, superseded_at = clock_timestamp()
FROM unnest(%(items)s::uuid[], %(versions)s::int[]) AS c (item_id, version)
WHERE v.tenant_id = %(tenant)s AND v.item_id = c.item_id AND v.version = c.version
  AND v.superseded_seq IS NULL
"""

# What derives from a version ends with it, in the same transaction: a reader need not ask for the parent.
_SUPERSEDE_DERIVED: Final = """
UPDATE item_version AS v SET superseded_seq = %(seq)s, superseded_at = clock_timestamp()
FROM unnest(%(items)s::uuid[], %(versions)s::int[]) AS c (item_id, version)
WHERE v.tenant_id = %(tenant)s AND v.parent_item = c.item_id AND v.parent_version = c.version
  AND v.state = 'committed' AND v.superseded_seq IS NULL
"""

_REJECT: Final = """
UPDATE item_version AS v
SET state = 'aborted', reason = c.reason, cleanup_pending = true, decided_at = now()
FROM unnest(%(items)s::uuid[], %(versions)s::int[], %(reasons)s::text[]) AS c (item_id, version, reason)
WHERE v.tenant_id = %(tenant)s AND v.item_id = c.item_id AND v.version = c.version
"""

_MOVE_HEADS: Final = """
UPDATE item_head AS h
SET committed = m.committed, last_committed = m.last_committed, as_of = m.as_of, content_hash = m.content_hash
FROM unnest(%(items)s::uuid[], %(committed)s::int[], %(last)s::int[], %(as_ofs)s::timestamptz[],
            %(hashes)s::text[])
     AS m (item_id, committed, last_committed, as_of, content_hash)
WHERE h.tenant_id = %(tenant)s AND h.item_id = m.item_id
"""

# An overtaken version's event stays open: the workflow writes it again in another round.
_CONCLUDE: Final = """
UPDATE inbox_event AS e
SET outcome = CASE v.state WHEN 'committed' THEN 'committed' ELSE 'superseded' END,
    item_id = v.item_id, version = v.version, commit_seq = v.commit_seq, reason = v.reason,
    finished_at = now()
FROM unnest(%(items)s::uuid[], %(versions)s::int[]) AS c (item_id, version)
JOIN item_version AS v ON v.tenant_id = %(tenant)s AND v.item_id = c.item_id AND v.version = c.version
WHERE e.tenant_id = %(tenant)s AND e.event_id = v.event_id AND e.outcome IS NULL
  AND v.reason IS DISTINCT FROM 'overtaken'
"""

_OUTBOX: Final = """
INSERT INTO outbox (tenant_id, item_id, version, commit_seq)
SELECT %(tenant)s, c.item_id, c.version, %(seq)s
FROM unnest(%(items)s::uuid[], %(versions)s::int[]) AS c (item_id, version)
"""

_NOTIFY: Final = "SELECT pg_notify('apex_done', %(tenant)s), pg_notify('apex_outbox', '')"


async def commit(
    connection: Connection, tenant_id: str, batch_id: UUID, verified: Collection[VersionRef]
) -> Sequence[CommitResult]:
    """Within the caller's transaction, commit what the batch prepared; asked again, answer what was decided.

    The caller has verified the stores against the manifests: after this, readers rely on them. What it has
    not verified stays as it is.
    """
    cursor = await connection.execute(LOCK_CLOCK, (tenant_id,))
    clock = await cursor.fetchone()
    cursor = await connection.execute(_VERSIONS, (tenant_id, batch_id))
    rows = await cursor.fetchall()
    first = _first_rounds(rows)
    preparing = [
        _preparing(row, first) for row in rows if row["state"] == "preparing" and ref_of(row) in verified
    ]
    earlier = [_decided(row) for row in rows if row["state"] != "preparing"]
    if not preparing:
        return earlier
    assert clock is not None  # noqa: S101 - INSERT … RETURNING always returns its row
    seq = clock["seq"] + 1
    decision = decide(preparing, await _heads(connection, tenant_id, preparing))
    await _write(connection, tenant_id, seq, decision)
    request_of = {ref_of(row): row["request_id"] for row in rows}
    return [*earlier, *_results(decision, seq, request_of)]


async def _heads(connection: Connection, tenant_id: str, versions: Sequence[Preparing]) -> dict[UUID, Head]:
    items = sorted({v.ref.item_id for v in versions} | {v.parent.item_id for v in versions if v.parent})
    cursor = await connection.execute(_HEADS, (tenant_id, items))
    return {row["item_id"]: Head(**row) async for row in cursor}


async def _write(connection: Connection, tenant_id: str, seq: int, decision: Decision) -> None:
    committed, rejected, heads = decision.committed, decision.rejected, list(decision.heads.values())
    if committed:
        where = {"tenant": tenant_id, "seq": seq, **columns_of(committed)}
        await connection.execute(TICK, (seq, tenant_id))
        await connection.execute(_COMMIT, where)
        ended = {**where, **columns_of(list(decision.superseded))}
        await connection.execute(_SUPERSEDE, ended)
        await connection.execute(_SUPERSEDE_DERIVED, ended)
        await connection.execute(_OUTBOX, where)
        moved = {
            "tenant": tenant_id,
            "items": [h.item_id for h in heads],
            "committed": [h.committed for h in heads],
            "last": [h.last_committed for h in heads],
            "as_ofs": [h.as_of for h in heads],
            "hashes": [h.content_hash for h in heads],
        }
        await connection.execute(_MOVE_HEADS, moved)
    if rejected:
        reasons = [str(state) for state in rejected.values()]
        await connection.execute(
            _REJECT, {"tenant": tenant_id, **columns_of(list(rejected)), "reasons": reasons}
        )
    await connection.execute(_CONCLUDE, {"tenant": tenant_id, **columns_of(list(decision.states))})
    await connection.execute(_NOTIFY, {"tenant": tenant_id})


def _results(decision: Decision, seq: int, request_of: Mapping[VersionRef, str]) -> Sequence[CommitResult]:
    return [
        CommitResult(
            request_id=request_of[ref],
            ref=ref,
            state=state,
            commit_seq=seq if state is CommitState.COMMITTED else None,
        )
        for ref, state in decision.states.items()
    ]


def _decided(row: dict[str, Any]) -> CommitResult:
    """What an earlier call decided: a lost acknowledgement is resolved by reading, never by guessing."""
    if row["state"] == "committed":
        state = CommitState.COMMITTED
    elif row["reason"] in {CommitState.OVERTAKEN, CommitState.SUPERSEDED}:
        state = CommitState(row["reason"])
    else:
        state = CommitState.ABORTED
    return CommitResult(
        request_id=row["request_id"], ref=ref_of(row), state=state, commit_seq=row["commit_seq"]
    )


def _first_rounds(batch: Sequence[dict[str, Any]]) -> Mapping[UUID, int]:
    """The lowest version of each event: all its rounds belong to one batch, and to one item."""
    first: dict[UUID, int] = {}
    for row in batch:
        first[row["event_id"]] = min(row["version"], first.get(row["event_id"], row["version"]))
    return first


def _preparing(row: dict[str, Any], first: Mapping[UUID, int]) -> Preparing:
    parent = row["parent_item"] and VersionRef(item_id=row["parent_item"], version=row["parent_version"])
    return Preparing(
        ref=ref_of(row),
        as_of=row["as_of"],
        content_hash=row["content_hash"],
        parent=parent,
        first=first[row["event_id"]],
    )
