"""Allocations, commits and aborts in, the order of versions out: the ledger without a database."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.ledger import (
    Allocation,
    AllocationRequest,
    Burial,
    CommitResult,
    CommitState,
    Outcome,
    VersionManifests,
)
from apex_memory.domain.upkeep import Leftover, OpenBatch, Reconciliation, Standing
from apex_memory.pipeline.ledger.decide import Head, decide
from apex_memory.testing.ledger_rows import BatchRow, Ended, VersionRow, tombstone, unborn


class MemoryLedger:
    """Keeps the contracts of `ports.Ledger` and `ports.Upkeep`. `clock` gives seconds, and is its own.

    No method waits, so each is one transaction. It decides with `decide`, as the real ledger does.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.versions: dict[tuple[str, VersionRef], VersionRow] = {}
        self.batches: dict[tuple[str, UUID], BatchRow] = {}
        self.outcomes: dict[tuple[str, UUID], Ended] = {}
        self.outbox: list[tuple[str, VersionRef, int]] = []
        self._heads: dict[tuple[str, UUID], Head] = {}
        self._next: dict[tuple[str, UUID], int] = {}
        self._seqs: defaultdict[str, int] = defaultdict(int)
        self._figures: dict[tuple[str, str], Reconciliation] = {}

    async def allocate(
        self, tenant_id: str, batch_id: UUID, requests: Sequence[AllocationRequest]
    ) -> Sequence[Allocation]:
        return [self._known(tenant_id, r) or self._allocate(tenant_id, batch_id, r) for r in requests]

    async def expect(self, tenant_id: str, expected: Sequence[VersionManifests]) -> None:
        for one in expected:
            row = self.versions.get((tenant_id, one.ref))
            if row is not None and row.state == "preparing":
                row.manifests = one.manifests

    async def preparing(self, tenant_id: str, batch_id: UUID) -> Mapping[str, VersionRef]:
        return {row.request_id: row.ref for row in self._preparing(tenant_id, batch_id)}

    async def manifests(self, tenant_id: str, batch_id: UUID) -> Sequence[VersionManifests]:
        return [
            VersionManifests(ref=row.ref, manifests=row.manifests)
            for row in self._preparing(tenant_id, batch_id)
            if row.manifests is not None
        ]

    async def commit(
        self, tenant_id: str, batch_id: UUID, *, verified: Collection[VersionRef]
    ) -> Sequence[CommitResult]:
        preparing = [row for row in self._preparing(tenant_id, batch_id) if row.ref in verified]
        heads = {item: head for (tenant, item), head in self._heads.items() if tenant == tenant_id}
        first: dict[UUID, int] = {}
        for row in self._of_batch(tenant_id, batch_id):
            first.setdefault(row.event_id, row.ref.version)
        decision = decide([row.wants_commit(first=first[row.event_id]) for row in preparing], heads)
        seq, now = self._seqs[tenant_id] + 1, self._clock()
        for ref in decision.committed:
            row = self.versions[tenant_id, ref]
            row.state, row.commit_seq, row.decided_at = "committed", seq, now
            self.outbox.append((tenant_id, ref, seq))
            self._seqs[tenant_id] = seq
        for ref in decision.superseded:
            self.versions[tenant_id, ref].end(seq, at=now)
            self._end_derived(tenant_id, ref, seq)
        for item, head in decision.heads.items():
            self._heads[tenant_id, item] = head
        for ref, state in decision.rejected.items():
            self.versions[tenant_id, ref].reject(str(state), at=now)
        for row in preparing:
            if row.reason != CommitState.OVERTAKEN:
                outcome = Outcome.COMMITTED if row.state == "committed" else Outcome.SUPERSEDED
                self._conclude(tenant_id, row.event_id, outcome, reason=row.reason, ref=row.ref)
        rows = self._of_batch(tenant_id, batch_id)
        return [row.decided() for row in rows if row.state != "preparing"]

    async def abort(self, tenant_id: str, batch_id: UUID, *, reason: str) -> Sequence[VersionRef]:
        for row in self._preparing(tenant_id, batch_id):
            row.reject(reason, at=self._clock())
            self._conclude(tenant_id, row.event_id, Outcome.ABORTED, reason=reason)
        return await self.aborted(tenant_id, batch_id)

    async def aborted(self, tenant_id: str, batch_id: UUID) -> Sequence[VersionRef]:
        rows = self._of_batch(tenant_id, batch_id)
        return [row.ref for row in rows if row.state == "aborted" and row.cleanup_pending]

    async def cleaned(self, tenant_id: str, versions: Sequence[VersionRef]) -> None:
        for ref in versions:
            if self.versions[tenant_id, ref].state == "aborted":
                self.versions[tenant_id, ref].cleanup_pending = False

    async def bury(self, tenant_id: str, item_id: UUID, *, request_id: UUID) -> Burial:
        done = [row for row in self._of_batch(tenant_id, request_id) if row.tombstone]
        if done:
            return Burial(seq=done[0].commit_seq or 0, tombstones=tuple(row.ref for row in done))
        if (tenant_id, item_id) not in self._heads:
            raise ItemNotFound("item", str(item_id))
        derived = {r.ref.item_id for r in self._rows(tenant_id) if r.parent and r.parent.item_id == item_id}
        self._seqs[tenant_id] += 1
        family = sorted({item_id, *derived}, key=lambda item: item.bytes)
        tombstones = tuple(self._bury(tenant_id, item, request_id) for item in family)
        return Burial(seq=self._seqs[tenant_id], tombstones=tombstones)

    async def snapshot(self, tenant_id: str) -> int:
        return self._seqs[tenant_id]

    async def tenants(self) -> Sequence[str]:
        return sorted({tenant for tenant, _ in self._heads})

    async def open_batches(self, *, older_than_s: float, limit: int) -> Sequence[OpenBatch]:
        unfinished = {
            (tenant, row.batch_id)
            for (tenant, _), row in self.versions.items()
            if row.state == "preparing" and self._older(row.allocated_at, older_than_s)
        }
        found = [
            batch
            for key, batch in self.batches.items()
            if (self._older(batch.claimed_at, older_than_s) if batch.closed_at is None else key in unfinished)
        ]
        found.sort(key=lambda batch: (batch.claimed_at, batch.open.batch_id.bytes))
        return [batch.open for batch in found[:limit]]

    async def leftovers(self, *, older_than_s: float, limit: int) -> Sequence[Leftover]:
        since: dict[tuple[str, UUID], float] = {}
        for (tenant, _), row in self.versions.items():
            if row.cleanup_pending and self._older(row.decided_at, older_than_s):
                key = tenant, row.batch_id
                since[key] = min(since.get(key, self._clock()), row.decided_at or 0.0)
        oldest = sorted(since, key=lambda key: (since[key], key[1].bytes))
        return [Leftover(tenant_id=tenant, batch_id=batch) for tenant, batch in oldest[:limit]]

    async def superseded(self, tenant_id: str, *, older_than_s: float, limit: int) -> Sequence[VersionRef]:
        rows = [
            row
            for row in self._rows(tenant_id)
            if row.collected_at is None and self._older(row.superseded_at, older_than_s)
        ]
        return [row.ref for row in sorted(rows, key=lambda row: row.superseded_at or 0.0)[:limit]]

    async def collected(self, tenant_id: str, versions: Sequence[VersionRef]) -> None:
        for ref in versions:
            row = self.versions[tenant_id, ref]
            if row.superseded_seq is not None and row.collected_at is None:
                row.collected_at = self._clock()

    async def live(
        self, tenant_id: str, *, after: VersionRef | None, limit: int
    ) -> Sequence[VersionManifests]:
        rows = sorted((row for row in self._rows(tenant_id) if row.live()), key=lambda r: _order(r.ref))
        following = [row for row in rows if after is None or _order(row.ref) > _order(after)]
        return [VersionManifests(ref=row.ref, manifests=row.manifests or {}) for row in following[:limit]]

    async def standing(
        self, tenant_id: str, versions: Sequence[VersionRef], *, window_s: float
    ) -> Mapping[VersionRef, Standing]:
        held = {ref: self.versions.get((tenant_id, ref)) for ref in versions}
        return {
            ref: row.standing(window_s=window_s, now=self._clock()) if row else Standing.UNKNOWN
            for ref, row in held.items()
        }

    async def over(
        self, tenant_id: str, data_ids: Sequence[UUID], *, older_than_s: float
    ) -> Collection[UUID]:
        over: set[UUID] = set()
        accepted = {event for batch in self.batches.values() for event in batch.events}
        for data_id in data_ids:
            batch, ended = self.batches.get((tenant_id, data_id)), self.outcomes.get((tenant_id, data_id))
            batch_over = batch is None or self._older(batch.closed_at, older_than_s)
            if batch_over and (data_id not in accepted or (ended and self._older(ended.at, older_than_s))):
                over.add(data_id)
        return over

    async def publish(self, figures: Reconciliation) -> None:
        kept = self._figures.get((figures.tenant_id, figures.store))
        if kept is None or kept.started_at <= figures.started_at:
            self._figures[figures.tenant_id, figures.store] = figures

    async def published(self, tenant_id: str | None = None) -> Sequence[Reconciliation]:
        return [self._figures[key] for key in sorted(self._figures) if tenant_id in {None, key[0]}]

    # What the inbox's rows are to the real ledger.

    def claim(self, batch: OpenBatch, events: Sequence[UUID]) -> None:
        """The relay took these events into a batch."""
        self.batches[batch.tenant_id, batch.batch_id] = BatchRow(batch, tuple(events), self._clock())

    def close(self, tenant_id: str, batch_id: UUID, *, reason: str | None = None) -> None:
        """As `Inbox.close`."""
        batch = self.batches[tenant_id, batch_id]
        batch.closed_at = self._clock() if batch.closed_at is None else batch.closed_at
        for event_id in batch.events if reason is not None else ():
            self._conclude(tenant_id, event_id, Outcome.QUARANTINED, reason=reason)

    def _known(self, tenant_id: str, request: AllocationRequest) -> Allocation | None:
        ended = self.outcomes.get((tenant_id, request.event_id))
        if ended and ended.ref and ended.outcome is Outcome.UNCHANGED:
            return Allocation(request_id=request.request_id, ref=ended.ref, unchanged=True)
        for row in self._rows(tenant_id):
            if row.request_id == request.request_id:
                return Allocation(request_id=request.request_id, ref=row.ref, unchanged=False)
        return None

    def _allocate(self, tenant_id: str, batch_id: UUID, request: AllocationRequest) -> Allocation:
        key = tenant_id, request.item_id
        head = self._heads.setdefault(key, unborn(request.item_id))
        if head.committed > head.tombstone and head.content_hash == request.content_hash:
            ref = VersionRef(item_id=request.item_id, version=head.committed)
            self._conclude(tenant_id, request.event_id, Outcome.UNCHANGED, ref=ref)
            self._heads[key] = replace(head, as_of=max(request.as_of, head.as_of or request.as_of))
            return Allocation(request_id=request.request_id, ref=ref, unchanged=True)
        ref = self._number(tenant_id, request.item_id)
        self.versions[tenant_id, ref] = VersionRow(
            ref=ref,
            request_id=request.request_id,
            event_id=request.event_id,
            batch_id=batch_id,
            content_hash=request.content_hash,
            as_of=request.as_of,
            parent=request.parent,
            allocated_at=self._clock(),
        )
        return Allocation(request_id=request.request_id, ref=ref, unchanged=False)

    def _bury(self, tenant_id: str, item_id: UUID, request_id: UUID) -> VersionRef:
        seq, now = self._seqs[tenant_id], self._clock()
        for row in self._rows(tenant_id):
            if row.ref.item_id == item_id:
                row.end(seq, at=now)
        ref = self._number(tenant_id, item_id)
        self.versions[tenant_id, ref] = tombstone(ref, request_id=request_id, seq=seq, at=now)
        self._heads[tenant_id, item_id] = replace(
            self._heads[tenant_id, item_id],
            tombstone=ref.version,
            last_committed=ref.version,
            as_of=None,
            content_hash=None,
        )
        return ref

    def _end_derived(self, tenant_id: str, parent: VersionRef, seq: int) -> None:
        for row in self._rows(tenant_id):
            if row.parent == parent:
                row.end(seq, at=self._clock())

    def _number(self, tenant_id: str, item_id: UUID) -> VersionRef:
        number = self._next.get((tenant_id, item_id), 1)
        self._next[tenant_id, item_id] = number + 1
        return VersionRef(item_id=item_id, version=number)

    def _conclude(
        self,
        tenant_id: str,
        event_id: UUID,
        outcome: Outcome,
        *,
        reason: str | None = None,
        ref: VersionRef | None = None,
    ) -> None:
        self.outcomes.setdefault((tenant_id, event_id), Ended(outcome, reason, ref, self._clock()))

    def _older(self, since: float | None, age_s: float) -> bool:
        return since is not None and since < self._clock() - age_s

    def _rows(self, tenant_id: str) -> Sequence[VersionRow]:
        return [row for (tenant, _), row in self.versions.items() if tenant == tenant_id]

    def _of_batch(self, tenant_id: str, batch_id: UUID) -> Sequence[VersionRow]:
        rows = [row for row in self._rows(tenant_id) if row.batch_id == batch_id]
        return sorted(rows, key=lambda row: _order(row.ref))

    def _preparing(self, tenant_id: str, batch_id: UUID) -> Sequence[VersionRow]:
        return [row for row in self._of_batch(tenant_id, batch_id) if row.state == "preparing"]


def _order(ref: VersionRef) -> tuple[bytes, int]:
    return ref.item_id.bytes, ref.version
