"""A signal in, an orderly end out: what every long-running process of ours does alike."""

import asyncio
import signal


def termination() -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets. Ask for it first: until then a signal kills."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def end(task: asyncio.Task[None]) -> None:
    """Cancel until it is over: before Python 3.12, a library's `wait_for` may swallow a cancel."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=1.0)
