"""How far a comparison of a store with the ledger, or the rebuilding of one, has come."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from apex_memory.domain.upkeep import Reconciliation
from apex_memory.domain.value import Value


class Differences(Value):
    """What a comparison found: see `Reconciliation`."""

    checked: int = 0
    missing: int = 0
    torn: int = 0
    unknown: int = 0
    mended: int = 0

    @property
    def found(self) -> int:
        return self.missing + self.torn + self.unknown

    def __add__(self, other: "Differences") -> "Differences":
        return Differences(
            checked=self.checked + other.checked,
            missing=self.missing + other.missing,
            torn=self.torn + other.torn,
            unknown=self.unknown + other.unknown,
            mended=self.mended + other.mended,
        )


class Stretch(StrEnum):
    """What is gone through, one after the other."""

    #: The live versions, each against what the store holds of it.
    LIVE = "live"
    #: The versions that the store holds, each against what the ledger says of it.
    HELD = "held"
    DONE = "done"


class Comparison(Value):
    """One tenant's store, compared up to `after` of a stretch."""

    tenant_id: str
    store: str
    #: Its name where readers are told that the store may lack something; also the seed of its sample.
    comparison_id: UUID
    #: Those that had said so when it began: what they were at is done once this is.
    earlier: tuple[UUID, ...]
    started_at: datetime
    stretch: Stretch = Stretch.LIVE
    after: str | None = None
    differences: Differences = Differences()

    def result(self, *, finished_at: datetime) -> Reconciliation:
        return Reconciliation(
            tenant_id=self.tenant_id,
            store=self.store,
            started_at=self.started_at,
            finished_at=finished_at,
            **self.differences.model_dump(),
        )


class RebuildRun(Value):
    """A store that is rebuilt, of one tenant or of all: how far, and what the comparisons after it found."""

    store: str
    tenant_id: str | None = None
    rebuild_id: UUID | None = None
    total: int = 0
    written: int = 0
    #: The tenant that is written up to `after`, then compared, and with neither of them done.
    at: str | None = None
    after: str | None = None
    comparison: Comparison | None = None
    differences: Differences = Differences()
    done: bool = False
