"""Services of a few lines, and a journal that can be waited for."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apex_memory.devstack.backoff import Backoff
from apex_memory.devstack.loopback import HOST
from apex_memory.devstack.service import Service
from apex_memory.devstack.state import Journal, Phase, ServiceState, StackState
from apex_memory.devstack.supervisor import Supervisor
from apex_memory.domain.errors import StoreUnavailable

LISTEN = f"import socket,sys\ns=socket.create_server(('{HOST}',int(sys.argv[1])))\nwhile True: s.accept()"
PATIENCE_S = 30.0


class WatchedJournal(Journal):
    """Keeps what was noted, and wakes those who wait for it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, StackState())
        self.history: list[tuple[str, Phase]] = []
        self._noted = asyncio.Condition()
        self._wakers: set[asyncio.Task[None]] = set()

    def note(self, **changes: Any) -> None:
        super().note(**changes)
        waker = asyncio.get_running_loop().create_task(self._wake())
        self._wakers.add(waker)
        waker.add_done_callback(self._wakers.discard)

    def note_service(self, name: str, phase: Phase, **changes: Any) -> None:
        super().note_service(name, phase, **changes)
        self.history.append((name, phase))

    async def until(self, name: str, holds: Callable[[ServiceState], bool]) -> ServiceState:
        async with asyncio.timeout(PATIENCE_S), self._noted:
            await self._noted.wait_for(lambda: holds(self.state.services[name]))
        return self.state.services[name]

    def reached(self, phase: Phase) -> list[str]:
        """Names in the order in which they came to a phase."""
        return [name for name, noted in self.history if noted is phase]

    async def _wake(self) -> None:
        async with self._noted:
            self._noted.notify_all()


def supervisor_in(directory: Path) -> tuple[Supervisor, WatchedJournal]:
    journal = WatchedJournal(directory / "state.json")
    backoff = Backoff(first_s=0.01, cap_s=0.05)
    return Supervisor(
        journal=journal, log_of=lambda name: directory / f"{name}.log", backoff=backoff
    ), journal


def listener(name: str, port: int, **fields: Any) -> Service:
    """A process that listens."""

    async def listens() -> None:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError as exc:
            raise StoreUnavailable(name, str(exc)) from exc
        writer.close()

    return script(name, LISTEN, str(port), ready=listens, **fields)


def script(name: str, source: str, *arguments: str, **fields: Any) -> Service:
    """A process that runs some Python; -S -E: nothing of ours, so that it starts at once."""
    return Service(name=name, command=(sys.executable, "-S", "-E", "-c", source, *arguments), **fields)


def kill(state: ServiceState) -> int:
    """kill -9; returns the pid that was."""
    assert state.process is not None
    os.kill(state.process.pid, signal.SIGKILL)
    return state.process.pid
