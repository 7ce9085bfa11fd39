"""One service in, its life out: prepared, started, found ready, kept alive, stopped."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from apex_memory.devstack.backoff import Backoff
from apex_memory.devstack.processes import KILL_DEADLINE_S, identify, launch, sweep_session
from apex_memory.devstack.service import Service, ServiceFailed
from apex_memory.devstack.state import Journal, Phase
from apex_memory.domain.errors import ApexError, StoreUnavailable

STEADY_S: Final = 30.0
LOG_LIMIT_BYTES: Final = 16 << 20
_ASK_AGAIN_S: Final = 0.05

log = structlog.get_logger()


class Unit:
    """Owns the process of one service; `up` is set while it is ready."""

    def __init__(self, service: Service, *, journal: Journal, log_file: Path, backoff: Backoff) -> None:
        self.service = service
        self.up = asyncio.Event()
        self._journal = journal
        self._log_file = log_file
        self._backoff = backoff
        self._process: asyncio.subprocess.Process | None = None
        self._refusal = "it never answered"

    async def start(self) -> None:
        """Return when the service is ready.

        Raises:
            ServiceFailed: it ended too often before it was ready, or did not get ready within its deadline.
        """
        begun = time.monotonic()
        self._note(Phase.STARTING)
        try:
            async with asyncio.timeout(self.service.deadline_s):
                await self._start_until_ready()
        except TimeoutError as exc:
            await self._end_process()
            reason = f"not ready within {self.service.deadline_s:.0f} s: {self._refusal}"
            raise ServiceFailed(self.service.name, reason) from exc
        self._note_up(took_s=round(time.monotonic() - begun, 3))

    async def keep(self) -> None:
        """Start the service again whenever it dies; returns only for one that is not ours to keep."""
        if self.service.once or not self.service.command:
            return
        pauses = self._backoff.pauses()
        while True:
            pauses = await self._death(pauses)
            await asyncio.sleep(next(pauses))
            try:
                await self.start()
            except ApexError as exc:
                log.warning("service.restart_failed", service=self.service.name, reason=str(exc))
                self._note(Phase.RESTARTING, process=None, reason=str(exc))

    async def stop(self) -> None:
        """Ask, then insist. Repeatable."""
        begun = time.monotonic()
        failed = self._journal.state.services[self.service.name].phase is Phase.FAILED
        if self._process is not None and not failed:
            self._note(Phase.STOPPING)
        await self._end_process()
        if not failed:
            self._note(Phase.STOPPED, process=None)
        log.info("service.stopped", service=self.service.name, took_s=round(time.monotonic() - begun, 3))

    def fail(self, reason: str) -> None:
        self._note(Phase.FAILED, process=None, reason=reason)

    async def _start_until_ready(self) -> None:
        for attempt, pause in enumerate(self._backoff.pauses(), start=1):
            await self.service.prepare()
            if self.service.command:
                await self._launch()
            if await self._became_ready():
                return
            code = self._process.returncode if self._process else None
            if self.service.once or attempt == self.service.attempts:
                raise ServiceFailed(self.service.name, f"ended with exit code {code} before it was ready")
            self._refusal = f"exit code {code}"
            await asyncio.sleep(pause)

    async def _launch(self) -> None:
        if self._log_file.exists() and self._log_file.stat().st_size > LOG_LIMIT_BYTES:
            self._log_file.replace(self._log_file.with_suffix(".log.1"))
        self._process = await launch(self.service, self._log_file)
        self._note(Phase.STARTING, process=identify(self._process.pid))

    async def _became_ready(self) -> bool:
        """False if the process ended first."""
        if self.service.once and self._process:
            return await self._process.wait() == 0
        while not self._is_over():
            try:
                await self.service.ready()
            except StoreUnavailable as exc:
                self._refusal = exc.reason
                await asyncio.sleep(_ASK_AGAIN_S)
            else:
                # If it died while it was asked, someone else answered on its port.
                return not self._is_over()
        return False

    def _is_over(self) -> bool:
        return self._process is not None and self._process.returncode is not None

    async def _death(self, pauses: Iterator[float]) -> Iterator[float]:
        """Wait for it; returns the pauses to go on with, which begin anew after a steady life."""
        if self._process is None:
            return pauses
        begun = time.monotonic()
        code = await self._process.wait()
        sweep_session(self._process.pid)
        self._process = None
        self.up.clear()
        restarts = self._journal.state.services[self.service.name].restarts + 1
        self._note(Phase.RESTARTING, process=None, restarts=restarts, reason=f"ended with exit code {code}")
        log.warning("service.died", service=self.service.name, exit_code=code, restarts=restarts)
        return self._backoff.pauses() if time.monotonic() - begun > STEADY_S else pauses

    async def _end_process(self) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(self.service.stop_signal)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), self.service.stop_deadline_s)
        if process.returncode is None:
            log.warning("service.killed", service=self.service.name, after_s=self.service.stop_deadline_s)
            process.kill()
            await asyncio.wait_for(process.wait(), KILL_DEADLINE_S)
        sweep_session(process.pid)
        self._process = None

    def _note_up(self, *, took_s: float) -> None:
        name, endpoints = self.service.name, dict(self.service.endpoints)
        if self.service.once:
            self._note(Phase.DONE, took_s=took_s, process=None, endpoints=endpoints, reason="")
        else:
            phase = Phase.READY if self.service.command else Phase.EXTERNAL
            self._note(phase, took_s=took_s, endpoints=endpoints, reason="")
        log.info("service.ready", service=name, took_s=took_s)
        self.up.set()

    def _note(self, phase: Phase, **changes: object) -> None:
        self._journal.note_service(self.service.name, phase, **changes)
