"""The in-memory stores, held to the contracts of the real ones."""

from uuid import UUID

import pytest
from tests.contracts.graph_contract import Graph, GraphContract, Snapshot
from tests.contracts.store_contract import StoreContract
from tests.contracts.vector_contract import VectorContract, Vectors
from tests.contracts.writes import EMBEDDER

from apex_memory.ports import Store
from apex_memory.testing import Fault, MemoryGraph, MemoryStore, MemoryVectors, Misbehaving, always


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore("postgres")

    @pytest.fixture
    def unreachable(self) -> Store:
        return Misbehaving(MemoryStore("postgres"), always(Fault.BEFORE))


class TestMemoryVectors(StoreContract, VectorContract):
    @pytest.fixture
    def vectors(self) -> Vectors:
        return MemoryVectors(EMBEDDER.id)

    @pytest.fixture
    def store(self, vectors: Vectors) -> Store:
        return vectors

    @pytest.fixture
    def unreachable(self) -> Store:
        return Misbehaving(MemoryVectors(EMBEDDER.id), always(Fault.BEFORE))


class TestMemoryGraph(StoreContract, GraphContract):
    @pytest.fixture
    def graph(self) -> MemoryGraph:
        return MemoryGraph()

    @pytest.fixture
    def store(self, graph: Graph) -> Store:
        return graph

    @pytest.fixture
    def snapshot(self, graph: MemoryGraph) -> Snapshot:
        async def parts(tenant_id: str) -> list[tuple[UUID, ...]]:
            return sorted(tuple(graph.parts(write)) for write in graph.held(tenant_id))

        return parts

    @pytest.fixture
    def unreachable(self) -> Store:
        return Misbehaving(MemoryGraph(), always(Fault.BEFORE))
