"""A signal in, an orderly end out: what every long-running process of ours does alike."""

import asyncio
import ctypes
import faulthandler
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn

#: The exit code of a process that ran out of memory: EX_OSERR.
OUT_OF_MEMORY: Final = 71
_LAST_WORDS: Final = b"out of memory: this process ends, to be started again\n"


def run_to_its_end(main: Callable[[], object]) -> NoReturn:
    """Call `main`, write out what it said, and leave with its exit code without taking the interpreter down.

    Temporal's client has threads that outlive its last call. One that wants the GIL while the interpreter is
    being taken down aborts the process (-6), although all the work is done (temporalio/sdk-python#300).
    """
    # Python's 700 is for scripts: of an event's CPU, looking through young objects was a tenth.
    gc.set_threshold(10_000)
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
    """An event that the first SIGTERM or SIGINT sets. Ask for it first: until then a signal kills.

    From here on the process also ends by itself of what would leave it alive and useless.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.set_exception_handler(_in_loop)
    _end_of_lost_errors()
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


def _end_of_lost_errors() -> None:
    """An error that a thread, a library or the loop can tell nobody ends the process, if memory was short.

    A wake-up that Temporal's client lost that way never comes again: the worker would live and not poll.
    """
    threading.excepthook = _in_thread
    sys.unraisablehook = _unraisable
    # Where a library in C or Rust reports an error of a callback. Without memory no function of Python can be
    # called in a thread of theirs, so this is one of C; what each thread was at, faulthandler then prints.
    faulthandler.enable()
    abort = ctypes.PyDLL(None).abort
    abort.argtypes = [ctypes.py_object] * 3
    sys.excepthook = abort


def _in_thread(args: threading.ExceptHookArgs) -> None:
    _end_if_memory_error(args.exc_type)
    threading.__excepthook__(args)


def _unraisable(args: "sys.UnraisableHookArgs") -> None:
    _end_if_memory_error(args.exc_type)
    sys.__unraisablehook__(args)


def _in_loop(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error: BaseException | None = context.get("exception")
    _end_if_memory_error(type(error))
    loop.default_exception_handler(context)


def _end_if_memory_error(kind: type[object]) -> None:
    if issubclass(kind, MemoryError):
        os.write(2, _LAST_WORDS)
        os._exit(OUT_OF_MEMORY)
