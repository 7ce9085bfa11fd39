"""A body of steps in, its result out, or nothing of it: all or nothing, without a word of Temporal."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
Undo = Callable[[BaseException], Awaitable[None]]


async def run_saga(
    body: Callable[[Callable[[Undo], None]], Awaitable[T]], *, undo_on: tuple[type[BaseException], ...]
) -> T:
    """Run `body(register)`; on a failure in `undo_on`, undo in reverse what was registered; raise it again.

    A step registers its undo before it begins: one that timed out may still have happened. Any other
    exception is a bug and undoes nothing, so that it can be mended and the run go on. An undo is told the
    failure; if it fails itself, that is noted on the failure and the others still run.
    """
    undos: list[Undo] = []
    try:
        return await body(undos.append)
    except undo_on as failure:
        await _to_the_end(_undo_all(tuple(reversed(undos)), failure, undo_on))
        raise


async def _undo_all(
    undos: Sequence[Undo], failure: BaseException, undo_on: tuple[type[BaseException], ...]
) -> None:
    for undo in undos:
        try:
            await undo(failure)
        except undo_on as exc:
            failure.add_note(f"an undo failed, the sweeper has to finish it: {exc!r}")


async def side_by_side(works: Sequence[Awaitable[T]], *, undo_on: tuple[type[BaseException], ...]) -> None:
    """Side by side, until all are done. If one fails, the others are cancelled, and over before it is told.

    `gather` alone tells at once: what is still running would write after the undo has deleted.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    except undo_on:
        for task in tasks:
            task.cancel()
        await _to_the_end(asyncio.gather(*tasks, return_exceptions=True))
        raise


async def _to_the_end(work: Awaitable[object]) -> None:
    """Wait for work that no cancel may interrupt: each cancel only ends one wait for it."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
    task.result()
