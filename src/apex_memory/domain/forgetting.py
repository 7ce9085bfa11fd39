"""An item to forget in, how far its erasure has come out, and the receipt that nothing of it is left."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.value import Value


class ItemName(Value):
    """An item as its source calls it."""

    source: str
    external_id: str


class ForgettingState(StrEnum):
    """How far a request to forget has come. Readers see nothing of the item in any of these."""

    #: Its text is being deleted, place by place.
    ERASING = "erasing"
    #: Nothing was left at the first count; zombies get their time to show themselves.
    WAITING = "waiting"
    #: Nothing was left at the second count either: this is the receipt.
    DONE = "done"


class Census(Value):
    """How much of an item each place held at one time: versions, rows, files or keys."""

    counted_at: datetime
    held: dict[str, int]

    @property
    def clean(self) -> bool:
        return not any(self.held.values())


class Forgetting(Value):
    """One request to forget. Once it is `done` it is the receipt: two counts, a zombie window apart."""

    forget_id: UUID
    item_id: UUID
    seq: int
    state: ForgettingState
    requested_at: datetime
    first_count: Census | None = None
    second_count: Census | None = None
    completed_at: datetime | None = None
    workflow_id: str | None = None


class ForgetItem(Value):
    """What crosses Temporal: whose item, and for how long a writer may be late."""

    tenant_id: str
    forget_id: UUID
    item_id: UUID
    seq: int
    zombie_window_s: float


class Condemnation(Value):
    """How many versions are to be erased, and from which stores: recorded, as with an allocation."""

    versions: int
    stores: tuple[str, ...]


class CountWanted(Value):
    """A count after the erasure, or the `last` one, after the zombie window."""

    forget: ForgetItem
    last: bool


class Condemned(Value):
    """What must go: `buried` names the item and its derived ones, each with the tombstone over it.

    `known` are the versions that the ledger knows of. One that it does not know, but that lies under a
    tombstone, is condemned as well.
    """

    buried: tuple[VersionRef, ...]
    known: tuple[VersionRef, ...]

    @property
    def items(self) -> Sequence[UUID]:
        return list(dict.fromkeys(ref.item_id for ref in (*self.buried, *self.known)))

    def among(self, held: Sequence[VersionRef]) -> Sequence[VersionRef]:
        """Those of the versions that are condemned."""
        tombstones = {ref.item_id: ref.version for ref in self.buried}
        known = set(self.known)
        return [ref for ref in held if ref in known or ref.version <= tombstones.get(ref.item_id, 0)]


class Delivery(Value):
    """An event of a condemned item: under which names its content may be staged."""

    event_id: UUID
    source: str
    batch_id: UUID | None
    staged: str | None
