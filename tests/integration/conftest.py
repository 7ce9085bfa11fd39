"""The whole product in this process: workers of every queue and a relay, on the test's own queues."""

from collections.abc import AsyncGenerator

import pytest
from temporalio.client import Client
from tests.integration.workflows.product import at_work

from apex_memory.bootstrap.memory import Memory, open_memory
from apex_memory.settings import Settings


@pytest.fixture
async def memory(settings: Settings) -> AsyncGenerator[Memory, None]:
    """What a caller sees of the product; nothing is taken in until workers run."""
    async with open_memory(settings) as memory:
        yield memory


@pytest.fixture
async def running(settings: Settings, temporal: Client) -> AsyncGenerator[None, None]:
    """Workers and relay at work."""
    async with at_work(settings, temporal):
        yield
