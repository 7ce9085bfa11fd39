"""Feeds on a real PostgreSQL: cursor and inbox in one transaction."""

import pytest
from tests.contracts.feeds_contract import NAME, SOURCE, FeedsContract, Kept, entry, turn

from apex_memory.database import Database, open_listener
from apex_memory.pipeline.intake.feeds import PostgresFeeds
from apex_memory.pipeline.intake.inbox import PostgresInbox
from apex_memory.settings import Settings

pytestmark = pytest.mark.integration


class TestPostgresFeeds(FeedsContract):
    @pytest.fixture
    def feeds(self, database: Database) -> PostgresFeeds:
        return PostgresFeeds(database)

    @pytest.fixture
    def kept(self, database: Database) -> Kept:
        async def keys(tenant: str) -> list[str]:
            async with database.connection() as connection:
                cursor = await connection.execute(
                    "SELECT dedupe_key FROM inbox_event WHERE tenant_id = %s", (tenant,)
                )
                return [row["dedupe_key"] async for row in cursor]

        return keys

    async def test_what_was_taken_wakes_a_relay_which_claims_it(
        self, feeds: PostgresFeeds, settings: Settings, database: Database, tenant: str
    ) -> None:
        opened = await self.started(feeds, tenant)

        async with open_listener(settings.postgres_url, "apex_inbox") as arrivals:
            with arrivals.waiting_for("") as wakened:
                await feeds.take(tenant, SOURCE, NAME, turn(opened, entry("a"), entry("b")))
                await wakened.wait()
        batch = await PostgresInbox(database).claim(batch_size=10, in_flight=1)

        assert batch
        assert (batch.tenant_id, batch.source, batch.kind, batch.size) == (tenant, SOURCE, "record", 2)
        assert (await self.opened(feeds, tenant)).waiting == 0
