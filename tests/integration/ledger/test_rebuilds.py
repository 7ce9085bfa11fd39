"""The record of rebuilds in PostgreSQL, held to its contract."""

import pytest
from tests.contracts.rebuilds_contract import RebuildsContract

from apex_memory.database import Database
from apex_memory.pipeline.ledger.rebuilds import PostgresRebuilds
from apex_memory.ports import Rebuilds

pytestmark = pytest.mark.integration


class TestPostgresRebuilds(RebuildsContract):
    @pytest.fixture
    def rebuilds(self, database: Database) -> Rebuilds:
        return PostgresRebuilds(database)
