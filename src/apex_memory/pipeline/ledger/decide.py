"""Versions that want to commit and the heads they meet in, what becomes of each out; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.ledger import CommitState


@dataclass(frozen=True)
class Head:
    """What readers see of an item (`committed`), and what bounds the next commit."""

    item_id: UUID
    committed: int
    last_committed: int
    tombstone: int
    as_of: datetime | None
    content_hash: str | None

    def sees(self, version: int) -> bool:
        """Whether readers see exactly this version now."""
        return self.committed == version > self.tombstone


@dataclass(frozen=True)
class Preparing:
    """A version that is complete in every store and may become visible."""

    ref: VersionRef
    as_of: datetime
    content_hash: str
    parent: VersionRef | None = None
    #: The version that the same event got in its first round, if it was overtaken since.
    first: int | None = None


@dataclass
class Decision:
    """What one commit transaction writes. `superseded` are versions that this commit ends."""

    states: dict[VersionRef, CommitState] = field(default_factory=dict[VersionRef, CommitState])
    superseded: set[VersionRef] = field(default_factory=set[VersionRef])
    heads: dict[UUID, Head] = field(default_factory=dict[UUID, Head])

    @property
    def committed(self) -> Sequence[VersionRef]:
        return [ref for ref, state in self.states.items() if state is CommitState.COMMITTED]

    @property
    def rejected(self) -> Mapping[VersionRef, CommitState]:
        return {ref: s for ref, s in self.states.items() if s is not CommitState.COMMITTED}


def decide(versions: Sequence[Preparing], heads: Mapping[UUID, Head]) -> Decision:
    """Take the versions in order; each sees the head that the one before it left.

    `heads` holds the head of every item named, parents included.
    """
    decision = Decision()
    for version in sorted(versions, key=lambda v: (v.ref.item_id.bytes, v.ref.version)):
        head = decision.heads.get(version.ref.item_id) or heads[version.ref.item_id]
        parent = version.parent
        parent_head = (decision.heads.get(parent.item_id) or heads.get(parent.item_id)) if parent else None
        state = _state_of(version, head, parent_head)
        decision.states[version.ref] = state
        if state is CommitState.COMMITTED:
            decision.heads[head.item_id] = _advance(version, head, decision)
    return decision


def _state_of(preparing: Preparing, head: Head, parent: Head | None) -> CommitState:
    version = preparing.ref.version
    # Overtaken before the item was deleted and allocated anew after: it was sent in before all the same.
    if (preparing.first or version) <= head.tombstone:
        return CommitState.SUPERSEDED
    if preparing.parent and not (parent and parent.sees(preparing.parent.version)):
        return CommitState.SUPERSEDED
    # Commit order is version order, also for late history: an overtaken version is allocated anew.
    if version <= head.last_committed:
        return CommitState.OVERTAKEN
    return CommitState.COMMITTED


def _advance(version: Preparing, head: Head, decision: Decision) -> Head:
    ref = version.ref
    # What lies under a tombstone is nobody's past: the first version after it is the head.
    alive = head.committed > head.tombstone
    if alive and head.as_of is not None and version.as_of < head.as_of:
        # It speaks of an older time than what is known: history, superseded as it commits.
        decision.superseded.add(ref)
        return replace(head, last_committed=ref.version)
    if alive:
        decision.superseded.add(VersionRef(item_id=ref.item_id, version=head.committed))
    return replace(
        head,
        committed=ref.version,
        last_committed=ref.version,
        as_of=version.as_of,
        content_hash=version.content_hash,
    )
