"""The relay's loops, without a service: they wake, they wait out an outage, and they end when told to."""

import asyncio

import pytest

from apex_memory.database import Listener
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.relay import repeat


class _Steps:
    """Says whether there was work, as listed; then never again."""

    def __init__(self, *answers: bool | Exception) -> None:
        self._answers = list(answers)
        self.taken = 0

    async def __call__(self) -> bool:
        self.taken += 1
        answer = self._answers.pop(0) if self._answers else False
        if isinstance(answer, Exception):
            raise answer
        return answer


async def _ticks(n: int) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


@pytest.mark.parametrize("ticks", range(8))
async def test_a_cancel_that_meets_a_notification_ends_the_loop(ticks: int) -> None:
    listener = Listener("postgresql://nowhere", "nothing")
    loop = asyncio.create_task(repeat(_Steps(), listener, name="test"))
    await _ticks(8)

    listener.wake("")
    await _ticks(ticks)
    loop.cancel()
    done, _ = await asyncio.wait([loop], timeout=5)

    assert done
    assert loop.cancelled()


async def test_an_outage_is_waited_out_and_the_work_goes_on() -> None:
    steps = _Steps(StoreUnavailable("temporal", "down"), True, True)
    loop = asyncio.create_task(repeat(steps, Listener("postgresql://nowhere", "nothing"), name="test"))

    while steps.taken < 4:
        await asyncio.sleep(0.01)

    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
