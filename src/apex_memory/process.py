"""A signal in, an orderly end out: what every long-running process of ours does alike."""

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NoReturn


def run_to_its_end(main: Callable[[], object]) -> NoReturn:
    """Call `main`, write out what it said, and leave with its exit code without taking the interpreter down.

    Temporal's client has threads that outlive its last call. One that wants the GIL while the interpreter is
    being taken down aborts the process (-6), although all the work is done (temporalio/sdk-python#300).
    """
    status: int | str | None = 0
    try:
        main()
    except SystemExit as exc:
        status = exc.code
    except BaseException:  # noqa: BLE001 - the interpreter would print it too, and then be taken down
        traceback.print_exc()
        status = 1
    if isinstance(status, str):
        print(status, file=sys.stderr)  # noqa: T201 - what `sys.exit(message)` means
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))


def termination() -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets. Ask for it first: until then a signal kills."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None], *, name: str) -> AsyncGenerator[asyncio.Task[None], None]:
    """Run `work` beside the body and end it with the body.

    Not a TaskGroup: that cancels its tasks once, and before Python 3.12 a library's `wait_for` may swallow
    a cancel that meets an answer; the group would then wait for ever.
    """
    task = asyncio.create_task(work, name=name)
    try:
        yield task
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=1.0)
