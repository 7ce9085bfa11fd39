"""The in-memory mappings keep the contract of the real ones."""

import pytest
from tests.contracts.mappings_contract import MappingsContract

from apex_memory.testing import MemoryMappings


class TestMemoryMappings(MappingsContract):
    @pytest.fixture
    def mappings(self) -> MemoryMappings:
        return MemoryMappings()
