"""Allocations, commits and aborts in, the order of versions out; and what the upkeep asks of it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.ledger import Allocation, AllocationRequest, Burial, CommitResult, VersionManifests
from apex_memory.domain.upkeep import Leftover, OpenBatch, Reconciliation, Standing


class Ledger(Protocol):
    """The truth about versions: who is preparing, what is committed, and in what order."""

    async def allocate(
        self, tenant_id: str, batch_id: UUID, requests: Sequence[AllocationRequest]
    ) -> Sequence[Allocation]:
        """Give each request its version, in one transaction; the same content as the head is `unchanged`."""
        ...

    async def expect(self, tenant_id: str, expected: Sequence[VersionManifests]) -> None:
        """Note what every store must hold before a version may commit."""
        ...

    async def preparing(self, tenant_id: str, batch_id: UUID) -> Mapping[str, VersionRef]:
        """The batch's versions in state `preparing`, by request id."""
        ...

    async def manifests(self, tenant_id: str, batch_id: UUID) -> Sequence[VersionManifests]:
        """What was expected of the batch's `preparing` versions."""
        ...

    async def commit(
        self, tenant_id: str, batch_id: UUID, *, verified: Collection[VersionRef]
    ) -> Sequence[CommitResult]:
        """Commit the batch's versions in one transaction; asked again, it answers the same.

        Only what the caller has verified: by the time that a call lands, the batch may be preparing the
        versions of another round.
        """
        ...

    async def abort(self, tenant_id: str, batch_id: UUID, *, reason: str) -> Sequence[VersionRef]:
        """`preparing` to `aborted` by compare-and-set; returns every aborted version that wants cleaning."""
        ...

    async def aborted(self, tenant_id: str, batch_id: UUID) -> Sequence[VersionRef]:
        """The batch's aborted versions that want cleaning."""
        ...

    async def cleaned(self, tenant_id: str, versions: Sequence[VersionRef]) -> None:
        """No store holds anything of these versions any more."""
        ...

    async def bury(self, tenant_id: str, item_id: UUID, *, request_id: UUID) -> Burial:
        """Commit a tombstone over the item and what derives from it: nothing allocated before is seen again.

        The same request gets the same answer. Raises ItemNotFound: nothing was ever written under this id.
        """
        ...

    async def snapshot(self, tenant_id: str) -> int:
        """The sequence number of the tenant's newest commit; 0 before the first."""
        ...


class Upkeep(Protocol):
    """The ledger as those see it who clean up behind the workflows; ages are measured by its own clock."""

    async def tenants(self) -> Sequence[str]: ...

    async def open_batches(self, *, older_than_s: float, limit: int) -> Sequence[OpenBatch]:
        """The oldest first; one that has versions in state `preparing` and was closed counts as open."""
        ...

    async def leftovers(self, *, older_than_s: float, limit: int) -> Sequence[Leftover]:
        """Batches with aborted versions that still want cleaning, the oldest first."""
        ...

    async def superseded(self, tenant_id: str, *, older_than_s: float, limit: int) -> Sequence[VersionRef]:
        """Versions that no reader can see any more and that were not collected; never a live one."""
        ...

    async def collected(self, tenant_id: str, versions: Sequence[VersionRef]) -> None:
        """No store holds anything of these superseded versions any more."""
        ...

    async def live(
        self, tenant_id: str, *, after: VersionRef | None, limit: int
    ) -> Sequence[VersionManifests]:
        """What every store must hold now: the committed versions that readers see, by item and version."""
        ...

    async def standing(
        self, tenant_id: str, versions: Sequence[VersionRef], *, window_s: float
    ) -> Mapping[VersionRef, Standing]:
        """What to think of versions that a store holds; decided within the window they are `recent`."""
        ...

    async def over(
        self, tenant_id: str, data_ids: Sequence[UUID], *, older_than_s: float
    ) -> Collection[UUID]:
        """Which of these batches and events ended longer ago than that, or were never accepted."""
        ...

    async def publish(self, figures: Reconciliation) -> None:
        """Keep the newest figures of a tenant's store."""
        ...

    async def published(self, tenant_id: str | None = None) -> Sequence[Reconciliation]: ...


class Rebuilds(Protocol):
    """Which stores are being filled again, so that a reader is told that they may lack something."""

    async def begin(self, store: str, tenants: Sequence[str], *, rebuild_id: UUID) -> int:
        """How many live versions these tenants have. Begun again, or after its end, it changes nothing."""
        ...

    async def under_way(self, tenant_id: str, store: str) -> Sequence[UUID]: ...

    async def end(self, tenant_id: str, store: str, rebuild_ids: Sequence[UUID]) -> None: ...
