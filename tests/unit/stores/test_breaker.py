"""The circuit breaker: it opens on outages alone, asks again with one call, closes at the first answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.contracts.graph_contract import Graph, GraphContract, Snapshot
from tests.contracts.graph_dump import dump_of_memory
from tests.contracts.store_contract import StoreContract
from tests.contracts.vector_contract import VectorContract, Vectors
from tests.contracts.writes import EMBEDDER, fresh_tenant, message, write_of

from apex_memory.activities.failures import failure_of
from apex_memory.domain.errors import CircuitOpen, ManifestMismatch, PermanentError, StoreUnavailable
from apex_memory.pipeline.stores.breaker import Breaker, Limits, State
from apex_memory.pipeline.stores.guarded import guarded
from apex_memory.ports import Store
from apex_memory.testing import Fault, MemoryGraph, MemoryStore, MemoryVectors, Misbehaving, always, scripted

LIMITS = Limits(window=10, window_s=60, least=3, failing=0.5, open_s=1.0, longest_open_s=4.0)
READ_DEADLINE_S = 2.0


@dataclass
class _World:
    """A store that answers or does not, a clock that is moved by hand, and one breaker between."""

    limits: Limits = LIMITS
    down: bool = False
    asked: int = 0
    pinged: int = 0
    now: float = 100.0
    chance: Callable[[], float] = lambda: 1.0
    breaker: Breaker = field(init=False)

    def __post_init__(self) -> None:
        self.breaker = Breaker("qdrant", "write", self.limits, clock=lambda: self.now, chance=self.chance)

    async def answer(self) -> str:
        self.asked += 1
        if self.down:
            raise StoreUnavailable("qdrant", "refused")
        return "answer"

    async def ping(self) -> None:
        self.pinged += 1
        if self.down:
            raise StoreUnavailable("qdrant", "no ping")

    async def call(self) -> Exception | None:
        return await _outcome(self.breaker.call(self.answer))

    async def fall(self) -> None:
        self.down = True
        while self.breaker.state is State.CLOSED:
            await self.call()

    def wait(self, seconds: float) -> None:
        self.now += seconds


async def _outcome(call: Awaitable[object]) -> Exception | None:
    try:
        await call
    except (StoreUnavailable, PermanentError, ManifestMismatch, ZeroDivisionError) as exc:
        return exc
    return None


async def _waits(world: _World, *, probes: int) -> list[float]:
    """How long it says that each probe has to be waited for; all of them fail."""
    waits: list[float] = []
    for _ in range(probes):
        outcome = await world.call()
        assert isinstance(outcome, CircuitOpen)
        waits.append(outcome.retry_after_s)
        world.wait(outcome.retry_after_s)
        asked = world.asked
        await world.call()
        assert world.asked == asked + 1
    return waits


async def test_a_closed_breaker_hands_on_what_the_call_says() -> None:
    world = _World()

    assert await world.breaker.call(world.answer) == "answer"


async def test_it_opens_when_half_of_the_last_calls_failed_and_then_asks_the_store_no_more() -> None:
    world = _World(down=True)

    outcomes = [await world.call() for _ in range(6)]

    assert world.asked == 3
    assert [isinstance(outcome, CircuitOpen) for outcome in outcomes] == [False] * 2 + [True] * 4


async def test_a_minority_of_failures_does_not_open_it() -> None:
    world = _World()

    for _ in range(30):
        for world.down in (False, False, True):
            await world.call()

    assert (world.breaker.state, world.asked) == (State.CLOSED, 90)


async def test_failures_that_are_long_past_do_not_open_it() -> None:
    world = _World(down=True)

    for _ in range(30):
        world.wait(LIMITS.window_s / 2 + 1)
        await world.call()

    assert (world.breaker.state, world.asked) == (State.CLOSED, 30)


@pytest.mark.parametrize("error", [PermanentError("no"), ManifestMismatch("q", "i", 1, expected=1, found=0)])
async def test_a_store_that_says_no_has_answered(error: Exception) -> None:
    world = _World()

    async def refuse() -> None:
        raise error

    for _ in range(30):
        assert await _outcome(world.breaker.call(refuse)) is error

    assert world.breaker.state is State.CLOSED


async def test_it_says_when_to_ask_again_and_temporal_is_told() -> None:
    world = _World()
    await world.fall()
    world.wait(0.25)

    outcome = await world.call()

    assert isinstance(outcome, CircuitOpen)
    assert outcome.retry_after_s == pytest.approx(0.75)
    assert "refused" in outcome.reason
    delay = failure_of(outcome).next_retry_delay
    assert delay
    assert delay.total_seconds() == pytest.approx(0.75)
    assert not failure_of(outcome).non_retryable


async def test_the_first_answer_after_the_outage_closes_it() -> None:
    world = _World()
    await world.fall()
    world.down = False

    world.wait(1.0)

    assert [await world.call() for _ in range(3)] == [None] * 3
    assert world.breaker.state is State.CLOSED


async def test_the_next_outage_begins_with_the_shortest_wait_again() -> None:
    world = _World()
    for _ in range(2):
        await world.fall()
        waits = await _waits(world, probes=3)
        assert waits == pytest.approx([1, 2, 4])
        world.down = False
        world.wait(LIMITS.longest_open_s)
        assert await world.call() is None


async def test_it_stays_open_longer_with_every_probe_that_fails_up_to_a_limit() -> None:
    world = _World()
    await world.fall()

    waits = await _waits(world, probes=3000)

    assert waits[:4] == pytest.approx([1, 2, 4, 4])
    assert waits[-1] == pytest.approx(LIMITS.longest_open_s)


async def test_the_wait_is_scattered_so_that_processes_do_not_ask_all_at_once() -> None:
    world = _World(chance=lambda: 0.0)
    await world.fall()

    outcome = await world.call()

    assert isinstance(outcome, CircuitOpen)
    assert outcome.retry_after_s == pytest.approx(0.5)


@pytest.mark.parametrize("down", [True, False])
async def test_of_a_hundred_callers_one_is_the_probe(*, down: bool) -> None:
    world = _World()
    await world.fall()
    world.wait(1.0)
    asked, go = world.asked, asyncio.Event()

    async def slowly() -> str:
        await go.wait()
        world.down = down
        return await world.answer()

    calling = [asyncio.create_task(_outcome(world.breaker.call(slowly))) for _ in range(100)]
    await asyncio.sleep(0)
    refused = [task for task in calling if task.done()]
    go.set()
    outcomes = await asyncio.gather(*calling)

    assert (len(refused), world.asked - asked) == (99, 1)
    assert outcomes.count(None) == (0 if down else 1)
    assert world.breaker.state is (State.OPEN if down else State.CLOSED)
    assert all(isinstance(outcome, CircuitOpen) for outcome in outcomes if outcome)


async def test_concurrent_calls_of_a_closed_breaker_do_not_wait_for_each_other() -> None:
    world, meeting = _World(), asyncio.Barrier(20)

    async def meet() -> None:
        async with meeting:
            pass

    async with asyncio.timeout(10):
        await asyncio.gather(*(world.breaker.call(meet) for _ in range(20)))

    assert world.breaker.state is State.CLOSED


async def _cancelled(world: _World, *, after_s: float) -> None:
    began = asyncio.Event()

    async def wait_for_ever() -> None:
        began.set()
        await asyncio.Event().wait()

    waiting = asyncio.create_task(world.breaker.call(wait_for_ever))
    await began.wait()
    world.wait(after_s)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_caller_who_goes_says_nothing_about_the_store() -> None:
    world = _World()

    for _ in range(20):
        await _cancelled(world, after_s=30)

    assert world.breaker.state is State.CLOSED
    assert not isinstance(await world.call(), CircuitOpen)


async def test_a_caller_who_goes_after_its_patience_says_that_the_store_did_not_answer() -> None:
    world = _World(Limits(patience_s=1.0))

    for _ in range(3):
        await _cancelled(world, after_s=1.5)

    assert isinstance(await world.call(), CircuitOpen)


async def test_a_probe_that_is_cancelled_lets_the_next_caller_be_the_probe() -> None:
    world = _World()
    await world.fall()
    world.wait(1.0)
    world.down = False

    await _cancelled(world, after_s=0)

    assert world.breaker.state is State.HALF_OPEN
    assert await world.call() is None
    assert world.breaker.state is State.CLOSED


async def test_a_probe_that_hits_a_bug_does_not_keep_the_place_of_the_probe() -> None:
    world = _World()
    await world.fall()
    world.wait(1.0)

    async def bug() -> float:
        return 1 / 0

    assert isinstance(await _outcome(world.breaker.call(bug)), ZeroDivisionError)
    assert world.breaker.state is State.CLOSED


@pytest.mark.parametrize("late", [True, False])
async def test_what_began_before_the_outage_says_nothing_about_it(*, late: bool) -> None:
    world, go = _World(), asyncio.Event()

    async def began_before() -> None:
        await go.wait()
        if late:
            raise StoreUnavailable("qdrant", "at last")

    old = [asyncio.create_task(_outcome(world.breaker.call(began_before))) for _ in range(LIMITS.least)]
    await asyncio.sleep(0)
    await world.fall()
    if late:
        world.down = False
        world.wait(1.0)
        await world.call()
    state = world.breaker.state
    go.set()
    await asyncio.gather(*old)

    assert world.breaker.state is state is (State.CLOSED if late else State.OPEN)


async def test_a_call_that_fails_while_the_breaker_is_open_says_when_to_ask_again() -> None:
    world, go = _World(), asyncio.Event()

    async def began_before() -> None:
        await go.wait()
        raise StoreUnavailable("qdrant", "at last")

    old = asyncio.create_task(_outcome(world.breaker.call(began_before)))
    await asyncio.sleep(0)
    await world.fall()
    go.set()

    assert isinstance(await old, CircuitOpen)


async def test_the_probe_pings_first_and_asks_nothing_more_of_a_store_that_does_not_answer_that() -> None:
    world = _World()
    world.breaker = Breaker(
        "qdrant", "write", LIMITS, probe=world.ping, clock=lambda: world.now, chance=lambda: 1.0
    )
    await world.fall()
    asked = world.asked
    assert world.pinged == 0

    world.wait(1.0)
    await world.call()
    assert (world.pinged, world.asked) == (1, asked)

    world.wait(2.0)
    world.down = False
    assert await world.call() is None
    assert (world.pinged, world.asked) == (2, asked + 1)


async def test_an_outage_is_logged_once_and_so_is_its_end() -> None:
    world = _World()

    with capture_logs() as logged:
        await world.fall()
        for _ in range(5):
            world.wait(4.0)
            await world.call()
        world.down = False
        world.wait(4.0)
        await world.call()

    assert [(line["event"], line["store"], line["kind"]) for line in logged] == [
        ("breaker.opened", "qdrant", "write"),
        ("breaker.closed", "qdrant", "write"),
    ]
    assert logged[1]["open_s"] == 24.0


@given(
    steps=st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=60),
    chances=st.floats(0, 1),
)
def test_whatever_happens_it_asks_a_store_that_is_back_within_the_longest_wait(
    steps: Sequence[tuple[bool, float]], chances: float
) -> None:
    async def go() -> None:
        world = _World(chance=lambda: chances)
        for world.down, passed in steps:
            asked = world.asked
            outcome = await world.call()
            if world.asked == asked:
                assert isinstance(outcome, CircuitOpen)
                assert 0 < outcome.retry_after_s <= LIMITS.longest_open_s
            else:
                assert (outcome is None) == (not world.down)
            world.wait(passed)
        world.down = False
        world.wait(LIMITS.longest_open_s)
        assert await world.call() is None
        assert world.breaker.state is State.CLOSED

    asyncio.run(go())


async def test_a_store_that_cannot_write_may_still_search_and_the_other_way_round() -> None:
    tenant = fresh_tenant()
    write = write_of(tenant, message())
    store = guarded(_Unwritable(), read_deadline_s=READ_DEADLINE_S)

    refused = [await _outcome(store.prepare([write])) for _ in range(4)]

    assert isinstance(refused[-1], CircuitOpen)
    assert isinstance(await _outcome(store.read_back(tenant, [write.ref])), CircuitOpen)
    assert not await store.claims_around(tenant, [], steps=1, limit=1)


async def test_a_ping_goes_through_an_open_breaker() -> None:
    tenant = fresh_tenant()
    failing = Misbehaving(MemoryStore("qdrant"), scripted("discard", *[Fault.BEFORE] * 3))
    store = guarded(failing, read_deadline_s=READ_DEADLINE_S)
    for _ in range(3):
        await _outcome(store.discard(tenant, []))

    assert isinstance(await _outcome(store.discard(tenant, [])), CircuitOpen)
    assert await _outcome(store.ping()) is None


class _Unwritable(MemoryGraph):
    async def prepare(self, writes: Sequence[object]) -> None:
        raise StoreUnavailable(self.name, f"the disk is full, {len(writes)} writes too many")


class TestGuardedStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return guarded(MemoryStore("postgres"), read_deadline_s=READ_DEADLINE_S)

    @pytest.fixture
    def unreachable(self) -> Store:
        down = Misbehaving(MemoryStore("postgres"), always(Fault.BEFORE))
        return guarded(down, read_deadline_s=READ_DEADLINE_S)


class TestGuardedVectors(StoreContract, VectorContract):
    @pytest.fixture
    def vectors(self) -> Vectors:
        return guarded(MemoryVectors(EMBEDDER.id), read_deadline_s=READ_DEADLINE_S)

    @pytest.fixture
    def store(self, vectors: Vectors) -> Store:
        return vectors

    @pytest.fixture
    def unreachable(self) -> Store:
        down = Misbehaving(MemoryVectors(EMBEDDER.id), always(Fault.BEFORE))
        return guarded(down, read_deadline_s=READ_DEADLINE_S)


class TestGuardedGraph(StoreContract, GraphContract):
    @pytest.fixture
    def memory(self) -> MemoryGraph:
        return MemoryGraph()

    @pytest.fixture
    def graph(self, memory: MemoryGraph) -> Graph:
        return guarded(memory, read_deadline_s=READ_DEADLINE_S)

    @pytest.fixture
    def store(self, graph: Graph) -> Store:
        return graph

    @pytest.fixture
    def snapshot(self, memory: MemoryGraph) -> Snapshot:
        async def dump(tenant_id: str) -> object:
            return dump_of_memory(memory, tenant_id)

        return dump

    @pytest.fixture
    def unreachable(self) -> Store:
        return guarded(Misbehaving(MemoryGraph(), always(Fault.BEFORE)), read_deadline_s=READ_DEADLINE_S)
