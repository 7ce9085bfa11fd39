"""API keys decide the tenant, on a real PostgreSQL."""

import pytest

from apex_memory.database import Database
from apex_memory.pipeline.intake.keys import PostgresApiKeys

pytestmark = pytest.mark.integration


async def test_a_key_speaks_for_the_tenant_it_was_issued_to(
    database: Database, tenant: str, other_tenant: str
) -> None:
    keys = PostgresApiKeys(database)

    ours, theirs = await keys.issue(tenant, label="ours"), await keys.issue(other_tenant, label="theirs")

    assert await keys.tenant_of(ours) == tenant
    assert await keys.tenant_of(theirs) == other_tenant


async def test_a_key_with_another_secret_speaks_for_nobody(database: Database, tenant: str) -> None:
    keys = PostgresApiKeys(database)
    ours, other = await keys.issue(tenant, label="a"), await keys.issue(tenant, label="b")

    _, key_id, _, _ = ours.split("_")
    _, _, secret, crc = other.split("_")

    assert await keys.tenant_of(f"apx_{key_id}_{secret}_{crc}") is None


async def test_a_mistyped_key_speaks_for_nobody(database: Database, tenant: str) -> None:
    keys = PostgresApiKeys(database)
    key = await keys.issue(tenant, label="ours")

    mistyped = [key.upper(), f"{key} ", key[:-1], f"{key}0", key.replace("apx", "apy"), "", "apx___"]

    assert [await keys.tenant_of(k) for k in mistyped] == [None] * len(mistyped)


async def test_a_revoked_or_expired_key_speaks_for_nobody(database: Database, tenant: str) -> None:
    keys = PostgresApiKeys(database)
    revoked, expired = await keys.issue(tenant, label="revoked"), await keys.issue(tenant, label="expired")
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE api_key SET revoked_at = now() WHERE tenant_id = %s AND label = 'revoked'", (tenant,)
        )
        await connection.execute(
            "UPDATE api_key SET expires_at = now() WHERE tenant_id = %s AND label = 'expired'", (tenant,)
        )

    assert await keys.tenant_of(revoked) is None
    assert await keys.tenant_of(expired) is None


async def test_the_database_never_holds_a_key(database: Database, tenant: str) -> None:
    key = await PostgresApiKeys(database).issue(tenant, label="ours")

    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT api_key::text AS row FROM api_key WHERE tenant_id = %s", (tenant,)
        )
        rows = [row["row"] async for row in cursor]

    secret = key.split("_")[2]
    assert rows
    assert all(secret not in row for row in rows)
