"""An address in, silence out if the service behind it really answers; StoreUnavailable if not."""

import asyncio
import importlib
import sys
from datetime import UTC, datetime
from typing import Final

from apex_memory.domain.errors import StoreUnavailable

ANSWER_S: Final = 3.0


async def postgres_answers(url: str) -> None:
    """SELECT 1."""
    await _load("psycopg")
    import psycopg

    try:
        async with (
            asyncio.timeout(ANSWER_S),
            await psycopg.AsyncConnection.connect(url, connect_timeout=int(ANSWER_S)) as connection,
        ):
            await connection.execute("SELECT 1")
    except (psycopg.Error, TimeoutError) as exc:
        raise StoreUnavailable("postgres", _first_line(exc)) from exc


async def somebody_listens(url: str, *, channel: str, since: datetime) -> None:
    """A connection that was opened after `since` listens to this channel."""
    await _load("psycopg")
    import psycopg

    query = "SELECT 1 FROM pg_stat_activity WHERE query ILIKE %s AND backend_start >= %s"
    try:
        async with (
            asyncio.timeout(ANSWER_S),
            await psycopg.AsyncConnection.connect(url, connect_timeout=int(ANSWER_S)) as connection,
        ):
            found = await connection.execute(query, (f'LISTEN "{channel}"%', since))
            listening = await found.fetchone() is not None
    except (psycopg.Error, TimeoutError) as exc:
        raise StoreUnavailable("postgres", _first_line(exc)) from exc
    if not listening:
        raise StoreUnavailable("postgres", f"nobody listens to {channel} yet")


async def redis_answers(url: str) -> None:
    """PING; a server that still loads its append-only file refuses."""
    await _load("redis.asyncio")
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    client = Redis.from_url(url, socket_timeout=ANSWER_S)  # pyright: ignore[reportUnknownMemberType] - kwargs
    try:
        await client.execute_command("PING")  # pyright: ignore[reportUnknownMemberType] - untyped arguments
    except (RedisError, OSError, TimeoutError) as exc:
        raise StoreUnavailable("redis", _first_line(exc)) from exc
    finally:
        await client.aclose()


async def neo4j_answers(url: str, *, auth: tuple[str, str] | None = None) -> None:
    """RETURN 1 as an auto-commit query: the driver's own retries would hide for 30 s that nobody answers."""
    await _load("neo4j")
    from neo4j import AsyncGraphDatabase
    from neo4j.exceptions import DriverError, Neo4jError

    driver = AsyncGraphDatabase.driver(url, auth=auth)  # pyright: ignore[reportUnknownMemberType] - config
    try:
        async with asyncio.timeout(ANSWER_S):
            session = driver.session()  # pyright: ignore[reportUnknownMemberType] - config
            async with session:
                await (await session.run("RETURN 1")).consume()
    except (DriverError, Neo4jError, OSError, TimeoutError) as exc:
        raise StoreUnavailable("neo4j", _first_line(exc)) from exc
    finally:
        await driver.close()


async def http_answers(name: str, url: str) -> None:
    """200 to a GET."""
    await _load("httpx")
    import httpx

    try:
        async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as client:
            (await client.get(url)).raise_for_status()
    except httpx.HTTPError as exc:
        raise StoreUnavailable(name, _first_line(exc)) from exc


async def temporal_answers(address: str, namespace: str) -> None:
    """The frontend is healthy and the namespace can be described."""
    await _load("temporalio.client")
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
    from temporalio.client import Client
    from temporalio.service import RPCError

    try:
        async with asyncio.timeout(ANSWER_S):
            client = await Client.connect(address, namespace=namespace)
            if not await client.service_client.check_health():
                raise StoreUnavailable("temporal", "the frontend says that it is not serving")
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
    except (RPCError, RuntimeError, TimeoutError) as exc:
        raise StoreUnavailable("temporal", _first_line(exc)) from exc


async def worker_polls(address: str, namespace: str, *, queue: str, since: datetime) -> None:
    """Someone asked this queue for work after `since`; Temporal lists pollers long after they left."""
    await _load("temporalio.client")
    from temporalio.api.enums.v1 import TaskQueueType
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
    from temporalio.client import Client
    from temporalio.service import RPCError

    try:
        async with asyncio.timeout(ANSWER_S):
            client = await Client.connect(address, namespace=namespace)
            for kind in (TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW):
                described = await client.workflow_service.describe_task_queue(
                    DescribeTaskQueueRequest(
                        namespace=namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
                    )
                )
                if any(p.last_access_time.ToDatetime(UTC) >= since for p in described.pollers):
                    return
    except (RPCError, RuntimeError, TimeoutError) as exc:
        raise StoreUnavailable("temporal", _first_line(exc)) from exc
    raise StoreUnavailable(queue, "no worker has asked this queue for work yet")


async def _load(module: str) -> None:
    """Import a driver beside the event loop.

    On a busy machine it takes seconds, which would count against the deadline of every other answer.
    """
    if module not in sys.modules:
        await asyncio.to_thread(importlib.import_module, module)


def _first_line(exc: BaseException) -> str:
    text = str(exc).strip() or type(exc).__name__
    return text.splitlines()[0][:300]
