"""An endpoint that was opened a moment ago is not read again, and what changes holds soon enough."""

import asyncio

import pytest
from tests.contracts.endpoints_contract import EndpointsContract, an_endpoint, live

from apex_memory.domain.hooks import OpenedEndpoint
from apex_memory.pipeline.intake.opened import GOOD_FOR_S, LatelyOpened
from apex_memory.testing import MemoryEndpoints


class Kept(MemoryEndpoints):
    """Counts how often an endpoint is read; `slow`, once set, holds answers back until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0
        self.slow: asyncio.Event | None = None

    async def opened(self, endpoint_id: str) -> OpenedEndpoint | None:
        self.read += 1
        opened = await super().opened(endpoint_id)
        if self.slow:
            await self.slow.wait()
        return opened


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class TestLatelyOpened(EndpointsContract):
    @pytest.fixture
    def endpoints(self) -> LatelyOpened:
        return LatelyOpened(MemoryEndpoints())


async def test_many_deliveries_within_a_second_read_the_endpoint_once() -> None:
    kept, clock, made = Kept(), Clock(), an_endpoint()
    endpoints = LatelyOpened(kept, clock=clock)
    await endpoints.create("acme", made, secret="one")

    for _ in range(3):
        await endpoints.opened(made.endpoint_id)
    within = kept.read
    clock.now += GOOD_FOR_S
    await endpoints.opened(made.endpoint_id)

    assert (within, kept.read) == (1, 2)


async def test_what_another_process_changes_holds_within_a_second() -> None:
    kept, clock, made = Kept(), Clock(), an_endpoint()
    here = LatelyOpened(kept, clock=clock)
    await here.create("acme", made, secret="one")
    await here.opened(made.endpoint_id)

    await kept.rotate("acme", made.endpoint_id, secret="two", overlap_s=0)
    clock.now += GOOD_FOR_S

    assert await live(here, made.endpoint_id) == ["two"]


async def test_an_answer_from_before_a_change_is_not_kept_after_it() -> None:
    kept, made = Kept(), an_endpoint()
    endpoints = LatelyOpened(kept)
    await endpoints.create("acme", made, secret="one")
    kept.slow = asyncio.Event()
    asked = asyncio.create_task(endpoints.opened(made.endpoint_id))
    await asyncio.sleep(0)

    await endpoints.rotate("acme", made.endpoint_id, secret="two", overlap_s=0)
    kept.slow.set()
    await asked

    assert await live(endpoints, made.endpoint_id) == ["two"]


async def test_ids_that_are_guessed_are_not_remembered() -> None:
    kept = Kept()
    endpoints = LatelyOpened(kept)

    for _ in range(2):
        assert await endpoints.opened("guessed") is None

    assert kept.read == 2
