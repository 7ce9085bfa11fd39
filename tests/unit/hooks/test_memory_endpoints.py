"""The in-memory endpoints keep the contract of the real ones."""

import pytest
from tests.contracts.endpoints_contract import EndpointsContract

from apex_memory.testing import MemoryEndpoints


class TestMemoryEndpoints(EndpointsContract):
    @pytest.fixture
    def endpoints(self) -> MemoryEndpoints:
        return MemoryEndpoints()
