"""The whole product under its own supervisor, in a home of this run's own."""

from collections.abc import AsyncGenerator

import pytest

from apex_memory.devstack.catalogue import ALL
from apex_memory.devstack.endpoints import endpoints_in, read_env_file
from apex_memory.devstack.fixture import running_stack
from apex_memory.devstack.stack import Stack
from apex_memory.settings import Settings


@pytest.fixture(scope="session")
async def whole_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stack, None]:
    """Stores, Temporal, API, relay and workers; what dies is started again by the supervisor."""
    home = tmp_path_factory.mktemp("whole") / "apex"
    async with running_stack(home, services=ALL):
        yield Stack(home)


@pytest.fixture(scope="session")
def whole_settings(whole_stack: Stack) -> Settings:
    return endpoints_in(read_env_file(whole_stack.home.env_file)).settings()
