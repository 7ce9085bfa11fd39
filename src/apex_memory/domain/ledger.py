"""What is asked of the ledger and what it answers: allocation, commit, snapshot and ingestion values."""

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from apex_memory.domain.bundles import ItemKind, Manifest, VersionRef
from apex_memory.domain.value import Value


class Outcome(StrEnum):
    """How an accepted request ended; exactly one of these."""

    COMMITTED = "committed"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    ABORTED = "aborted"
    QUARANTINED = "quarantined"


class AllocationRequest(Value):
    """One bundle that wants a version. The same `request_id` always gets the same version."""

    request_id: str
    event_id: UUID
    item_id: UUID
    source: str
    external_id: str
    kind: ItemKind
    title: str
    content_hash: str
    as_of: datetime
    parent: VersionRef | None = None


class Allocation(Value):
    """The version a request got, or the version that already says the same."""

    request_id: str
    ref: VersionRef
    unchanged: bool


class CommitState(StrEnum):
    """What the commit of one version came to."""

    COMMITTED = "committed"
    #: A higher version of the item committed first: allocate again, and the newer `as_of` decides.
    OVERTAKEN = "overtaken"
    #: The item was deleted after this version was allocated, or what it derives from is not seen any more:
    #: it can never be visible.
    SUPERSEDED = "superseded"
    ABORTED = "aborted"


class CommitResult(Value):
    request_id: str
    ref: VersionRef
    state: CommitState
    commit_seq: int | None = None


class Burial(Value):
    """A deleted item: from `seq` on nobody reads it. `tombstones` are its own and its derived items'."""

    seq: int
    tombstones: tuple[VersionRef, ...]


class VersionManifests(Value):
    """What each store, by name, must hold of one version."""

    ref: VersionRef
    manifests: dict[str, Manifest]


class Arrival(Value):
    """How a webhook delivery came: at which endpoint, signed with which secret, with which headers."""

    endpoint_id: str
    secret_id: UUID
    headers: dict[str, str]


class Ending(Value):
    """How an event ends where it arrives: nothing of it is to be remembered, or nothing can be."""

    outcome: Outcome
    reason: str


class InboxEvent(Value):
    """One delivery, kept raw. `dedupe_key` is unique per tenant and source; what has an ending is over."""

    event_id: UUID
    tenant_id: str
    source: str
    kind: ItemKind
    dedupe_key: str
    label: str
    body: bytes
    received_at: datetime
    arrival: Arrival | None = None
    ending: Ending | None = None


class Accepted(Value):
    """What became of a delivery: the event that holds it, which may have been there before."""

    event_id: UUID
    duplicate: bool


class Batch(Value):
    """Events of one tenant and source that one workflow takes in."""

    tenant_id: str
    source: str
    kind: ItemKind
    batch_id: UUID
    label: str
    size: int


class AcceptedBatch(Value):
    """A batch as it is kept; started: its workflow was, or is over, and nobody has to start it."""

    batch: Batch
    duplicate: bool
    started: bool


IngestionState = Literal["received", "running", "done"]


class Ingestion(Value):
    """How far one accepted event has come."""

    ingestion_id: UUID
    source: str
    kind: ItemKind
    label: str
    state: IngestionState
    outcome: Outcome | None = None
    reason: str | None = None
    item_id: UUID | None = None
    version: int | None = None
    seq: int | None = None
    workflow_id: str | None = None
    received_at: datetime
    finished_at: datetime | None = None


class Conclusion(Value):
    """How one event ended without a commit: quarantined, aborted or superseded, and why."""

    event_id: UUID
    outcome: Outcome
    reason: str


class Announcement(Value):
    """One version became visible at `commit_seq`; said at least once, always with the same `outbox_id`."""

    tenant_id: str
    outbox_id: int
    item_id: UUID
    version: int
    commit_seq: int
