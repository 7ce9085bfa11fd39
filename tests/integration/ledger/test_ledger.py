"""The ledger's promises, on a real PostgreSQL and by its clock."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from tests.contracts.ledger_contract import Inside, LedgerContract, UpkeepContract

from apex_memory.database import Database
from apex_memory.domain.ledger import Outcome
from apex_memory.pipeline.intake.inbox import PostgresInbox
from apex_memory.pipeline.ledger.ledger import PostgresLedger
from apex_memory.pipeline.ledger.upkeep import PostgresUpkeep

pytestmark = pytest.mark.integration

_HISTORY = """
SELECT version, commit_seq, superseded_seq FROM item_version
WHERE tenant_id = %s AND item_id = %s AND state = 'committed' ORDER BY version
"""

_CLAIM = """
INSERT INTO batch (tenant_id, batch_id, source, kind, label, size, workflow_id)
VALUES (%s, %s, 'samsara', 'record', 'trucks', 1, 'workflow-of-a-batch')
"""

_ACCEPT = """
INSERT INTO inbox_event (tenant_id, event_id, source, kind, dedupe_key, label, body, batch_id)
VALUES (%s, %s, 'samsara', 'record', %s, 'trucks', '', %s)
"""

_AGE_BATCHES = "UPDATE batch SET claimed_at = claimed_at - %(by)s, closed_at = closed_at - %(by)s"

_AGE_EVENTS = "UPDATE inbox_event SET finished_at = finished_at - %(by)s"

_AGE_VERSIONS = """
UPDATE item_version SET allocated_at = allocated_at - %(by)s, decided_at = decided_at - %(by)s,
    superseded_at = superseded_at - %(by)s, collected_at = collected_at - %(by)s
"""


class _Inside:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def history(self, tenant_id: str, item_id: UUID) -> Sequence[tuple[int, int, int | None]]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_HISTORY, (tenant_id, item_id))
            return [(r["version"], r["commit_seq"], r["superseded_seq"]) async for r in cursor]

    async def outcome(self, tenant_id: str, event_id: UUID) -> Outcome | None:
        return (await PostgresInbox(self._database).ingestion(tenant_id, event_id)).outcome

    async def claim(self, tenant_id: str, batch_id: UUID, events: Sequence[UUID]) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_CLAIM, (tenant_id, batch_id))
            for event_id in events:
                await connection.execute(_ACCEPT, (tenant_id, event_id, str(event_id), batch_id))

    async def close(self, tenant_id: str, batch_id: UUID) -> None:
        await PostgresInbox(self._database).close(tenant_id, batch_id)

    async def pass_time(self, seconds: float) -> None:
        by = {"by": timedelta(seconds=seconds)}
        async with self._database.connection() as connection:
            for statement in (_AGE_BATCHES, _AGE_EVENTS, _AGE_VERSIONS):
                await connection.execute(statement, by)


class TestPostgresLedger(LedgerContract, UpkeepContract):
    @pytest.fixture
    def ledger(self, database: Database) -> PostgresLedger:
        return PostgresLedger(database)

    @pytest.fixture
    def upkeep(self, database: Database) -> PostgresUpkeep:
        return PostgresUpkeep(database)

    @pytest.fixture
    def inside(self, database: Database) -> Inside:
        return _Inside(database)
