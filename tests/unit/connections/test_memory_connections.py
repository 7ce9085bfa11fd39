"""The in-memory connections keep the contract of the real ones."""

import pytest
from tests.contracts.connections_contract import ConnectionsContract

from apex_memory.testing import MemoryConnections


class TestMemoryConnections(ConnectionsContract):
    @pytest.fixture
    def connections(self) -> MemoryConnections:
        return MemoryConnections()
