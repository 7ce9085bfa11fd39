"""The in-memory stores, held to the contracts of the real ones."""

import pytest
from tests.contracts.graph_contract import Graph, GraphContract, Snapshot
from tests.contracts.graph_dump import dump_of_memory
from tests.contracts.projection_contract import ProjectionContract
from tests.contracts.store_contract import StoreContract
from tests.contracts.vector_contract import VectorContract, Vectors
from tests.contracts.writes import EMBEDDER

from apex_memory.ports import Projection, Store
from apex_memory.testing import Fault, MemoryGraph, MemoryStore, MemoryVectors, Misbehaving, always


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore("postgres")

    @pytest.fixture
    def unreachable(self) -> Store:
        return Misbehaving(MemoryStore("postgres"), always(Fault.BEFORE))


class TestMemoryVectors(StoreContract, ProjectionContract, VectorContract):
    @pytest.fixture
    def projection(self) -> Projection:
        return MemoryVectors(EMBEDDER.id)

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
        async def dump(tenant_id: str) -> object:
            return dump_of_memory(graph, tenant_id)

        return dump

    @pytest.fixture
    def unreachable(self) -> Store:
        return Misbehaving(MemoryGraph(), always(Fault.BEFORE))
