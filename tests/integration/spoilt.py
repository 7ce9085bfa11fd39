"""Stores and ledgers in, the same out that refuse for good, wait at a door, or lose an answer."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from uuid import UUID

from apex_memory.domain.bundles import VersionedBundle, VersionRef
from apex_memory.domain.errors import EmbedderMismatch, StoreUnavailable
from apex_memory.domain.ledger import CommitResult
from apex_memory.ports import Ledger, Store
from apex_memory.testing import Fault, Misbehaving, always


class Refusing(Misbehaving):
    """Writes, then says that it can never write this: a permanent failure of one store of three."""

    def __init__(self, store: Store, only: str | None = None) -> None:
        super().__init__(store, always(Fault.NONE))
        self._only = only

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        await super().prepare(writes)
        if self._only is None or any(self._only in passage_text(write) for write in writes):
            raise EmbedderMismatch(stored="another", configured="this")


class Gate(Misbehaving):
    """Waits at the door of its first write until it is let through."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, always(Fault.NONE))
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        if not self.reached.is_set():
            self.reached.set()
            await self.open.wait()
        await super().prepare(writes)


class Undeletable(Misbehaving):
    """Deletes nothing until it is told that it may; its writes are refused for good."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, always(Fault.NONE))
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def discard(self, tenant_id: str, refs: Sequence[VersionRef]) -> None:
        self.reached.set()
        if not self.open.is_set():
            raise StoreUnavailable(self.name, "deletes nothing, as planned")
        await super().discard(tenant_id, refs)


class _Delegate:
    """A ledger, of which some method is another."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)


class Forgetful(_Delegate):
    """A ledger that commits and loses its first acknowledgements."""

    def __init__(self, ledger: Ledger, times: int = 1) -> None:
        super().__init__(ledger)
        self._left = times

    async def commit(
        self, tenant_id: str, batch_id: UUID, *, verified: Collection[VersionRef]
    ) -> Sequence[CommitResult]:
        results = await self._ledger.commit(tenant_id, batch_id, verified=verified)
        if self._left:
            self._left -= 1
            raise StoreUnavailable("postgres", "the acknowledgement was lost, as planned")
        return results


class Stuck(_Delegate):
    """A ledger that is asked to commit and never does."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.reached = asyncio.Event()

    async def commit(
        self, tenant_id: str, batch_id: UUID, *, verified: Collection[VersionRef]
    ) -> Sequence[CommitResult]:
        del tenant_id, batch_id, verified
        self.reached.set()
        await asyncio.Event().wait()
        raise AssertionError


def only(name: str, spoil: Callable[[Store], Store]) -> Callable[[Store], Store]:
    """Spoil the store of this name and leave the others as they are."""
    return lambda store: spoil(store) if store.name == name else store


def passage_text(write: VersionedBundle) -> str:
    return " ".join(passage.text for passage in write.bundle.passages)
