"""Bundles that PostgreSQL holds against the ones that were written: to the last bit, in every store."""

from collections.abc import AsyncGenerator, Sequence
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from neo4j import AsyncDriver
from qdrant_client import AsyncQdrantClient, models
from tests.contracts.bundles import bundles
from tests.contracts.graph_dump import dump_of_neo4j
from tests.contracts.writes import EMBEDDER, bare, fresh_tenant, message, write_of

from apex_memory.database import Database
from apex_memory.domain.bundles import Bundle, Manifest, VersionedBundle, VersionRef
from apex_memory.domain.ledger import AllocationRequest, VersionManifests
from apex_memory.pipeline.intake.space import claim_embedding_space
from apex_memory.pipeline.ledger.ledger import PostgresLedger
from apex_memory.pipeline.stores.canon import PostgresCanon
from apex_memory.pipeline.stores.neo4j import Neo4jStore, open_neo4j
from apex_memory.pipeline.stores.postgres import PostgresStore
from apex_memory.pipeline.stores.qdrant import QdrantStore, open_qdrant
from apex_memory.pipeline.stores.qdrant.store import collection_name
from apex_memory.ports import Canon
from apex_memory.settings import Settings

pytestmark = pytest.mark.integration


class World:
    """The three stores over their services, the ledger, and the canon that is to be believed."""

    def __init__(self, database: Database, qdrant: AsyncQdrantClient, neo4j: AsyncDriver) -> None:
        self.canon: Canon = PostgresCanon(database)
        self.postgres = PostgresStore(database)
        self.qdrant = QdrantStore(qdrant, embedder_id=EMBEDDER.id, dim=EMBEDDER.dim)
        self.neo4j = Neo4jStore(neo4j)
        self._ledger = PostgresLedger(database)
        self._points = qdrant
        self._graph = neo4j

    async def prepare(self, tenant: str, bundle: Bundle) -> VersionedBundle:
        """A new version of the item, allocated, expected and prepared everywhere."""
        item_id, batch = write_of(tenant, bundle).ref.item_id, uuid4()
        request = AllocationRequest(
            request_id=str(batch),
            event_id=batch,
            item_id=item_id,
            content_hash=str(batch),
            **bundle.model_dump(include={"source", "external_id", "kind", "title", "as_of", "parent"}),
        )
        [allocation] = await self._ledger.allocate(tenant, batch, [request])
        write = write_of(tenant, bundle, version=allocation.ref.version)
        await self._ledger.expect(tenant, [self._manifests(write)])
        for store in (self.postgres, self.qdrant, self.neo4j):
            await store.prepare([write])
        return write

    async def held_of(self, tenant: str) -> object:
        """All that the projections hold, every property and every bit of the vectors."""
        match = models.FieldCondition(key="tenant_id", match=models.MatchValue(value=tenant))
        points, _ = await self._points.scroll(
            collection_name(EMBEDDER.id, EMBEDDER.dim),
            scroll_filter=models.Filter(must=[match]),
            limit=1000,
            with_vectors=True,
        )
        return sorted(repr(point) for point in points), await dump_of_neo4j(self._graph, tenant)

    def _manifests(self, write: VersionedBundle) -> VersionManifests:
        stores = (self.postgres, self.qdrant, self.neo4j)
        return VersionManifests(
            ref=write.ref, manifests={store.name: Manifest.of(store.parts(write)) for store in stores}
        )


@pytest.fixture
async def world(settings: Settings, database: Database) -> AsyncGenerator[World]:
    await claim_embedding_space(database, embedder_id=EMBEDDER.id, dim=EMBEDDER.dim)
    qdrant = open_qdrant(settings.qdrant_url)
    async with open_neo4j(settings.neo4j_url) as neo4j:
        world = World(database, qdrant, neo4j)
        await world.qdrant.ensure()
        await world.neo4j.ensure()
        yield world
    await qdrant.close()


async def the_only(canon: Canon, tenant: str, ref: VersionRef) -> VersionedBundle:
    [read] = await canon.bundles(tenant, [ref])
    return read


@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bundle=bundles())
async def test_stores_rebuilt_from_the_canon_hold_what_they_first_held(world: World, bundle: Bundle) -> None:
    tenant = fresh_tenant()
    written = await world.prepare(tenant, bundle)
    before = await world.held_of(tenant)

    read = await the_only(world.canon, tenant, written.ref)

    for store in (world.postgres, world.qdrant, world.neo4j):
        assert list(store.parts(read)) == list(store.parts(written))
    assert np.array_equal(read.vectors, written.vectors)
    for projection in (world.qdrant, world.neo4j):
        await projection.discard(tenant, [written.ref])
        await projection.prepare([read])
    assert await world.held_of(tenant) == before


async def test_many_versions_are_told_apart(world: World) -> None:
    tenant = fresh_tenant()
    first = [await world.prepare(tenant, message(f"msg-{n}")) for n in range(3)]
    second = await world.prepare(tenant, message("msg-0", texts=("Something else.",)))
    wanted = [second.ref, first[0].ref, first[2].ref]

    read = await world.canon.bundles(tenant, wanted)

    texts = {write.ref: [passage.text for passage in write.bundle.passages] for write in (*first, second)}
    assert {write.ref: [p.text for p in write.bundle.passages] for write in read} == {
        ref: texts[ref] for ref in wanted
    }


async def test_what_it_derives_from_is_kept(world: World) -> None:
    tenant = fresh_tenant()
    parent = (await world.prepare(tenant, message("doc"))).ref
    derived = await world.prepare(tenant, message("reading").model_copy(update={"parent": parent}))

    read = await the_only(world.canon, tenant, derived.ref)

    assert read.bundle.parent == parent


async def test_an_item_that_says_nothing_is_held_too(world: World) -> None:
    tenant = fresh_tenant()
    write = await world.prepare(tenant, bare())

    read = await the_only(world.canon, tenant, write.ref)

    assert (read.bundle, read.embedder_id, read.vectors.shape) == (
        write.bundle,
        EMBEDDER.id,
        (0, EMBEDDER.dim),
    )


@pytest.mark.parametrize("table", ["chunk", "mention", "claim", "sample"])
async def test_a_version_that_postgresql_lost_a_part_of_is_left_out(
    world: World, database: Database, table: str
) -> None:
    tenant = fresh_tenant()
    whole = [await world.prepare(tenant, message(f"msg-{n}")) for n in range(2)]
    await lose_one_row(database, tenant, whole[0].ref, table)

    read = await world.canon.bundles(tenant, [write.ref for write in whole])

    assert refs_of(read) == [whole[1].ref]


async def test_another_tenants_versions_and_unknown_ones_are_left_out(world: World) -> None:
    tenant = fresh_tenant()
    write = await world.prepare(tenant, message())

    assert await world.canon.bundles(fresh_tenant(), [write.ref]) == []
    assert await world.canon.bundles(tenant, [VersionRef(item_id=uuid4(), version=1)]) == []


def refs_of(writes: Sequence[VersionedBundle]) -> list[VersionRef]:
    return [write.ref for write in writes]


async def lose_one_row(database: Database, tenant: str, ref: VersionRef, table: str) -> None:
    query = (
        f"DELETE FROM {table} WHERE ctid IN (SELECT ctid FROM {table} "  # noqa: S608 - the test's own words
        "WHERE tenant_id = %s AND item_id = %s AND version = %s LIMIT 1)"
    )
    async with database.connection() as connection:
        await connection.execute(query, (tenant, ref.item_id, ref.version))  # pyright: ignore[reportArgumentType] - built of the test's own words
