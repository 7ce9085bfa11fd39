"""The schema as PostgreSQL has it after the migrations."""

import asyncio
import sys
from pathlib import Path

import pytest

from apex_memory.database import Database
from apex_memory.schema import migrate
from apex_memory.settings import Settings

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
#: They hold nothing of any tenant.
OF_THE_SYSTEM = {"alembic_version", "embedding_space"}

FIRST_COLUMNS = """
SELECT t.relname AS table, i.relname AS index, a.attname AS first
FROM pg_index AS x
JOIN pg_class AS t ON t.oid = x.indrelid
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = x.indkey[0]
WHERE x.indisunique AND t.relnamespace = 'public'::regnamespace
"""


OTHERS = """
INSERT INTO mention (tenant_id, mention_id, item_id, version, entity_id, name)
SELECT 'came before', gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), 'Truck 7'
FROM generate_series(1, 5000)
"""


async def test_the_tenant_comes_first_in_every_key(database: Database) -> None:
    async with database.connection() as connection:
        cursor = await connection.execute(FIRST_COLUMNS)
        keys = [row async for row in cursor if row["table"] not in OF_THE_SYSTEM]

    assert keys
    assert {key["index"]: key["first"] for key in keys if key["first"] != "tenant_id"} == {}


async def test_no_statistics_tell_tenants_apart(database: Database) -> None:
    """One that came after the last ANALYZE was taken for empty, and its searches joined row by row."""
    async with database.transaction() as connection:
        await connection.execute(OTHERS)
        await connection.execute("ANALYZE mention")
        cursor = await connection.execute(
            "SELECT attname FROM pg_stats WHERE schemaname = 'public' AND tablename = 'mention'"
        )
        known = {row["attname"] async for row in cursor}
        await connection.execute("DELETE FROM mention WHERE tenant_id = 'came before'")

    assert "entity_id" in known
    assert "tenant_id" not in known


async def test_a_search_goes_through_few_new_words(database: Database) -> None:
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT reloptions FROM pg_class WHERE relname = 'chunk_terms'")
        [index] = await cursor.fetchall()

    assert index == {"reloptions": ["gin_pending_list_limit=512"]}


async def test_migrating_again_and_at_once_changes_nothing(settings: Settings) -> None:
    await asyncio.gather(*(migrate(settings.postgres_url) for _ in range(4)))


async def test_the_migrations_can_be_printed_without_a_database() -> None:
    printing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", "upgrade", "head", "--sql"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )

    output, _ = await printing.communicate()

    assert printing.returncode == 0
    assert b"CREATE TABLE item_version" in output
