"""Coroutines in, their end out in virtual time: an event loop whose clock jumps to what is due next."""

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any


class NothingLeft(Exception):
    """Everybody waits for somebody else: nothing is due, ever."""


class _NoWaiting(selectors.SelectSelector):
    """Waits for no file; instead of sleeping it moves the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingLeft
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at second 0. What runs in it must neither open files or sockets nor use threads."""

    def __init__(self) -> None:
        self._clockwork = _NoWaiting()
        super().__init__(self._clockwork)
        self.set_exception_handler(_keep_quiet)

    def time(self) -> float:
        return self._clockwork.now

    def finish(self) -> None:
        """Drop everything that still runs, as a power cut would, and close."""
        while tasks := asyncio.all_tasks(self):
            for task in tasks:
                task.cancel()
            self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.close()


def _keep_quiet(_loop: asyncio.AbstractEventLoop, _context: Mapping[str, Any]) -> None:
    """Zombies fail with nobody to hear of it: that is what they are for."""
