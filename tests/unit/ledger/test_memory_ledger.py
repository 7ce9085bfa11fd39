"""The in-memory ledger, held to the contracts of the real one."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from tests.contracts.ledger_contract import Inside, LedgerContract, UpkeepContract

from apex_memory.domain.ledger import Outcome
from apex_memory.domain.upkeep import OpenBatch
from apex_memory.testing import MemoryLedger


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        # No two moments are the same, as on a real clock.
        self.now += 1e-6
        return self.now


class _Inside:
    def __init__(self, ledger: MemoryLedger, clock: _Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def history(self, tenant_id: str, item_id: UUID) -> Sequence[tuple[int, int, int | None]]:
        rows = [row for (tenant, _), row in self._ledger.versions.items() if tenant == tenant_id]
        return sorted(
            (row.ref.version, row.commit_seq, row.superseded_seq)
            for row in rows
            if row.ref.item_id == item_id and row.commit_seq is not None
        )

    async def outcome(self, tenant_id: str, event_id: UUID) -> Outcome | None:
        ended = self._ledger.outcomes.get((tenant_id, event_id))
        return ended.outcome if ended else None

    async def claim(self, tenant_id: str, batch_id: UUID, events: Sequence[UUID]) -> None:
        batch = OpenBatch(
            tenant_id=tenant_id,
            source="samsara",
            batch_id=batch_id,
            label="trucks",
            workflow_id="workflow-of-a-batch",
        )
        self._ledger.claim(batch, events)

    async def close(self, tenant_id: str, batch_id: UUID) -> None:
        self._ledger.close(tenant_id, batch_id)

    async def pass_time(self, seconds: float) -> None:
        self._clock.now += seconds


class TestMemoryLedger(LedgerContract, UpkeepContract):
    @pytest.fixture
    def clock(self) -> _Clock:
        return _Clock()

    @pytest.fixture
    def ledger(self, clock: _Clock) -> MemoryLedger:
        return MemoryLedger(clock=clock)

    @pytest.fixture
    def upkeep(self, ledger: MemoryLedger) -> MemoryLedger:
        return ledger

    @pytest.fixture
    def inside(self, ledger: MemoryLedger, clock: _Clock) -> Inside:
        return _Inside(ledger, clock)
