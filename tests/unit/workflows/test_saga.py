"""All or nothing, without a server: what run_saga does when steps, undos and cancels meet."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from apex_memory.workflows.saga import Undo, run_saga, side_by_side


class StepFailed(Exception):
    """A step did not succeed."""


UNDO_ON = (StepFailed, asyncio.CancelledError)


def _noting(log: list[str], name: str) -> Undo:
    async def undo(_failure: BaseException) -> None:
        await asyncio.sleep(0)
        log.append(name)

    return undo


def _failing_after(
    log: list[str], *names: str, error: BaseException | None = None
) -> Callable[..., Awaitable[None]]:
    async def body(register: Callable[[Undo], None]) -> None:
        for name in names:
            register(_noting(log, name))
        raise error or StepFailed

    return body


async def test_a_saga_that_succeeds_undoes_nothing() -> None:
    log: list[str] = []

    async def body(register: Callable[[Undo], None]) -> str:
        register(_noting(log, "a"))
        return "done"

    assert await run_saga(body, undo_on=UNDO_ON) == "done"
    assert log == []


async def test_a_failed_step_undoes_all_before_it_in_reverse_and_is_raised_again() -> None:
    log: list[str] = []

    with pytest.raises(StepFailed):
        await run_saga(_failing_after(log, "a", "b"), undo_on=UNDO_ON)

    assert log == ["b", "a"]


async def test_a_bug_undoes_nothing() -> None:
    log: list[str] = []

    with pytest.raises(KeyError):
        await run_saga(_failing_after(log, "a", error=KeyError("bug")), undo_on=UNDO_ON)

    assert log == []


async def test_a_cancelled_saga_undoes_and_stays_cancelled() -> None:
    log: list[str] = []

    async def body(register: Callable[[Undo], None]) -> None:
        register(_noting(log, "a"))
        await asyncio.Event().wait()

    saga = asyncio.create_task(run_saga(body, undo_on=UNDO_ON))
    await asyncio.sleep(0)
    saga.cancel()

    with pytest.raises(asyncio.CancelledError):
        await saga
    assert log == ["a"]


async def test_cancels_in_the_middle_of_undoing_drop_no_undo() -> None:
    log: list[str] = []
    undoing = asyncio.Event()

    async def slow(_failure: BaseException) -> None:
        undoing.set()
        for _ in range(10):
            await asyncio.sleep(0)
        log.append("slow")

    async def body(register: Callable[[Undo], None]) -> None:
        register(_noting(log, "first"))
        register(slow)
        raise StepFailed

    saga = asyncio.create_task(run_saga(body, undo_on=UNDO_ON))
    await undoing.wait()
    for _ in range(3):
        saga.cancel()
        await asyncio.sleep(0)

    with pytest.raises(StepFailed):
        await saga
    assert log == ["slow", "first"]


async def test_an_undo_that_fails_is_noted_and_the_others_still_run() -> None:
    log: list[str] = []

    async def broken(_failure: BaseException) -> None:
        raise StepFailed("store gone")

    async def body(register: Callable[[Undo], None]) -> None:
        register(_noting(log, "a"))
        register(broken)
        raise StepFailed("the step")

    with pytest.raises(StepFailed, match="the step") as failure:
        await run_saga(body, undo_on=UNDO_ON)

    assert log == ["a"]
    assert "store gone" in failure.value.__notes__[0]


async def test_an_undo_is_told_why() -> None:
    told: list[BaseException] = []
    error = StepFailed("why")

    async def note(failure: BaseException) -> None:
        told.append(failure)

    async def body(register: Callable[[Undo], None]) -> None:
        register(note)
        raise error

    with pytest.raises(StepFailed):
        await run_saga(body, undo_on=UNDO_ON)

    assert told == [error]


async def _stubborn(log: list[str], name: str, *, holds: asyncio.Event) -> None:
    """Work that hears of its cancel and still has to come to an end, as an activity that is running."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        log.append(f"{name} told")
        await holds.wait()
        log.append(f"{name} over")
        raise


async def _failing() -> None:
    raise StepFailed


async def test_a_failure_is_told_when_what_ran_beside_it_is_over() -> None:
    log: list[str] = []
    holds = asyncio.Event()
    work = asyncio.create_task(
        side_by_side(
            [_stubborn(log, "a", holds=holds), _failing(), _stubborn(log, "b", holds=holds)], undo_on=UNDO_ON
        )
    )
    await _ticks(8)
    while_it_holds = work.done(), [*log]
    holds.set()

    with pytest.raises(StepFailed):
        await work
    assert while_it_holds == (False, ["a told", "b told"])
    assert log[2:] == ["a over", "b over"]


async def test_a_cancel_while_that_is_waited_for_changes_neither_the_wait_nor_the_failure() -> None:
    log: list[str] = []
    holds = asyncio.Event()
    work = asyncio.create_task(side_by_side([_stubborn(log, "a", holds=holds), _failing()], undo_on=UNDO_ON))
    for _ in range(3):
        await _ticks(8)
        work.cancel()
    holds.set()

    with pytest.raises(StepFailed):
        await work
    assert log == ["a told", "a over"]


async def test_what_runs_side_by_side_and_succeeds_is_done_together() -> None:
    log: list[str] = []

    await side_by_side([_noting(log, name)(StepFailed()) for name in "abc"], undo_on=UNDO_ON)

    assert log == ["a", "b", "c"]


async def _ticks(n: int) -> None:
    for _ in range(n):
        await asyncio.sleep(0)
