"""The real services under the real supervisor, killed in the ways that a machine knows."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest
from neo4j import AsyncDriver, AsyncGraphDatabase
from psycopg import AsyncConnection
from qdrant_client.models import Distance, PointStruct, VectorParams
from redis.asyncio import Redis
from temporalio.client import Client

from apex_memory.devstack.catalogue import STORES
from apex_memory.devstack.endpoints import Endpoints, endpoints_in, read_env_file
from apex_memory.devstack.fixture import running_stack
from apex_memory.devstack.health import examine
from apex_memory.devstack.processes import ProcessIdentity, ended, is_alive
from apex_memory.devstack.service import ServiceFailed
from apex_memory.devstack.stack import HomeInUse, Stack
from apex_memory.devstack.state import Phase
from apex_memory.pipeline.stores.qdrant.connection import open_qdrant

pytestmark = pytest.mark.integration

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stack]:
    """Every store and Temporal, for this module alone: its services get killed."""
    stack = Stack(tmp_path_factory.mktemp("dev") / "apex", services=STORES)
    await stack.up()
    yield stack
    await stack.reset()


@pytest.fixture
async def lone_redis(tmp_path: Path) -> AsyncGenerator[Stack]:
    """The stack that starts quickest."""
    stack = Stack(tmp_path / "apex", services=["redis"])
    yield stack
    await stack.reset()


async def test_up_attaches_to_what_runs(stack: Stack) -> None:
    before = stack.state()

    await Stack(stack.home.root, services=STORES).up()

    assert stack.state() == before


async def test_killed_services_come_back_by_themselves_and_keep_their_data(stack: Stack) -> None:
    endpoints = endpoints_of(stack)
    word = await remembered(endpoints)
    restarts = max(service.restarts for service in stack.state().services.values())

    await kill(*processes(stack))
    await until_answering(stack, restarts=restarts + 1)

    assert await who_knows(endpoints, word) == set(STORES)


async def test_up_mends_a_stack_whose_supervisor_was_killed(stack: Stack) -> None:
    endpoints = endpoints_of(stack)
    word = await remembered(endpoints)
    before = stack.state()
    assert before.supervisor

    await kill(before.supervisor)
    mended = await stack.up()

    assert mended == endpoints
    assert not any(is_alive(service.process) for service in before.services.values())
    assert await who_knows(mended, word) == set(STORES)


async def test_after_down_no_process_is_left_and_up_finds_everything_again(stack: Stack) -> None:
    endpoints = endpoints_of(stack)
    word = await remembered(endpoints)
    running = [*processes(stack), stack.state().supervisor]

    await stack.down()

    assert not any(is_alive(process) for process in running)
    assert await stack.up() == endpoints
    assert await who_knows(endpoints, word) == set(STORES)


async def test_a_stack_whose_processes_were_all_killed_at_once_is_mended(lone_redis: Stack) -> None:
    endpoints = await lone_redis.up()
    before = lone_redis.state()
    assert before.supervisor

    await kill(before.supervisor, *processes(lone_redis))

    assert await lone_redis.up() == endpoints
    assert lone_redis.state().supervisor != before.supervisor


async def test_two_ups_at_once_share_one_supervisor(lone_redis: Stack) -> None:
    other = Stack(lone_redis.home.root, services=["redis"])

    first, second = await asyncio.gather(lone_redis.up(), other.up())

    assert first == second
    assert [health.healthy for health in await examine(lone_redis)] == [True]


async def test_up_adds_services_to_a_running_stack(lone_redis: Stack) -> None:
    await lone_redis.up()
    redis = lone_redis.state().services["redis"].process

    await Stack(lone_redis.home.root, services=["redis", "vectors"]).up()

    assert lone_redis.state().services["vectors"].phase is Phase.READY
    assert lone_redis.state().services["redis"].process == redis


async def test_a_port_that_was_taken_meanwhile_is_replaced(lone_redis: Stack) -> None:
    former = await lone_redis.up()
    await lone_redis.down()
    port = lone_redis.state().ports["redis"]

    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port):
        present = await lone_redis.up()

    assert present.redis_url != former.redis_url
    assert present.postgres_url == former.postgres_url


async def test_a_service_given_by_url_is_used_and_left_alone(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = endpoints_of(stack).redis_url
    monkeypatch.setenv("APEX_REDIS_URL", given)
    guest = Stack(tmp_path / "guest", services=["redis"])

    endpoints = await guest.up()
    await guest.down()

    assert endpoints.redis_url == given
    assert processes(guest) == []
    async with redis_at(given) as redis:
        assert await redis.exists("nothing") == 0


async def test_a_missing_program_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "apex", services=["temporal"], installed=tmp_path / "nothing")

    with pytest.raises(ServiceFailed, match="apex dev install"):
        await stack.up()

    assert not stack.state().running


async def test_a_temporary_stack_that_nobody_uses_stops_by_itself(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "apex", services=["redis"], temporary=True)
    await stack.up()
    supervisor = stack.state().supervisor
    running = processes(stack)

    assert supervisor
    assert await ended(supervisor, within_s=PATIENCE_S)
    assert not any(is_alive(process) for process in running)


async def test_users_of_one_home_share_a_stack_and_the_last_to_leave_stops_it(tmp_path: Path) -> None:
    home = tmp_path / "apex"

    async with running_stack(home, services=["redis"]) as first:
        async with running_stack(home, services=["redis"]) as second:
            shared = Stack(home).state().supervisor
        async with redis_at(first.redis_url) as redis:
            assert await redis.exists("nothing") == 0

    assert second == first
    assert not is_alive(shared)
    assert not (home / "data").exists()


async def test_a_test_run_uses_a_stack_that_runs_already_and_leaves_it(lone_redis: Stack) -> None:
    endpoints = await lone_redis.up()

    async with running_stack(lone_redis.home.root, services=["redis"]) as used:
        assert used == endpoints

    assert lone_redis.state().running


async def test_a_test_run_does_not_start_in_a_home_that_keeps_data(lone_redis: Stack) -> None:
    await lone_redis.up()
    await lone_redis.down()

    with pytest.raises(HomeInUse, match="choose another home"):
        async with running_stack(lone_redis.home.root, services=["redis"]):
            pass

    assert lone_redis.home.data.exists()


def endpoints_of(stack: Stack) -> Endpoints:
    return endpoints_in(read_env_file(stack.home.env_file))


def processes(stack: Stack) -> list[ProcessIdentity]:
    return [service.process for service in stack.state().services.values() if service.process]


async def kill(*doomed: ProcessIdentity) -> None:
    for process in doomed:
        os.kill(process.pid, signal.SIGKILL)
    for process in doomed:
        assert await ended(process, within_s=PATIENCE_S)


async def until_answering(stack: Stack, *, restarts: int) -> None:
    """Until each service was started again so often, and answers."""
    async with asyncio.timeout(PATIENCE_S):
        while not all(h.healthy and h.restarts >= restarts for h in await examine(stack)):
            await asyncio.sleep(0.1)


def redis_at(url: str) -> Redis:
    return Redis.from_url(url)  # pyright: ignore[reportUnknownMemberType] - untyped options


def graph_at(url: str) -> AsyncDriver:
    return AsyncGraphDatabase.driver(url)  # pyright: ignore[reportUnknownMemberType] - untyped options


async def remembered(endpoints: Endpoints) -> str:
    """A new word, told to every store, and to Temporal as the id of a workflow."""
    word = f"word-{uuid4().hex}"
    async with await AsyncConnection.connect(endpoints.postgres_url) as postgres:
        await postgres.execute("CREATE TABLE IF NOT EXISTS word (word text PRIMARY KEY)")
        await postgres.execute("INSERT INTO word VALUES (%s)", (word,))
    async with redis_at(endpoints.redis_url) as redis:
        await redis.set(word, "known")
    async with graph_at(endpoints.neo4j_url) as neo4j:
        await neo4j.execute_query("CREATE (:Word {word: $word})", word=word)
    vectors = open_qdrant(endpoints.qdrant_url)
    await vectors.create_collection(
        word, vectors_config={"dense": VectorParams(size=2, distance=Distance.DOT)}
    )
    await vectors.upsert(word, [PointStruct(id=1, vector={"dense": [1.0, 0.0]})])
    await vectors.close()
    temporal = await Client.connect(endpoints.temporal_address)
    await temporal.start_workflow("Remember", id=word, task_queue=word)
    return word


async def who_knows(endpoints: Endpoints, word: str) -> set[str]:
    """The stores that still know it."""
    known: dict[str, bool] = {}
    async with await AsyncConnection.connect(endpoints.postgres_url) as postgres:
        found = await postgres.execute("SELECT 1 FROM word WHERE word = %s", (word,))
        known["postgres"] = await found.fetchone() is not None
    async with redis_at(endpoints.redis_url) as redis:
        known["redis"] = await redis.exists(word) == 1
    async with graph_at(endpoints.neo4j_url) as neo4j:
        records, _, _ = await neo4j.execute_query("MATCH (w:Word {word: $word}) RETURN w", word=word)
        known["neo4j"] = len(records) == 1
    vectors = open_qdrant(endpoints.qdrant_url)
    known["vectors"] = (await vectors.count(word)).count == 1
    await vectors.close()
    temporal = await Client.connect(endpoints.temporal_address)
    known["temporal"] = (await temporal.get_workflow_handle(word).describe()).task_queue == word
    return {name for name, knows in known.items() if knows}
