"""A tenant in, the sequence number that a read is made at out, not older than the reader demands."""

import asyncio
from typing import Final, Protocol

from apex_memory.domain.errors import SnapshotBehind
from apex_memory.pipeline.retrieval.deadline import Deadline

POLL_S: Final = 0.02


class Snapshots(Protocol):
    """What reading needs of the ledger."""

    async def snapshot(self, tenant_id: str) -> int: ...


class SnapshotReader:
    """Reads the tenant's clock. `store` is the name under which an outage of it is reported."""

    def __init__(self, snapshots: Snapshots, *, store: str, deadline_s: float) -> None:
        self._snapshots = snapshots
        self._store = store
        self._deadline_s = deadline_s

    async def at(self, tenant_id: str, *, min_seq: int | None) -> int:
        """The newest sequence number.

        Raises:
            SnapshotBehind: it is still older than `min_seq` when the deadline passes.
            StoreUnavailable: the ledger does not answer.
        """
        patience = Deadline(self._deadline_s)
        seq = await self._newest(tenant_id)
        while min_seq is not None and seq < min_seq:
            if patience.passed:
                raise SnapshotBehind(wanted=min_seq, found=seq)
            await asyncio.sleep(POLL_S)
            seq = await self._newest(tenant_id)
        return seq

    async def _newest(self, tenant_id: str) -> int:
        return await Deadline(self._deadline_s).keep(self._store, self._snapshots.snapshot(tenant_id))
