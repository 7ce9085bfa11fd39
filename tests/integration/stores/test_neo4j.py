"""The graph store over the real service, held to the contracts."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, LiteralString, cast

import pytest
from neo4j import AsyncDriver, AsyncTransaction, RoutingControl
from tests.contracts.graph_contract import Graph, GraphContract, Snapshot
from tests.contracts.graph_dump import dump_of_neo4j
from tests.contracts.projection_contract import ProjectionContract
from tests.contracts.store_contract import StoreContract, versions_of
from tests.contracts.writes import fresh_tenant, message, write_of

from apex_memory.domain.bundles import VersionedBundle
from apex_memory.pipeline.stores.neo4j import Neo4jStore, open_neo4j, rows, statements
from apex_memory.pipeline.stores.neo4j.rows import version_rows
from apex_memory.pipeline.stores.neo4j.transactions import EntityVanished
from apex_memory.pipeline.stores.neo4j.writing import delete_orphans, delete_parts, fill
from apex_memory.ports import Projection, Store
from apex_memory.settings import Settings

pytestmark = pytest.mark.integration

Plan = Mapping[str, Any]
STATEMENTS = (
    "CLEAR",
    "DELETE_PARTS",
    "DELETE_EPISODES",
    "DELETE_ORPHANS",
    "FILL",
    "READ_BACK",
    "SAID",
    "VERSIONS",
    "VERSIONS_OF",
    "CLAIMS_AROUND",
)


@pytest.fixture(scope="module")
async def driver(stack_settings: Settings) -> AsyncGenerator[AsyncDriver]:
    user, password = stack_settings.neo4j_user, stack_settings.neo4j_password
    async with open_neo4j(stack_settings.neo4j_url, user=user, password=password) as driver:
        yield driver


@pytest.fixture(scope="module")
async def graph(driver: AsyncDriver) -> Graph:
    store = Neo4jStore(driver)
    await store.ensure()
    return store


class TestNeo4jStore(StoreContract, ProjectionContract, GraphContract):
    @pytest.fixture
    def projection(self, driver: AsyncDriver) -> Projection:
        return Neo4jStore(driver)

    @pytest.fixture
    def store(self, graph: Graph) -> Store:
        return graph

    @pytest.fixture
    async def unreachable(self, dead_address: str) -> AsyncGenerator[Store]:
        async with open_neo4j(f"bolt://{dead_address}") as driver:
            yield Neo4jStore(driver, deadline_s=0.5)

    @pytest.fixture
    def snapshot(self, driver: AsyncDriver) -> Snapshot:
        return partial(dump_of_neo4j, driver)


async def test_the_schema_may_be_ensured_by_many_at_once(driver: AsyncDriver) -> None:
    await asyncio.gather(*(Neo4jStore(driver).ensure() for _ in range(8)))

    answer = await driver.execute_query("SHOW CONSTRAINTS YIELD name")

    names = {record["name"] for record in answer.records}
    assert {"entity_identity", "episode_identity", "relation_identity"} <= names


@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize("name", STATEMENTS)
async def test_every_match_begins_at_an_index(driver: AsyncDriver, name: str) -> None:
    statement = cast("LiteralString", f"EXPLAIN {getattr(statements, name)}")

    answer = await driver.execute_query(statement, routing_=RoutingControl.READ)

    operators = list(operators_of(cast("Plan", answer.summary.plan)))  # pyright: ignore[reportUnknownMemberType]
    assert any("IndexSeek" in operator for operator in operators)
    assert not [operator for operator in operators if "Scan" in operator]


async def test_two_discards_at_once_of_the_last_versions_that_name_an_entity_remove_it(
    driver: AsyncDriver, graph: Graph
) -> None:
    tenant = fresh_tenant()
    writes = [write_of(tenant, message(f"msg-{n}")) for n in range(2)]
    await graph.prepare(writes)

    async with transaction_of(driver) as first, transaction_of(driver) as second:
        left = await delete_parts(statements.DELETE_PARTS, tenant, version_rows([writes[0].ref]), first)
        assert await delete_parts(statements.DELETE_PARTS, tenant, version_rows([writes[1].ref]), second)
        await delete_orphans(tenant, left, first)
        removal = asyncio.create_task(delete_orphans(tenant, left, second))
        # It must wait for the first one's commit; if it does not, it is done, and wrong, well before that.
        await asyncio.wait({removal}, timeout=0.5)
        await first.commit()
        await removal
        await second.commit()

    assert await shared_entities_of(driver, tenant) == 0


async def test_an_entity_that_is_gone_when_it_is_used_fails_that_attempt(
    driver: AsyncDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another transaction removes between the MERGE and its use is matched by nothing, in silence."""
    tenant = fresh_tenant()
    monkeypatch.setattr(rows, "entity_rows", _none)
    async with transaction_of(driver) as transaction:
        with pytest.raises(EntityVanished):
            await fill(tenant, [write_of(tenant, message())], transaction)


def _none(_writes: Sequence[VersionedBundle]) -> list[rows.Row]:
    return []


@asynccontextmanager
async def transaction_of(driver: AsyncDriver) -> AsyncGenerator[AsyncTransaction]:
    session = driver.session()  # pyright: ignore[reportUnknownMemberType] - its options are untyped
    async with session, await session.begin_transaction() as transaction:
        yield transaction


async def shared_entities_of(driver: AsyncDriver, tenant: str) -> int:
    shared = "MATCH (e:Entity {tenant_id: $tenant}) WHERE e.type <> 'message' RETURN count(e)"
    answer = await driver.execute_query(shared, tenant=tenant)
    return answer.records[0][0]


def operators_of(plan: Plan) -> Iterator[str]:
    yield plan["operatorType"]
    for child in plan.get("children", ()):
        yield from operators_of(child)


async def test_relationships_that_have_lost_their_episode_are_a_version_too(
    driver: AsyncDriver, graph: Graph
) -> None:
    write = write_of(fresh_tenant(), message())
    await graph.prepare([write])
    await driver.execute_query(
        "MATCH (p:Episode {tenant_id: $tenant}) DETACH DELETE p", tenant=write.tenant_id
    )

    assert await versions_of(graph, write.tenant_id, limit=10) == [write.ref]

    await graph.discard(write.tenant_id, [write.ref])
    assert await versions_of(graph, write.tenant_id, limit=10) == []
