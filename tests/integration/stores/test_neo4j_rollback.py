"""The scenarios of tests/unit/test_graphiti_rollback.py on Neo4j, and what only a real transaction can do."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from uuid import UUID

import pytest
from neo4j import AsyncDriver
from tests.contracts.graph_contract import Graph, Snapshot
from tests.contracts.graph_dump import Dump, dump_of_memory, dump_of_neo4j
from tests.contracts.graph_rollback_contract import GraphRollbackContract
from tests.contracts.writes import SHIPMENT, fresh_tenant, message, write_of

from apex_memory.domain.bundles import EntityRef, Manifest, VersionedBundle, VersionRef
from apex_memory.domain.upkeep import VersionPage
from apex_memory.pipeline.stores.neo4j import Neo4jStore, open_neo4j, rows, statements, writing
from apex_memory.settings import Settings
from apex_memory.testing import MemoryGraph

pytestmark = pytest.mark.integration

CITY = EntityRef(type="city", key="Dallas")


class _Beside:
    """The real graph, with the in-memory one doing all that it does."""

    def __init__(self, real: Neo4jStore, memory: MemoryGraph) -> None:
        self.name = real.name
        self._real = real
        self._memory = memory

    async def ensure(self) -> None:
        await self._real.ensure()

    async def ping(self) -> None:
        await self._real.ping()

    def parts(self, write: VersionedBundle) -> Sequence[UUID]:
        assert list(self._real.parts(write)) == list(self._memory.parts(write))
        return self._real.parts(write)

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        await self._real.prepare(writes)
        await self._memory.prepare(writes)

    async def read_back(self, tenant_id: str, refs: Sequence[VersionRef]) -> Mapping[VersionRef, Manifest]:
        held = await self._real.read_back(tenant_id, refs)
        assert held == await self._memory.read_back(tenant_id, refs)
        return held

    async def discard(self, tenant_id: str, refs: Sequence[VersionRef]) -> None:
        await self._real.discard(tenant_id, refs)
        await self._memory.discard(tenant_id, refs)

    async def versions(self, tenant_id: str, *, after: str | None, limit: int) -> VersionPage:
        page = await self._real.versions(tenant_id, after=after, limit=limit)
        assert page == await self._memory.versions(tenant_id, after=after, limit=limit)
        return page

    async def versions_of(self, tenant_id: str, items: Sequence[UUID]) -> Sequence[VersionRef]:
        return await self._real.versions_of(tenant_id, items)

    async def claims_around(
        self, tenant_id: str, entities: Sequence[UUID], *, steps: int, limit: int
    ) -> Sequence[UUID]:
        found = await self._real.claims_around(tenant_id, entities, steps=steps, limit=limit)
        assert found == await self._memory.claims_around(tenant_id, entities, steps=steps, limit=limit)
        return found


@pytest.fixture(scope="module")
async def driver(stack_settings: Settings) -> AsyncGenerator[AsyncDriver]:
    user, password = stack_settings.neo4j_user, stack_settings.neo4j_password
    async with open_neo4j(stack_settings.neo4j_url, user=user, password=password) as driver:
        await Neo4jStore(driver).ensure()
        yield driver


class TestNeo4jRollback(GraphRollbackContract):
    @pytest.fixture
    def memory(self) -> MemoryGraph:
        return MemoryGraph()

    @pytest.fixture
    def graph(self, driver: AsyncDriver, memory: MemoryGraph) -> Graph:
        return _Beside(Neo4jStore(driver), memory)

    @pytest.fixture
    def snapshot(self, driver: AsyncDriver, memory: MemoryGraph) -> Snapshot:
        async def dump(tenant_id: str) -> Dump:
            real = await dump_of_neo4j(driver, tenant_id)
            assert real == dump_of_memory(memory, tenant_id), "the in-memory graph is not the real one"
            return real

        return dump


@pytest.mark.parametrize("statements_done", range(1, 4))
async def test_a_transaction_that_dies_at_any_statement_leaves_the_graph_as_before(
    driver: AsyncDriver, statements_done: int
) -> None:
    """A writer that is killed after any statement of its transaction has written nothing at all."""
    tenant = fresh_tenant()
    await Neo4jStore(driver).prepare([write_of(tenant, message())])
    before = await dump_of_neo4j(driver, tenant)
    # The same version again, saying other things: it deletes, merges, creates and removes orphans.
    writes = [write_of(tenant, message(shipment=CITY)), write_of(tenant, message("msg-2", shipment=CITY))]
    versions = rows.version_rows([write.ref for write in writes])
    shipment = [str(writes[0].entity_id(SHIPMENT))]

    session = driver.session()  # pyright: ignore[reportUnknownMemberType] - its options are untyped
    async with session, await session.begin_transaction() as transaction:
        steps = [
            lambda: writing.delete_parts(statements.CLEAR, tenant, versions, transaction),
            lambda: writing.fill(tenant, writes, transaction),
            lambda: writing.delete_orphans(tenant, shipment, transaction),
        ]
        for step in steps[:statements_done]:
            await step()
        # The connection breaks, as a killed writer's does.
        transaction.cancel()

    assert await dump_of_neo4j(driver, tenant) == before
