"""The in-memory leases, held to the contract of the real ones."""

import pytest
from tests.contracts.lease_contract import TTL_S, Lapse, LeaseContract

from apex_memory.ports import Leases
from apex_memory.testing import MemoryLeases


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class TestMemoryLeases(LeaseContract):
    @pytest.fixture
    def clock(self) -> _Clock:
        return _Clock()

    @pytest.fixture
    def leases(self, clock: _Clock) -> Leases:
        return MemoryLeases(clock=clock)

    @pytest.fixture
    def lapse(self, clock: _Clock) -> Lapse:
        async def lapse(_tenant: str, _name: str) -> None:
            clock.now += TTL_S

        return lapse
