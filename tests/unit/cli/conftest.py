"""The command line in front of an API on a real socket, whose memory is in this process."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Protocol

import pytest
from structlog.testing import capture_logs
from tests.unit.api.fakes import ALICE, KEYS
from tests.unit.api.serving import served
from tests.unit.api.world import World
from tests.unit.api.world import opened as opened_world
from typer.testing import CliRunner, Result

from apex_memory.cli import app


class Apex(Protocol):
    """Runs one command to its end."""

    async def __call__(self, *arguments: str, given: str | None = None) -> Result: ...


@pytest.fixture
async def world() -> AsyncGenerator[World, None]:
    """An API that remembers at once what it accepts."""
    with capture_logs():
        async with opened_world(remembering=True) as world:
            yield world


@pytest.fixture
async def apex(world: World, environment: None) -> AsyncGenerator[Apex, None]:  # noqa: ARG001 - sets variables
    async with served(world) as server:

        async def run(*arguments: str, given: str | None = None) -> Result:
            variables = {"APEX_API_URL": server.url, "COLUMNS": "200"}
            return await asyncio.to_thread(CliRunner().invoke, app, arguments, input=given, env=variables)

        yield run


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory) -> None:
    """All settings that a command needs; nothing listens at any of these places."""
    monkeypatch.setenv("APEX_HOME", str(tmp_path))
    monkeypatch.setenv("APEX_API_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("APEX_API_KEY", KEYS[ALICE])
    for name, value in {
        "POSTGRES_URL": "postgresql://127.0.0.1:1/none",
        "QDRANT_URL": "http://127.0.0.1:1",
        "NEO4J_URL": "bolt://127.0.0.1:1",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        "MAX_DOCUMENT_BYTES": "8192",
    }.items():
        monkeypatch.setenv(f"APEX_{name}", value)
