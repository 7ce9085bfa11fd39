"""How a process of ours ends: with its exit code and its output, whatever its libraries' threads do."""

import asyncio
import signal
import subprocess
import sys
from asyncio import CancelledError

import pytest

from apex_memory.process import OUT_OF_MEMORY, beside


@pytest.mark.parametrize(
    ("main", "status", "said"),
    [
        ("lambda: print('done')", 0, "done"),
        ("lambda: sys.exit(3)", 3, ""),
        ("lambda: sys.exit()", 0, ""),
        ("lambda: sys.exit('no such thing')", 1, "no such thing"),
        ("lambda: 1 / 0", 1, "ZeroDivisionError"),
    ],
)
def test_a_process_ends_with_its_exit_code_and_all_that_it_said(main: str, status: int, said: str) -> None:
    program = (
        "import atexit, sys; from apex_memory.process import run_to_its_end; "
        f"atexit.register(print, 'taken down'); run_to_its_end({main})"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (ended.returncode, said in ended.stdout + ended.stderr) == (status, True)
    assert "taken down" not in ended.stdout


@pytest.mark.parametrize(
    ("lost", "status", "said"),
    [
        ("threading.Thread(target=fail).start()", OUT_OF_MEMORY, "out of memory"),
        ("asyncio.get_running_loop().call_soon(fail)", OUT_OF_MEMORY, "out of memory"),
        ("type('Dropped', (), {'__del__': fail})()", OUT_OF_MEMORY, "out of memory"),
        # As a library in C or Rust reports what its callback cannot raise, whatever it is.
        ("sys.excepthook(OSError, OSError(), None)", -signal.SIGABRT, "most recent call first"),
    ],
)
def test_a_process_that_could_tell_nobody_of_an_error_ends(lost: str, status: int, said: str) -> None:
    program = f"""
import asyncio, sys, threading
from apex_memory.process import run_to_its_end, termination

def fail(*_):
    raise MemoryError

async def main():
    stop = termination()
    {lost}
    await stop.wait()

run_to_its_end(lambda: asyncio.run(main()))
"""

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )

    assert (ended.returncode, said in ended.stderr) == (status, True)


async def test_work_that_swallows_a_cancel_is_ended_all_the_same() -> None:
    swallowed: list[int] = []

    async def work() -> None:
        while len(swallowed) < 2:
            try:
                await asyncio.sleep(60)
            except CancelledError:
                swallowed.append(1)
        await asyncio.sleep(60)

    async with beside(work(), name="stubborn") as task:
        await asyncio.sleep(0)

    assert task.cancelled()
    assert len(swallowed) == 2
