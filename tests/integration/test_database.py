"""Pooled connections in, their server's end seen before they are handed out."""

import pytest

from apex_memory.database import Database, open_database
from apex_memory.settings import Settings

pytestmark = pytest.mark.integration


async def test_a_connection_that_its_server_has_ended_is_not_handed_out(
    settings: Settings, database: Database
) -> None:
    async with open_database(settings.postgres_url, max_size=1) as pool:
        before = await _backend(pool)
        async with database.connection() as other:
            await other.execute("SELECT pg_terminate_backend(%s, 5000)", [before])

        assert await _backend(pool) != before


async def test_a_connection_that_works_is_handed_out_again(settings: Settings) -> None:
    async with open_database(settings.postgres_url, max_size=1) as pool:
        assert await _backend(pool) == await _backend(pool)


async def _backend(pool: Database) -> int:
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT pg_backend_pid() AS pid")
        row = await cursor.fetchone()
    assert row is not None
    return row["pid"]
