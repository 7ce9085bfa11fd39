"""Webhook endpoints on a real PostgreSQL: whose they are, and that no database holds their secrets."""

import pytest
from tests.contracts.endpoints_contract import EndpointsContract, an_endpoint, live

from apex_memory.database import Database
from apex_memory.domain.errors import SettingMissing
from apex_memory.pipeline.intake.endpoints import PostgresEndpoints
from apex_memory.pipeline.intake.seal import Seal, new_key

pytestmark = pytest.mark.integration


class TestPostgresEndpoints(EndpointsContract):
    @pytest.fixture
    def endpoints(self, database: Database) -> PostgresEndpoints:
        return PostgresEndpoints(database, Seal(new_key()))


async def test_the_database_never_holds_a_secret(database: Database, tenant: str) -> None:
    await PostgresEndpoints(database, Seal(new_key())).create(tenant, an_endpoint(), secret="in plain sight")

    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT hook_secret::text AS row, convert_from(sealed, 'UTF8') AS sealed FROM hook_secret"
        )
        kept = [f"{row['row']} {row['sealed']}" async for row in cursor]

    assert kept
    assert all("in plain sight" not in row for row in kept)


async def test_a_new_key_seals_and_the_old_one_still_opens(database: Database, tenant: str) -> None:
    old, new = new_key(), new_key()
    made = an_endpoint()
    await PostgresEndpoints(database, Seal(old)).create(tenant, made, secret="the old secret")

    both = PostgresEndpoints(database, Seal(f"{new}, {old}"))
    await both.rotate(tenant, made.endpoint_id, secret="the new secret", overlap_s=60)

    assert await live(both, made.endpoint_id) == ["the new secret", "the old secret"]
    with pytest.raises(SettingMissing, match="APEX_SECRETS_KEY"):
        await PostgresEndpoints(database, Seal(old)).opened(made.endpoint_id)


async def test_after_the_key_was_lost_a_rotation_without_overlap_opens_the_endpoint_again(
    database: Database, tenant: str
) -> None:
    made = an_endpoint()
    await PostgresEndpoints(database, Seal(new_key())).create(tenant, made, secret="sealed and lost")

    endpoints = PostgresEndpoints(database, Seal(new_key()))
    await endpoints.rotate(tenant, made.endpoint_id, secret="the new secret", overlap_s=0)

    assert await live(endpoints, made.endpoint_id) == ["the new secret"]


async def test_without_a_key_no_secret_is_taken(database: Database, tenant: str) -> None:
    endpoints = PostgresEndpoints(database, Seal(None))

    with pytest.raises(SettingMissing, match="APEX_SECRETS_KEY"):
        await endpoints.create(tenant, an_endpoint(), secret="a secret of sixteen")

    assert await endpoints.listed(tenant) == []


def test_a_key_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(SettingMissing, match="Fernet"):
        Seal("not a key")
