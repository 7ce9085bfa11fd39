"""Requests to forget in, what must be erased for them and their receipts out."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol
from uuid import UUID

from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.forgetting import Census, Condemned, Delivery, Forgetting, ItemName


class Forgettings(Protocol):
    """What was asked to be forgotten, and how far that has come."""

    async def request(
        self, tenant_id: str, item_id: UUID, *, forget_id: UUID, name: ItemName | None = None
    ) -> Forgetting:
        """Bury the item and note that it must be erased, in one transaction: readers see it no more.

        Its events that are not written yet end as superseded. The same `forget_id` gets the same answer. With
        its name, an item that never got further than the inbox is forgotten too. Raises ItemNotFound.
        """
        ...

    async def hand_over(self, to: Callable[[str, Forgetting], Awaitable[str]]) -> bool:
        """Give one request that nobody works at, and its tenant, to who starts a workflow; False: none."""
        ...

    async def forgetting(self, tenant_id: str, forget_id: UUID) -> Forgetting:
        """Raises ItemNotFound."""
        ...

    async def condemned(self, tenant_id: str, forget_id: UUID) -> Condemned: ...

    async def deliveries(self, tenant_id: str, forget_id: UUID) -> Sequence[Delivery]:
        """The condemned events. Raises BatchStillOpen: one of them is still being worked at."""
        ...

    async def erase(self, tenant_id: str, forget_id: UUID) -> None:
        """Empty whatever the ledger, the inbox and the outbox keep of the content; names and numbers stay."""
        ...

    async def left(self, tenant_id: str, forget_id: UUID) -> dict[str, int]:
        """By table, the rows that still hold something of the content."""
        ...

    async def counted(self, tenant_id: str, forget_id: UUID, census: Census, *, last: bool) -> None:
        """Keep a clean count; the last one completes the receipt."""
        ...

    async def erased(self, tenant_id: str, versions: Sequence[VersionRef]) -> None:
        """No store holds anything of these versions any more."""
        ...
