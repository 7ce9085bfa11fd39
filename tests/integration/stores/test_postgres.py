"""PostgreSQL as a participant of the write, held to the contract of every store."""

from collections.abc import AsyncGenerator

import pytest
from tests.contracts.store_contract import StoreContract

from apex_memory.database import Database, open_database
from apex_memory.pipeline.stores.postgres import PostgresStore

pytestmark = pytest.mark.integration


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def store(self, database: Database) -> PostgresStore:
        return PostgresStore(database)

    @pytest.fixture
    async def unreachable(self) -> AsyncGenerator[PostgresStore, None]:
        async with open_database("postgresql://nobody@127.0.0.1:9/nothing", acquire_timeout_s=0.2) as nowhere:
            yield PostgresStore(nowhere)
