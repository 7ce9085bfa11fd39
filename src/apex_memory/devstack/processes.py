"""Commands in, processes out that die with their supervisor and are never mistaken for others."""

import asyncio
import ctypes
import functools
import os
import signal
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from apex_memory.devstack.service import Service
from apex_memory.domain.value import Value

PR_SET_PDEATHSIG: Final = 1
KILL_DEADLINE_S: Final = 10.0


class ProcessIdentity(Value):
    """A pid is used again; a pid with the moment its process started is not.

    `started`: the boot's id, and clock ticks since that boot.
    """

    pid: int
    started: str


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of a running process; None if there is none, or only an unreaped corpse."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name in parentheses may hold spaces and parentheses; after the last one come fields 3, 4, …
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return ProcessIdentity(pid=pid, started=f"{_boot_id()}:{fields[19]}")


def is_alive(identity: ProcessIdentity | None) -> bool:
    return identity is not None and identify(identity.pid) == identity


async def launch(service: Service, log: Path) -> asyncio.subprocess.Process:
    """Start in a session of its own, output appended to `log`.

    The kernel stops it when the supervisor dies, however that happens, with the service's own stop signal:
    even kill -9 of the supervisor ends PostgreSQL and Neo4j cleanly. To be called in the main thread only:
    what the kernel watches is the thread that forked.
    """
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *service.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=service.directory,
            env=dict(service.environment),
            start_new_session=True,
            preexec_fn=_die_with(os.getpid(), service.stop_signal),
            user=service.account.uid if service.account else None,
            group=service.account.gid if service.account else None,
            extra_groups=[] if service.account else None,
        )


def signal_process(identity: ProcessIdentity, number: signal.Signals) -> None:
    """Signal exactly this process; nothing if it is gone."""
    with _handle(identity) as handle, suppress(ProcessLookupError):
        if handle is not None:
            signal.pidfd_send_signal(handle, number)


async def stop(
    identity: ProcessIdentity, *, first: signal.Signals = signal.SIGTERM, patience_s: float = 10.0
) -> None:
    """Ask with `first`, insist with SIGKILL after `patience_s`; returns when the process is gone."""
    signal_process(identity, first)
    if not await ended(identity, within_s=patience_s):
        signal_process(identity, signal.SIGKILL)
        await ended(identity, within_s=KILL_DEADLINE_S)


async def ended(identity: ProcessIdentity, *, within_s: float) -> bool:
    """Whether the process ends in time, or did before; it need not be our child."""
    with _handle(identity) as handle:
        if handle is None:
            return True
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        loop.add_reader(handle, over.set)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), within_s)
        finally:
            loop.remove_reader(handle)
        return over.is_set()


def sweep_session(leader: int) -> None:
    """Kill what a reaped child of ours left behind in its session."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


@contextmanager
def _handle(identity: ProcessIdentity) -> Generator[int | None]:
    """A pidfd of exactly this process, None if it is gone; while it is open, the pid names no other."""
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield handle if is_alive(identity) else None
    finally:
        os.close(handle)


def _die_with(parent: int, number: signal.Signals) -> Callable[[], None]:
    libc = _libc()

    def in_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(number))
        # The parent may have died before the line above took effect.
        if os.getppid() != parent:
            os._exit(1)

    return in_child


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


@functools.cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
