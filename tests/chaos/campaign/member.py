"""A service in, its process out, started again whenever it dies."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.chaos.campaign.machine import MEMORY_CGROUP
from tests.chaos.campaign.processes import family, gone, signal_all

from apex_memory.devstack.processes import launch, sweep_session
from apex_memory.devstack.service import Service
from apex_memory.domain.errors import ApexError

#: What ours are called, before the process id of the harness.
OURS: Final = "apex-chaos-"
READY_S: Final = 120.0
_AGAIN_S: Final = 0.1


class Member:
    """One process. It is started again as soon as it dies, unless it is held down."""

    def __init__(self, service: Service, *, log: Path, cgroup: bool) -> None:
        self.name = service.name
        self.service = service
        self.starts = 0
        self.deaths: list[tuple[float, int]] = []
        self._log = log
        self._cgroup = MEMORY_CGROUP / f"{OURS}{os.getpid()}-{service.name}" if cgroup else None
        self._process: asyncio.subprocess.Process | None = None
        self._may_run = asyncio.Event()
        self._may_run.set()
        self._next: Mapping[str, str] = {}
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """0 while it does not run."""
        process = self._process
        return process.pid if process and process.returncode is None else 0

    @property
    def cgroup(self) -> Path | None:
        return self._cgroup

    def pids(self) -> list[int]:
        return family(self.pid) if self.pid else []

    async def start(self) -> None:
        if self._cgroup:
            self._cgroup.mkdir(exist_ok=True)
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def ready(self, *, within_s: float = READY_S) -> bool:
        """Whether it answers in time."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            with suppress(ApexError):
                await self.service.ready()
                return True
            await asyncio.sleep(0.05)
        return False

    def hold_down(self) -> None:
        """From its next death on it is not started again, until `let_up`."""
        self._may_run.clear()

    def let_up(self) -> None:
        self._may_run.set()

    def next_start_with(self, environment: Mapping[str, str]) -> None:
        self._next = environment

    def tell(self, number: signal.Signals) -> bool:
        """To the process alone; False if it does not run."""
        if not self.pid:
            return False
        signal_all([self.pid], number)
        return True

    def tell_family(self, number: signal.Signals) -> bool:
        pids = self.pids()
        signal_all(pids, number)
        return bool(pids)

    async def stop(self) -> None:
        """For good."""
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        pids = self.pids()
        signal_all(pids, signal.SIGCONT)
        if self._process and self._process.returncode is None:
            self._process.send_signal(self.service.stop_signal)
            if not await gone(pids, within_s=10):
                signal_all(pids, signal.SIGKILL)
            await self._process.wait()
        if self._cgroup:
            with suppress(OSError):
                self._cgroup.rmdir()

    async def _keep(self) -> None:
        while True:
            await self._may_run.wait()
            with suppress(ApexError):
                await self.service.prepare()
                await self._run_once()
            await asyncio.sleep(_AGAIN_S)

    async def _run_once(self) -> None:
        environment, self._next = {**self.service.environment, **self._next}, {}
        process = await launch(replace(self.service, environment=environment), self._log)
        self._process = process
        self.starts += 1
        if self._cgroup:
            with suppress(OSError):
                (self._cgroup / "cgroup.procs").write_text(str(process.pid))
        code = await process.wait()
        self.deaths.append((time.time(), code))
        sweep_session(process.pid)
