"""The in-memory record of rebuilds, held to the contract of the real one."""

import pytest
from tests.contracts.rebuilds_contract import RebuildsContract

from apex_memory.ports import Rebuilds
from apex_memory.testing import MemoryRebuilds


class TestMemoryRebuilds(RebuildsContract):
    @pytest.fixture
    def rebuilds(self) -> Rebuilds:
        return MemoryRebuilds()
