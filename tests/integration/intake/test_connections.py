"""Connections on a real PostgreSQL: whose they are, and that no database holds their credentials."""

import pytest
from tests.contracts.connections_contract import BASE, BEARER, TURVO, ConnectionsContract

from apex_memory.database import Database
from apex_memory.domain.errors import SettingMissing
from apex_memory.pipeline.intake.connections import PostgresConnections
from apex_memory.pipeline.intake.seal import Seal, new_key

pytestmark = pytest.mark.integration


class TestPostgresConnections(ConnectionsContract):
    @pytest.fixture
    def connections(self, database: Database) -> PostgresConnections:
        return PostgresConnections(database, Seal(new_key()))


async def test_the_database_never_holds_a_credential(database: Database, tenant: str) -> None:
    await PostgresConnections(database, Seal(new_key())).put(
        tenant, "turvo", base_url=BASE, credentials=TURVO
    )

    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT connection::text AS row, convert_from(sealed, 'UTF8') AS sealed FROM connection"
        )
        kept = [f"{row['row']} {row['sealed']}" async for row in cursor]

    assert kept
    assert not any(secret in row for row in kept for secret in TURVO.model_dump().values())


async def test_without_a_key_no_credential_is_taken(database: Database, tenant: str) -> None:
    connections = PostgresConnections(database, Seal(None))

    with pytest.raises(SettingMissing, match="APEX_SECRETS_KEY"):
        await connections.put(tenant, "samsara", base_url=BASE, credentials=BEARER)

    assert list(await connections.listed(tenant)) == []


async def test_without_a_key_a_tenant_that_gave_no_credentials_is_told_so(
    database: Database, tenant: str
) -> None:
    assert await PostgresConnections(database, Seal(None)).opened(tenant, "samsara") is None


async def test_what_was_sealed_with_a_lost_key_is_listed_and_replaced(
    database: Database, tenant: str
) -> None:
    await PostgresConnections(database, Seal(new_key())).put(
        tenant, "samsara", base_url=BASE, credentials=BEARER
    )

    connections = PostgresConnections(database, Seal(new_key()))
    with pytest.raises(SettingMissing, match="APEX_SECRETS_KEY"):
        await connections.opened(tenant, "samsara")
    listed = await connections.listed(tenant)
    await connections.put(tenant, "samsara", base_url=BASE, credentials=BEARER)

    assert [connection.source for connection in listed] == ["samsara"]
    opened = await connections.opened(tenant, "samsara")
    assert opened
    assert opened.credentials == BEARER
