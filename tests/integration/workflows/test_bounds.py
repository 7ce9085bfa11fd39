"""A store that is down in, nothing piling up in memory out: what waits, waits in PostgreSQL."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import pytest
from temporalio.client import Client
from tests.integration.workflows.product import accept_record, at_work, settled

from apex_memory.bootstrap.memory import Memory
from apex_memory.database import Database
from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.ledger import Outcome
from apex_memory.ports import Store
from apex_memory.settings import Settings
from apex_memory.testing import Fault, Misbehaving, always

pytestmark = pytest.mark.integration

EVENTS, BATCH, IN_FLIGHT = 120, 5, 3


class _Down(Misbehaving):
    """Down until it is let up; counts how many calls were under way at once."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, always(Fault.NONE))
        self.up = asyncio.Event()
        self.calls = 0

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        self._refuse()
        await super().prepare(writes)

    async def read_back(self, tenant_id: str, refs: Sequence[VersionRef]) -> Mapping[VersionRef, Manifest]:
        self._refuse()
        return await super().read_back(tenant_id, refs)

    def _refuse(self) -> None:
        self.calls += 1
        if not self.up.is_set():
            raise StoreUnavailable(self.name, "down for hours, as planned")


async def _open_and_waiting(database: Database, tenant: str) -> tuple[int, int]:
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT (SELECT count(*) FROM batch WHERE tenant_id = %(t)s AND closed_at IS NULL) AS open, "
            "(SELECT count(*) FROM inbox_event WHERE tenant_id = %(t)s AND batch_id IS NULL) AS waiting",
            {"t": tenant},
        )
        row = await cursor.fetchone()
    assert row
    return row["open"], row["waiting"]


async def test_while_a_store_is_down_the_backlog_rests_in_postgresql_and_is_written_afterwards(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    bounded = settings.model_copy(update={"relay_batch_size": BATCH, "relay_in_flight": IN_FLIGHT})
    down: list[_Down] = []

    def spoil(store: Store) -> Store:
        if store.name != "neo4j":
            return store
        down.append(_Down(store))
        return down[0]

    async with at_work(bounded, temporal, spoil=spoil):
        events: list[UUID] = []
        for n in range(EVENTS):
            record = {"shipmentId": f"SHIP-{n}", "status": "in_transit"}
            events.append(await accept_record(memory, tenant, "turvo", record, label=f"SHIP-{n}"))
        while (await _open_and_waiting(database, tenant))[0] < IN_FLIGHT or down[0].calls < 3 * IN_FLIGHT:
            await asyncio.sleep(0.1)
        opened, waiting = await _open_and_waiting(database, tenant)
        down[0].up.set()
        ended = [await settled(memory, tenant, event) for event in events]

    assert opened == IN_FLIGHT
    assert waiting >= EVENTS - IN_FLIGHT * BATCH
    assert {e.outcome for e in ended} == {Outcome.COMMITTED}
