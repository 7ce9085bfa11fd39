"""The vector store over the real service, held to the contracts."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from qdrant_client import AsyncQdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse
from tests.contracts.projection_contract import ProjectionContract
from tests.contracts.store_contract import StoreContract
from tests.contracts.vector_contract import VectorContract, Vectors, near
from tests.contracts.writes import EMBEDDER, LATE, fresh_tenant, message, write_of

from apex_memory.domain.errors import StoreUnavailable
from apex_memory.pipeline.stores.qdrant import QdrantStore, open_qdrant
from apex_memory.ports import Projection, Store
from apex_memory.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
async def client(stack_settings: Settings) -> AsyncGenerator[AsyncQdrantClient]:
    client = open_qdrant(stack_settings.qdrant_url, api_key=stack_settings.qdrant_api_key)
    yield client
    await client.close()


@pytest.fixture(scope="module")
async def vectors(client: AsyncQdrantClient) -> QdrantStore:
    store = QdrantStore(client, embedder_id=EMBEDDER.id, dim=EMBEDDER.dim)
    await store.ensure()
    return store


class TestQdrantStore(StoreContract, ProjectionContract, VectorContract):
    @pytest.fixture
    def projection(self, vectors: QdrantStore) -> Projection:
        return vectors

    @pytest.fixture
    def store(self, vectors: Vectors) -> Store:
        return vectors

    @pytest.fixture
    async def unreachable(self, dead_address: str) -> AsyncGenerator[Store]:
        client = open_qdrant(f"http://{dead_address}", timeout_s=1)
        yield QdrantStore(client, embedder_id=EMBEDDER.id, dim=EMBEDDER.dim)
        await client.close()


async def test_the_collection_may_be_ensured_by_many_at_once(client: AsyncQdrantClient) -> None:
    store = QdrantStore(client, embedder_id=fresh_tenant(), dim=4)

    await asyncio.gather(*(store.ensure() for _ in range(8)))

    await store.ping()


async def test_a_lost_collection_is_an_outage(client: AsyncQdrantClient) -> None:
    lost = QdrantStore(client, embedder_id=fresh_tenant(), dim=EMBEDDER.dim)

    with pytest.raises(StoreUnavailable):
        await near(lost, fresh_tenant(), LATE)


async def test_a_vector_of_the_wrong_size_is_a_fault_of_ours(vectors: QdrantStore) -> None:
    write = write_of(fresh_tenant(), message())

    with pytest.raises(UnexpectedResponse):
        await vectors.prepare([replace(write, vectors=write.vectors[:, :5])])
