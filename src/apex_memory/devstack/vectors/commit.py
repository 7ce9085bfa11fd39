"""Many writers that wait for durability in, one sync for all of them out."""

import asyncio
from collections.abc import Callable


class GroupCommit:
    """Each caller returns after a sync that began after it asked, and fails with that sync.

    While one sync runs, everyone who asks meanwhile shares the next: at most one runs, at most one waits.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._running: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        if self._waiting is None:
            self._waiting = asyncio.create_task(self._after(self._running))
        # A caller that goes away must not take the sync of the others with it.
        await asyncio.shield(self._waiting)

    async def _after(self, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:
            await asyncio.wait([previous])
        self._running, self._waiting = self._waiting, None
        await asyncio.to_thread(self._sync)
