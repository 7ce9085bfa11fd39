"""The rows of an in-memory ledger: what it is told in, what it knows of batches and versions out."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from apex_memory.domain.bundles import Manifest, VersionRef
from apex_memory.domain.ledger import CommitResult, CommitState, Outcome
from apex_memory.domain.upkeep import OpenBatch, Standing
from apex_memory.pipeline.ledger.decide import Head, Preparing

State = Literal["preparing", "committed", "aborted"]


@dataclass
class VersionRow:
    """One version; times are seconds of the ledger's clock."""

    ref: VersionRef
    request_id: str
    event_id: UUID
    batch_id: UUID
    content_hash: str
    as_of: datetime
    parent: VersionRef | None
    allocated_at: float
    state: State = "preparing"
    tombstone: bool = False
    manifests: dict[str, Manifest] | None = None
    commit_seq: int | None = None
    superseded_seq: int | None = None
    superseded_at: float | None = None
    collected_at: float | None = None
    decided_at: float | None = None
    reason: str | None = None
    cleanup_pending: bool = False

    def visible_at(self, seq: int) -> bool:
        """The read filter."""
        return (
            not self.tombstone
            and self.commit_seq is not None
            and self.commit_seq <= seq
            and (self.superseded_seq is None or self.superseded_seq > seq)
        )

    def live(self) -> bool:
        return self.state == "committed" and self.superseded_seq is None and not self.tombstone

    def wants_commit(self, *, first: int) -> Preparing:
        return Preparing(
            ref=self.ref, as_of=self.as_of, content_hash=self.content_hash, parent=self.parent, first=first
        )

    def standing(self, *, window_s: float, now: float) -> Standing:
        if self.state == "preparing" or (self.state == "committed" and self.collected_at is None):
            return Standing.KEPT
        ended = self.decided_at if self.collected_at is None else self.collected_at
        return Standing.UNKNOWN if ended is not None and ended < now - window_s else Standing.RECENT

    def end(self, seq: int, *, at: float) -> None:
        """Superseded once, for good."""
        if self.state == "committed" and self.superseded_seq is None:
            self.superseded_seq, self.superseded_at = seq, at

    def reject(self, reason: str, *, at: float) -> None:
        self.state, self.reason, self.cleanup_pending, self.decided_at = "aborted", reason, True, at

    def decided(self) -> CommitResult:
        """What an earlier commit came to."""
        if self.state == "committed":
            state = CommitState.COMMITTED
        elif self.reason in {CommitState.OVERTAKEN, CommitState.SUPERSEDED}:
            state = CommitState(self.reason)
        else:
            state = CommitState.ABORTED
        return CommitResult(request_id=self.request_id, ref=self.ref, state=state, commit_seq=self.commit_seq)


@dataclass
class BatchRow:
    """A batch as the relay claimed it."""

    open: OpenBatch
    events: tuple[UUID, ...]
    claimed_at: float
    closed_at: float | None = None


@dataclass(frozen=True)
class Ended:
    """How an event ended, and when."""

    outcome: Outcome
    reason: str | None
    ref: VersionRef | None
    at: float


def tombstone(ref: VersionRef, *, request_id: UUID, seq: int, at: float) -> VersionRow:
    """A version without content, committed as it is made."""
    return VersionRow(
        ref=ref,
        request_id=f"{request_id}:{ref.item_id}",
        event_id=request_id,
        batch_id=request_id,
        content_hash="",
        as_of=datetime.min.replace(tzinfo=UTC),
        parent=None,
        allocated_at=at,
        state="committed",
        tombstone=True,
        commit_seq=seq,
        decided_at=at,
    )


def unborn(item_id: UUID) -> Head:
    """The head of an item of which nothing was ever committed."""
    return Head(item_id=item_id, committed=0, last_committed=0, tombstone=0, as_of=None, content_hash=None)
