"""What crosses Temporal: small, frozen, and references instead of content."""

from uuid import UUID

from apex_memory.domain.bundles import ItemKind
from apex_memory.domain.value import Value


class IngestBatch(Value):
    """Start of an ingestion: which inbox events, and what an operator should read in the list.

    small: its steps take milliseconds each. False in what was recorded before.
    """

    tenant_id: str
    source: str
    batch_id: UUID
    kind: ItemKind
    label: str
    size: int
    small: bool = False


class StagedBatch(Value):
    """A batch at rest in the staging area under `key`; each stage leaves its product there for the next.

    wanted: of how many records something is to be fetched from their source. 0 in what was recorded before.
    """

    tenant_id: str
    source: str
    batch_id: UUID
    key: str
    items: int
    wanted: int = 0


class WriteRound(Value):
    """One try at writing a staged batch; `only` names the events that the round before left overtaken."""

    staged: StagedBatch
    round: int
    only: tuple[UUID, ...] | None = None


class Allocated(Value):
    """How many versions to write, and into which stores: recorded, so a new store breaks no run in flight."""

    versions: int
    unchanged: int
    stores: tuple[str, ...]


class Committed(Value):
    """What the commit came to. `seq` is the read-your-writes token; `overtaken` events want another round."""

    seq: int | None
    committed: int
    superseded: int
    overtaken: tuple[UUID, ...]


class Undoing(Value):
    """Versions of a batch to take back, and why; if `decided`, only those that a commit has rejected."""

    tenant_id: str
    batch_id: UUID
    reason: str
    decided: bool = False


class Aborted(Value):
    """How many versions want cleaning, and in which stores. 0: the batch had committed, or wrote nothing."""

    versions: int
    stores: tuple[str, ...]


class BatchFailed(Value):
    """A batch that ends without being written, and why."""

    batch: IngestBatch
    reason: str


class IngestResult(Value):
    """The end of an ingestion, as the Temporal UI shows it."""

    committed: int
    unchanged: int
    superseded: int
    quarantined: int
    seq: int | None
