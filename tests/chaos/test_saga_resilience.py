"""Redis failing in every way: it changes how long an answer takes, never what it says, and loses nothing.

They share a Redis of their own, new before each test, beside the real stores and Temporal.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, cast

import pytest
from temporalio.client import Client
from tests.chaos.redis_server import RedisServer, redis_server
from tests.chaos.redis_wire import Wire, cut_in_the_middle, instead, late, unchanged, wire_to
from tests.integration.workflows.product import accept_record, at_work, settled

from apex_memory.bootstrap.clients import connect_temporal
from apex_memory.bootstrap.memory import Memory, open_memory
from apex_memory.database import Database, open_database
from apex_memory.devstack.loopback import HOST
from apex_memory.domain import ids
from apex_memory.domain.answers import ItemView, Neighbourhood, SearchAnswer
from apex_memory.domain.bundles import VersionedBundle
from apex_memory.domain.ledger import Ingestion, Outcome
from apex_memory.pipeline.retrieval.cards import Cards
from apex_memory.pipeline.retrieval.query_cache import PATIENCE_S
from apex_memory.pipeline.stores.redis import TIMEOUT_S, RedisCache, open_redis
from apex_memory.ports import Store
from apex_memory.relay import relaying
from apex_memory.settings import Settings
from apex_memory.testing import Fault, Misbehaving, always

pytestmark = pytest.mark.chaos

KEY = "SHIP-77"
QUESTION = "Where does SHIP-77 go, and for whom?"
BATCH = 5


class Seen(NamedTuple):
    """Everything that a reader can ask for of one item, as three readers of one moment see it."""

    answer: SearchAnswer
    item: ItemView
    around: Neighbourhood

    @property
    def status(self) -> str:
        [status] = {fact.value for fact in self.answer.facts if fact.predicate == "has_status"}
        return status or ""


class _Held(Misbehaving):
    """Waits in the middle of a write until it is let through."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, always(Fault.NONE))
        self.waiting = asyncio.Event()
        self.go = asyncio.Event()

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        self.waiting.set()
        await self.go.wait()
        await super().prepare(writes)


@pytest.fixture(scope="module")
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[RedisServer, None]:
    async with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(autouse=True)
async def _sound(redis: RedisServer) -> None:
    """Whatever the test before did to it."""
    await redis.kill()
    await redis.start()


@pytest.fixture(scope="module")
async def its_settings(
    own_settings: Callable[[], AbstractAsyncContextManager[Settings]], redis: RedisServer
) -> AsyncGenerator[Settings, None]:
    async with own_settings() as settings:
        yield settings.model_copy(update={"redis_url": redis.url})


@pytest.fixture(scope="module")
async def database(its_settings: Settings) -> AsyncGenerator[Database, None]:
    async with open_database(its_settings.postgres_url) as database:
        yield database


@pytest.fixture(scope="module")
async def memory(its_settings: Settings) -> AsyncGenerator[Memory, None]:
    async with open_memory(its_settings) as memory:
        yield memory


@pytest.fixture(scope="module")
async def running(its_settings: Settings) -> AsyncGenerator[None, None]:
    """One product for all tests that do not start their own: it has to survive them all."""
    async with at_work(its_settings, await connect_temporal(its_settings)):
        yield


class Alone(NamedTuple):
    """A product that the test itself starts and stops: its settings, and what a caller sees of it."""

    settings: Settings
    memory: Memory
    database: Database


@pytest.fixture
async def alone(settings: Settings, redis: RedisServer) -> AsyncGenerator[Alone, None]:
    its_own = settings.model_copy(update={"redis_url": redis.url})
    async with open_memory(its_own) as memory, open_database(its_own.postgres_url) as database:
        yield Alone(its_own, memory, database)


@pytest.fixture
async def wire(redis: RedisServer) -> AsyncGenerator[Wire, None]:
    async with wire_to(redis.port) as wire:
        yield wire


@pytest.fixture
async def wired(its_settings: Settings, wire: Wire) -> AsyncGenerator[Memory, None]:
    """A reader that sees Redis through the wire; the writers do not."""
    async with open_memory(its_settings.model_copy(update={"redis_url": wire.url})) as memory:
        yield memory


def record(status: str, *, key: str = KEY, customer: str = "Acme") -> dict[str, str]:
    return {"shipmentId": key, "customerName": customer, "status": status}


async def remembered(memory: Memory, tenant: str, status: str, *, customer: str = "Acme") -> Ingestion:
    """Sent, and committed whatever Redis does."""
    event_id = await accept_record(memory, tenant, "turvo", record(status, customer=customer), label=KEY)
    ended = await settled(memory, tenant, event_id)
    assert ended.outcome is Outcome.COMMITTED
    return ended


async def seen(memory: Memory, tenant: str, *, question: str = QUESTION) -> Seen:
    """Asked anew; whole, or the test ends here."""
    item_id, shipment = ids.item_id(tenant, "turvo", KEY), ids.entity_id(tenant, "shipment", KEY)
    answer = await memory.retrieval.search(tenant, question)
    assert answer.missing == ()
    assert answer.hits
    around = await memory.retrieval.neighbourhood(tenant, shipment)
    return Seen(answer, await memory.retrieval.item(tenant, item_id), around)


async def nothing_is_owed(database: Database, tenant: str) -> None:
    """Wait until the courier has delivered every announcement of the tenant."""
    while await _owed(database, tenant):
        await asyncio.sleep(0.05)


async def _owed(database: Database, tenant: str) -> int:
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT count(*) AS n FROM outbox WHERE tenant_id = %s", (tenant,))
        row = await cursor.fetchone()
        return row["n"] if row else 0


async def warmed(redis: RedisServer, memory: Memory, tenant: str, ingestions: Sequence[Ingestion]) -> None:
    """Every card is in Redis, and says what PostgreSQL says."""
    async with open_redis(redis.url, timeout_s=10.0) as client:
        cards = Cards(RedisCache(client))
        for ingestion in ingestions:
            item_id, version = ingestion.item_id, ingestion.version
            assert item_id
            assert version
            assert ingestion.seq
            truth = await memory.archive.item(tenant, item_id, seq=ingestion.seq)
            assert await cards.get(tenant, item_id, version) == truth


async def overwritten(
    redis: RedisServer, tenant: str, lie: Callable[[bytes, bytes], bytes | Awaitable[bytes]]
) -> int:
    """Put a lie, made of key and value, in the place of everything that is kept for a tenant."""
    keys = await redis.keys(tenant)
    for key in keys:
        told = lie(key, cast("bytes", await redis.do("GET", key)))
        await redis.do("SET", key, told if isinstance(told, bytes) else await told, "KEEPTTL")
    return len(keys)


async def test_redis_down_from_the_start_fails_no_ingest_and_no_answer(
    redis: RedisServer, alone: Alone, temporal: Client, tenant: str
) -> None:
    """Proves that every process starts, takes in and answers without Redis, and that a Redis which comes
    later gets every card it is owed."""
    its_settings, memory, database = alone
    await redis.kill()
    async with at_work(its_settings, temporal):
        ingestion = await remembered(memory, tenant, "in_transit")
        assert (await seen(memory, tenant)).status == "in_transit"
        assert await _owed(database, tenant) == 1

        await redis.start()
        await nothing_is_owed(database, tenant)

    await warmed(redis, memory, tenant, [ingestion])


async def _in_the_middle_of_a_batch(
    alone: Alone, temporal: Client, tenant: str, fault: Callable[[], Awaitable[object]]
) -> Sequence[Ingestion]:
    """Some records in one batch; while it is being written, `fault` happens. Returns how they ended."""
    its_settings, memory, _ = alone
    held: list[_Held] = []

    def spoil(store: Store) -> Store:
        if store.name != "qdrant":
            return store
        held.append(_Held(store))
        return held[0]

    keys = [f"SHIP-{n}" for n in range(BATCH)]
    events = [
        await accept_record(memory, tenant, "turvo", record("in_transit", key=key), label=key) for key in keys
    ]
    async with at_work(its_settings, temporal, spoil=spoil):
        await held[0].waiting.wait()
        await fault()
        held[0].go.set()
        ended = [await settled(memory, tenant, event_id) for event_id in events]
    assert {(one.outcome, one.seq) for one in ended} == {(Outcome.COMMITTED, 1)}, "all of it, in one commit"
    return ended


async def test_redis_killed_in_the_middle_of_a_batch_changes_nothing_of_it(
    redis: RedisServer, alone: Alone, temporal: Client, tenant: str
) -> None:
    """Proves that kill -9 of Redis while a batch is half written leaves a whole commit, and that a relay
    started later delivers what the first one could not."""
    its_settings, memory, database = alone
    ended = await _in_the_middle_of_a_batch(alone, temporal, tenant, redis.kill)
    assert await _owed(database, tenant) == BATCH

    await redis.start()
    async with relaying(its_settings, temporal):
        await nothing_is_owed(database, tenant)

    await warmed(redis, memory, tenant, ended)


async def test_redis_flushed_in_the_middle_of_a_batch_changes_nothing_of_it(
    redis: RedisServer, alone: Alone, temporal: Client, tenant: str
) -> None:
    """Proves that FLUSHALL while a batch is half written costs neither an item nor an answer."""

    async def flush() -> None:
        await redis.do("SET", "other", "1")
        await redis.do("FLUSHALL")

    ended = await _in_the_middle_of_a_batch(alone, temporal, tenant, flush)

    found = {
        hit.external_id
        for n in range(BATCH)
        for hit in (await alone.memory.retrieval.search(tenant, f"SHIP-{n}")).hits
    }
    assert found == {f"SHIP-{n}" for n in range(BATCH)}
    assert len({one.item_id for one in ended}) == BATCH


@pytest.mark.usefixtures("running")
async def test_redis_out_of_memory_keeps_nothing_and_loses_nothing(
    redis: RedisServer, database: Database, memory: Memory, tenant: str
) -> None:
    """Proves that a Redis which refuses every write for want of memory fails no ingest and no answer, and
    that the refused cards are delivered once there is room."""
    first = await remembered(memory, tenant, "in_transit")
    await nothing_is_owed(database, tenant)
    before = await seen(memory, tenant)
    await redis.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
    await redis.do("CONFIG", "SET", "maxmemory", "1")

    assert await seen(memory, tenant) == before
    second = await remembered(memory, tenant, "delivered")
    assert (await seen(memory, tenant)).status == "delivered"
    assert await _owed(database, tenant) == 1

    await redis.do("CONFIG", "SET", "maxmemory", "0")
    await nothing_is_owed(database, tenant)
    await warmed(redis, memory, tenant, [first, second])


@pytest.mark.usefixtures("running")
async def test_redis_turned_into_a_replica_refuses_writes_then_reads_and_nobody_notices(
    redis: RedisServer, database: Database, memory: Memory, tenant: str
) -> None:
    """Proves that READONLY after a failover, and then MASTERDOWN, change neither what is taken in nor what
    is answered, and that a Redis which is a master again is owed nothing in the end."""
    await remembered(memory, tenant, "in_transit")
    before = await seen(memory, tenant)
    await redis.do("REPLICAOF", HOST, "1")

    assert await seen(memory, tenant) == before
    second = await remembered(memory, tenant, "delivered")
    after = await seen(memory, tenant)
    await redis.do("CONFIG", "SET", "replica-serve-stale-data", "no")
    assert await seen(memory, tenant) == after
    assert after.status == "delivered"

    await redis.do("REPLICAOF", "NO", "ONE")
    await nothing_is_owed(database, tenant)
    await warmed(redis, memory, tenant, [second])


@pytest.mark.usefixtures("running")
async def test_redis_that_wants_a_password_is_done_without(
    redis: RedisServer, database: Database, memory: Memory, tenant: str
) -> None:
    """Proves that a password that nobody told us (NOAUTH on every command) is an outage of the cache and of
    nothing else, and ends when the password does."""
    await remembered(memory, tenant, "in_transit")
    await nothing_is_owed(database, tenant)
    before = await seen(memory, tenant)
    await redis.do("CONFIG", "SET", "requirepass", "another")
    # Who is connected stays trusted: only new connections meet the password.
    await redis.do("CLIENT", "KILL", "TYPE", "normal", password="another")

    assert await seen(memory, tenant) == before
    second = await remembered(memory, tenant, "delivered")
    assert (await seen(memory, tenant)).status == "delivered"
    assert await _owed(database, tenant) == 1

    await redis.do("CONFIG", "SET", "requirepass", "", password="another")
    await nothing_is_owed(database, tenant)
    await warmed(redis, memory, tenant, [second])


@pytest.mark.usefixtures("running")
async def test_redis_frozen_holds_up_neither_readers_nor_writers(
    redis: RedisServer, database: Database, memory: Memory, tenant: str
) -> None:
    """Proves that a Redis which takes connections and never answers (SIGSTOP) ends no search, no read and no
    ingest, and that it is owed nothing after it woke."""
    await remembered(memory, tenant, "in_transit")
    await nothing_is_owed(database, tenant)
    before = await seen(memory, tenant)
    redis.freeze()

    assert await seen(memory, tenant) == before
    second = await remembered(memory, tenant, "delivered")
    after = await asyncio.gather(*(seen(memory, tenant) for _ in range(8)))
    assert {one.status for one in after} == {"delivered"}
    assert await _owed(database, tenant) == 1

    redis.thaw()
    await nothing_is_owed(database, tenant)
    await warmed(redis, memory, tenant, [second])
    assert await seen(memory, tenant) == after[0]


@pytest.mark.usefixtures("running")
async def test_redis_that_breaks_off_in_the_middle_of_a_reply_is_a_miss(
    wire: Wire, wired: Memory, tenant: str
) -> None:
    """Proves that half a reply and then a reset is never taken for a value, whatever a reader asks."""
    await remembered(wired, tenant, "in_transit")
    before = await seen(wired, tenant)
    wire.mangle = cut_in_the_middle

    assert [await seen(wired, tenant) for _ in range(3)] == [before] * 3
    assert wire.mangled

    wire.mangle = unchanged
    assert await seen(wired, tenant) == before


@pytest.mark.usefixtures("running")
async def test_something_else_that_answers_on_redis_port_is_a_miss(
    wire: Wire, wired: Memory, tenant: str
) -> None:
    """Proves that replies which are not Redis' protocol, or answer something else, are never served."""
    await remembered(wired, tenant, "in_transit")
    before = await seen(wired, tenant)
    strangers = (
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        b"$many\r\nbytes\r\n",
        b"$-7\r\n",
        b":x\r\n",
        b"$2\r\n{}\r\n",
        b"%1\r\n*1\r\n+a\r\n+b\r\n",
        b"\xff" * 100_000,
    )

    for stranger in strangers:
        wire.mangle = instead(stranger)
        wire.mangled = 0
        assert await seen(wired, tenant) == before
        assert wire.mangled

    wire.mangle = unchanged
    assert await seen(wired, tenant) == before


@pytest.mark.usefixtures("running")
async def test_replies_that_come_too_late_never_reach_another_question(
    wire: Wire, wired: Memory, tenant: str, other_tenant: str
) -> None:
    """Proves that a reply which its asker no longer waits for is not taken by the next one, also not by one
    of another tenant."""
    tenants = (tenant, other_tenant)
    for one, customer in zip(tenants, ("Acme", "Globex"), strict=True):
        await remembered(wired, one, "in_transit", customer=customer)
    before = [await seen(wired, one) for one in tenants]
    assert before[0].around != before[1].around

    for delay in (PATIENCE_S * 1.2, TIMEOUT_S * 1.2, PATIENCE_S * 0.9, 0.0):
        wire.mangle = late(delay)
        assert await asyncio.gather(*(seen(wired, one) for one in tenants)) == before

    wire.mangle = unchanged
    assert [await seen(wired, one) for one in tenants] == before


@pytest.mark.usefixtures("running")
async def test_garbage_under_our_keys_is_a_miss_and_is_replaced(
    redis: RedisServer, database: Database, memory: Memory, tenant: str
) -> None:
    """Proves that poisoned values (noise, nothing, huge, cut off, one bit changed, of another release, one
    key's value under another) are never served, and that what is computed anew takes their place."""
    await remembered(memory, tenant, "in_transit")
    await nothing_is_owed(database, tenant)
    before = await seen(memory, tenant)
    sound = {key: cast("bytes", await redis.do("GET", key)) for key in await redis.keys(tenant)}
    assert {key.split(b":")[2] for key in sound} == {b"answer", b"vector", b"item"}
    lies: dict[str, Callable[[bytes, bytes], bytes]] = {
        "noise": lambda _key, value: bytes(byte ^ 0xA5 for byte in value),
        "nothing": lambda _key, _value: b"",
        "an object": lambda _key, _value: b"{}",
        "huge": lambda _key, _value: bytes(32 << 20),
        "cut off": lambda _key, value: value[:-1],
        "one bit": lambda _key, value: value[:-1] + bytes([value[-1] ^ 1]),
        "another release": lambda _key, value: value[16:],
        "another key": lambda key, _value: next(v for k, v in sound.items() if k != key),
    }

    for name, lie in lies.items():
        assert await overwritten(redis, tenant, lie) == len(sound), name
        assert await seen(memory, tenant) == before, name
        for key, value in sound.items():
            if b":item:" not in key:
                assert await redis.do("GET", key) == value, f"{name} was not replaced"
            await redis.do("SET", key, value, "KEEPTTL")


@pytest.mark.usefixtures("running")
async def test_another_type_under_our_keys_is_a_miss_and_is_replaced(
    redis: RedisServer, memory: Memory, database: Database, tenant: str
) -> None:
    """Proves that WRONGTYPE on every key changes no answer, and keeps no later card from its place."""
    await remembered(memory, tenant, "in_transit")
    await nothing_is_owed(database, tenant)
    before = await seen(memory, tenant)
    second_card = f"t:{tenant}:item:{before.item.item_id}:v2"
    for key in await redis.keys(tenant):
        await redis.do("DEL", key)
        await redis.do("LPUSH", key, "not a string")
    await redis.do("HSET", second_card, "not", "a string")

    assert await seen(memory, tenant) == before
    second = await remembered(memory, tenant, "delivered")
    await nothing_is_owed(database, tenant)

    await warmed(redis, memory, tenant, [second])
    assert (await seen(memory, tenant)).status == "delivered"


@pytest.mark.usefixtures("running")
async def test_what_redis_kept_of_an_older_version_is_never_served(
    redis: RedisServer, database: Database, memory: Memory, tenant: str
) -> None:
    """Proves that a Redis which slept through an update, and one that holds the old version's values under
    the new one's keys, cannot bring the old version back."""
    await remembered(memory, tenant, "in_transit")
    await nothing_is_owed(database, tenant)
    old = await seen(memory, tenant)
    stale = {key.split(b":")[2]: await redis.do("GET", key) for key in await redis.keys(tenant)}
    redis.freeze()
    await remembered(memory, tenant, "delivered")
    redis.thaw()

    new = await seen(memory, tenant)
    assert (old.item.version, new.item.version) == (1, 2)
    assert (old.status, new.status) == ("in_transit", "delivered")

    await nothing_is_owed(database, tenant)
    assert await overwritten(redis, tenant, lambda key, _value: cast("bytes", stale[key.split(b":")[2]]))
    assert await seen(memory, tenant) == new


@pytest.mark.usefixtures("running")
async def test_what_redis_keeps_for_one_tenant_is_never_served_to_another(
    redis: RedisServer, database: Database, memory: Memory, tenant: str, other_tenant: str
) -> None:
    """Proves that even if every value of one tenant lay under another tenant's keys, none would be served."""
    await remembered(memory, tenant, "in_transit", customer="Acme")
    await remembered(memory, other_tenant, "in_transit", customer="Globex")
    await nothing_is_owed(database, tenant)
    await nothing_is_owed(database, other_tenant)
    before = await seen(memory, other_tenant)
    await seen(memory, tenant, question=f"{QUESTION} Ask Acme!")
    foreign = {key.split(b":")[2]: await redis.do("GET", key) for key in await redis.keys(tenant)}

    swapped = await overwritten(
        redis, other_tenant, lambda key, _value: cast("bytes", foreign[key.split(b":")[2]])
    )

    assert swapped == len(foreign) == 3
    assert await seen(memory, other_tenant) == before
    assert "Acme" not in before.answer.model_dump_json()


@pytest.mark.usefixtures("running")
async def test_keys_that_expire_at_any_moment_change_no_answer(
    redis: RedisServer, database: Database, memory: Memory, tenant: str
) -> None:
    """Proves that everything kept has an end, and that a clock which jumps past it between any two questions
    changes no answer."""
    await remembered(memory, tenant, "in_transit")
    await nothing_is_owed(database, tenant)
    before = await seen(memory, tenant)
    ends = [cast("int", await redis.do("PTTL", key)) for key in await redis.keys(tenant)]
    assert all(0 < end <= 3_600_000 for end in ends)

    async def expire_all() -> int:
        return sum([cast("int", await redis.do("PEXPIREAT", key, 1)) for key in await redis.keys(tenant)])

    expired = 0
    for _ in range(5):
        together, gone = await asyncio.gather(seen(memory, tenant), expire_all())
        assert together == before
        expired += gone + await expire_all()
        assert await seen(memory, tenant) == before
    assert expired >= len(ends)


@pytest.mark.usefixtures("running")
async def test_keys_that_are_evicted_at_random_change_no_answer(
    redis: RedisServer, database: Database, memory: Memory, tenant: str
) -> None:
    """Proves that a full Redis which throws out keys at random to make room changes no answer."""
    await remembered(memory, tenant, "in_transit")
    await nothing_is_owed(database, tenant)
    before = await seen(memory, tenant)
    info = str(cast("dict[str, object]", await redis.do("INFO", "memory"))["used_memory"])
    await redis.do("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
    await redis.do("CONFIG", "SET", "maxmemory", int(info) + 200_000)

    for n in range(10):
        await redis.do("SET", f"filling:{n}", bytes(40_000))
        assert await seen(memory, tenant) == before

    stats = cast("dict[str, int]", await redis.do("INFO", "stats"))
    assert stats["evicted_keys"] > 0


@pytest.mark.usefixtures("running")
async def test_redis_with_no_connection_left_is_done_without(
    redis: RedisServer, database: Database, memory: Memory, tenant: str
) -> None:
    """Proves that a Redis which turns new connections away changes no answer, and is owed nothing once it
    lets us in again."""
    await remembered(memory, tenant, "in_transit")
    await nothing_is_owed(database, tenant)
    before = await seen(memory, tenant)
    async with redis.to_itself():
        assert await seen(memory, tenant) == before
        second = await remembered(memory, tenant, "delivered")
        assert (await seen(memory, tenant)).status == "delivered"
        assert await _owed(database, tenant) == 1

    await nothing_is_owed(database, tenant)
    await warmed(redis, memory, tenant, [second])


@pytest.mark.usefixtures("running")
async def test_redis_that_comes_and_goes_is_owed_nothing_in_the_end(
    redis: RedisServer, database: Database, memory: Memory, tenant: str
) -> None:
    """Proves that kill -9 and start, again and again under readers and writers, cost no answer, and that all
    announcements are delivered in the end."""
    for n in range(3):
        ingestion, _ = await asyncio.gather(remembered(memory, tenant, f"status {n}"), redis.kill())
        assert ingestion.version == n + 1
        assert (await seen(memory, tenant)).status == f"status {n}"
        await redis.start()
        assert (await seen(memory, tenant)).status == f"status {n}"

    last = await remembered(memory, tenant, "delivered")
    await nothing_is_owed(database, tenant)

    assert last.version == 4
    await warmed(redis, memory, tenant, [last])
    assert (await seen(memory, tenant)).status == "delivered"
