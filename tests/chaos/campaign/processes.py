"""A pid in; its descendants, their states and their ends out."""

import asyncio
import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def children(pid: int) -> list[int]:
    """Of all its threads; empty if it is gone."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def family(pid: int) -> list[int]:
    """The process and all that it started, parents first."""
    return [pid, *_descendants(pid)]


def _descendants(pid: int) -> Iterator[int]:
    for child in children(pid):
        yield child
        yield from _descendants(child)


def signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def state_of(pid: int) -> str:
    """A letter as in `ps`, empty if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


async def gone(pids: list[int], *, within_s: float) -> bool:
    """Whether none of these runs any more; they need not be our children."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within_s
    while any(state_of(pid) not in {"", "Z", "X"} for pid in pids):
        if loop.time() > end:
            return False
        await asyncio.sleep(0.02)
    return True


def dying_with_parent(parent: int) -> Callable[[], None]:
    """For `preexec_fn`: killed when the harness dies, however that happens."""
    libc = ctypes.CDLL(None)

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:
            os._exit(1)

    return in_child
