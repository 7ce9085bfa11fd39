"""A fresh application for every test."""

from collections.abc import AsyncGenerator

import pytest
from tests.unit.api.world import World, opened


@pytest.fixture
async def world() -> AsyncGenerator[World, None]:
    async with opened() as world:
        yield world


@pytest.fixture
async def remembering() -> AsyncGenerator[World, None]:
    """An application whose inbox does the whole way of an event at once."""
    async with opened(remembering=True) as world:
        yield world
