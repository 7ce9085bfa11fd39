"""A failed or compensated graph write leaves the graph property for property as before: in-memory graph.

The scenarios are those of `tests/contracts/graph_rollback_contract.py`; `tests/integration/stores/
test_neo4j_rollback.py` runs the same ones against Neo4j, where each dump is also compared with this graph's.
"""

import pytest
from tests.contracts.graph_contract import Snapshot
from tests.contracts.graph_dump import dump_of_memory
from tests.contracts.graph_rollback_contract import GraphRollbackContract

from apex_memory.testing import MemoryGraph


class TestGraphitiRollback(GraphRollbackContract):
    @pytest.fixture
    def graph(self) -> MemoryGraph:
        return MemoryGraph()

    @pytest.fixture
    def snapshot(self, graph: MemoryGraph) -> Snapshot:
        async def dump(tenant_id: str) -> object:
            return dump_of_memory(graph, tenant_id)

        return dump
