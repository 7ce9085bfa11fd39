"""The real services for every test that asks for them, and a tenant and task queues of its own for each."""

import atexit
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import LiteralString
from uuid import uuid4

import pytest
from psycopg import AsyncConnection, sql
from pydantic import SecretStr
from temporalio.client import Client

from apex_memory.bootstrap.clients import connect_temporal
from apex_memory.database import Database, open_database
from apex_memory.devstack.fixture import home_of_run, running_stack
from apex_memory.pipeline.intake.seal import new_key
from apex_memory.schema import migrate
from apex_memory.settings import Settings

_STATUS = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-histories", metavar="DIR", help="write the histories of test_replay.py here")


def pytest_configure(config: pytest.Config) -> None:
    """Leave as the product's own processes do, see `run_to_its_end`. Registered first, called last."""
    atexit.register(_leave, config)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_STATUS] = exitstatus


@pytest.fixture(scope="session")
async def stack_settings(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Settings, None]:
    """The stores and Temporal, started for this run and shared by its processes; never another run's."""
    home = home_of_run(tmp_path_factory.getbasetemp())
    async with running_stack(home) as endpoints:
        await migrate(endpoints.postgres_url)
        # A graph that was started seconds ago plans its first queries for seconds.
        yield endpoints.settings(
            staging_dir=home / "staging", read_deadline_s=30.0, secrets_key=SecretStr(new_key())
        )


@pytest.fixture(scope="session")
def own_settings(stack_settings: Settings) -> Callable[[], AbstractAsyncContextManager[Settings]]:
    """The stack's settings with a database and queues of their own, as often as one asks."""

    @asynccontextmanager
    async def own() -> AsyncGenerator[Settings, None]:
        name = uuid4().hex[:12]
        server, _, template = stack_settings.postgres_url.rpartition("/")
        async with await AsyncConnection.connect(f"{server}/postgres", autocommit=True) as connection:
            await connection.execute(_sql("CREATE DATABASE {} TEMPLATE {}", name, template))
            yield stack_settings.model_copy(
                update={"queue_prefix": f"test-{name}", "postgres_url": f"{server}/{name}"}
            )
            await connection.execute(_sql("DROP DATABASE {} WITH (FORCE)", name))

    return own


@pytest.fixture
async def settings(
    own_settings: Callable[[], AbstractAsyncContextManager[Settings]],
) -> AsyncGenerator[Settings, None]:
    """A database and queues of this test's own: its relay sees no other inbox."""
    async with own_settings() as settings:
        yield settings


@pytest.fixture
def tenant() -> str:
    return f"t-{uuid4().hex[:12]}"


@pytest.fixture
def other_tenant() -> str:
    return f"t-{uuid4().hex[:12]}"


@pytest.fixture
async def database(settings: Settings) -> AsyncGenerator[Database, None]:
    async with open_database(settings.postgres_url) as database:
        yield database


@pytest.fixture
async def temporal(settings: Settings) -> Client:
    return await connect_temporal(settings)


def _sql(statement: LiteralString, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*(sql.Identifier(name) for name in names))


def _leave(config: pytest.Config) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(config.stash.get(_STATUS, 1))
