"""What the work behind the workflows asks of the ledger and of the stores, and what it publishes."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.value import Value


class OpenBatch(Value):
    """A batch that nobody has closed. Without a `workflow_id`, the relay has not said that it started it."""

    tenant_id: str
    source: str
    batch_id: UUID
    label: str
    workflow_id: str | None


class Leftover(Value):
    """A batch whose aborted versions some store may still hold."""

    tenant_id: str
    batch_id: UUID


class Standing(StrEnum):
    """What a store should think of a version that it holds."""

    #: Committed and not collected, or being prepared: leave it alone.
    KEPT = "kept"
    #: Decided too recently to judge: a zombie may still be writing it, a reader still reading it.
    RECENT = "recent"
    #: Aborted, collected, forgotten or never allocated: delete it.
    UNKNOWN = "unknown"


class VersionPage(Value):
    """Some of the versions that a store holds; `after` asks for the next page, None: there is none."""

    refs: tuple[VersionRef, ...]
    after: str | None


def cursor_at(ref: VersionRef) -> str:
    """A page's `after`, for a store whose order is that of items and versions."""
    return f"{ref.item_id}:{ref.version}"


def position_after(cursor: str | None) -> VersionRef:
    """The version that a page comes after; before the first page, one that is less than every version."""
    item, _, version = (cursor or f"{UUID(int=0)}:0").partition(":")
    return VersionRef(item_id=UUID(item), version=int(version))


class Reconciliation(Value):
    """One tenant's store against the ledger. At rest `missing`, `torn` and `unknown` are zero."""

    tenant_id: str
    store: str
    checked: int
    #: Live versions of which the store held nothing.
    missing: int
    #: Live versions of which it held other parts than the manifest says.
    torn: int
    #: Versions that it held and that no reader may ever see again.
    unknown: int
    #: How many of all these were put right.
    mended: int
    started_at: datetime
    finished_at: datetime


class WorkflowState(StrEnum):
    """What Temporal says of a workflow; the value stands in the sentence that an operator reads."""

    RUNNING = "is running"
    COMPLETED = "was completed"
    FAILED = "failed"
    CANCELLED = "was cancelled"
    TERMINATED = "was terminated"
    TIMED_OUT = "timed out"
    UNKNOWN = "is unknown to Temporal"


class UpkeepFigures(Value):
    """What a run of the upkeep came to; what a kind of work does not touch stays zero."""

    batches: int = 0
    versions: int = 0
    folders: int = 0
    #: Handed back to the relay.
    released: int = 0
    #: Still in use, or another's to do.
    left_alone: int = 0
    #: Failed and logged; the next run tries again.
    failed: int = 0

    def __add__(self, other: "UpkeepFigures") -> "UpkeepFigures":
        return UpkeepFigures(
            batches=self.batches + other.batches,
            versions=self.versions + other.versions,
            folders=self.folders + other.folders,
            released=self.released + other.released,
            left_alone=self.left_alone + other.left_alone,
            failed=self.failed + other.failed,
        )


class UpkeepRun(Value):
    """A run of the upkeep: how far it has come (None: at the beginning, or at its end), and its figures.

    With a tenant, it looks at nobody else's. All fields may be left out: `{}` starts a run over everything.
    """

    tenant_id: str | None = None
    after: str | None = None
    figures: UpkeepFigures = UpkeepFigures()


class Backlog(Value):
    """How much waits for the upkeep, and for how long the oldest of it has (seconds, 0: nothing waits)."""

    open_batches: int
    oldest_open_s: float
    preparing: int
    oldest_preparing_s: float
    cleanup_pending: int
    oldest_cleanup_pending_s: float
    superseded: int
    oldest_superseded_s: float
