"""An entity's row goes with the last version that speaks of it, and never under one that is being written."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from tests.contracts.writes import fresh_tenant, message, write_of

from apex_memory.database import Connection, Database
from apex_memory.pipeline.stores.postgres import PostgresStore

pytestmark = pytest.mark.integration


@pytest.fixture
def store(database: Database) -> PostgresStore:
    return PostgresStore(database)


async def _keys(database: Database, tenant: str) -> set[str]:
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT key FROM entity WHERE tenant_id = %s", (tenant,))
        return {row["key"] async for row in cursor}


async def _unnamed(database: Database, tenant: str) -> int:
    """Mentions of entities that have no row."""
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*) AS n FROM mention AS m WHERE m.tenant_id = %s AND NOT EXISTS ("
            "SELECT FROM entity AS e WHERE e.tenant_id = m.tenant_id AND e.entity_id = m.entity_id)",
            (tenant,),
        )
        row = await cursor.fetchone()
        assert row
        return row["n"]


async def _waiting(database: Database) -> int:
    """Who wants an advisory lock that another holds."""
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        )
        row = await cursor.fetchone()
        assert row
        return row["n"]


class _Slow:
    """A database whose transactions have written all they want, and do not commit yet."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.written = asyncio.Event()
        self.commit = asyncio.Event()

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection, None]:
        async with self._database.transaction() as connection:
            yield connection
            self.written.set()
            await self.commit.wait()


async def test_what_only_one_version_speaks_of_goes_with_it(store: PostgresStore, database: Database) -> None:
    tenant = fresh_tenant()
    one, other = write_of(tenant, message("msg-1")), write_of(tenant, message("msg-2"))
    elsewhere = write_of(fresh_tenant(), message("msg-1"))
    await store.prepare([one, other, elsewhere])
    together = await _keys(database, tenant)

    await store.discard(tenant, [one.ref])
    alone = await _keys(database, tenant)
    await store.discard(tenant, [other.ref])

    assert together - alone == {"msg-1"}
    assert "msg-2" in alone
    assert await _keys(database, tenant) == set()
    assert "msg-1" in await _keys(database, elsewhere.tenant_id)


async def test_a_sample_alone_keeps_its_entity(store: PostgresStore, database: Database) -> None:
    tenant = fresh_tenant()
    bundle = message("msg-1").model_copy(update={"claims": (), "mentions": ()})
    measured, other = write_of(tenant, bundle, version=2), write_of(tenant, message("msg-2"))
    await store.prepare([measured, other])

    await store.discard(tenant, [other.ref])

    assert await _keys(database, tenant) == {"openhaul 247"}


async def test_it_stays_for_a_writer_that_has_not_committed_yet(
    store: PostgresStore, database: Database
) -> None:
    tenant = fresh_tenant()
    known, arriving = write_of(tenant, message("msg-1")), write_of(tenant, message("msg-1"), version=2)
    await store.prepare([known])

    slow = _Slow(database)
    writing = asyncio.create_task(PostgresStore(cast("Database", slow)).prepare([arriving]))
    await slow.written.wait()
    discarding = asyncio.create_task(store.discard(tenant, [known.ref]))
    # Either it waits for the writer, or it is through, and has taken the entities from under it.
    while not discarding.done() and not await _waiting(database):
        await asyncio.sleep(0.01)
    slow.commit.set()
    await asyncio.gather(writing, discarding)

    assert await _keys(database, tenant)
    assert await _unnamed(database, tenant) == 0


async def test_writers_and_erasers_at_once_leave_no_mention_without_its_entity_and_no_orphan(
    store: PostgresStore, database: Database
) -> None:
    tenant = fresh_tenant()

    async def come_and_go(name: str) -> None:
        for version in range(1, 7):
            await store.prepare([write_of(tenant, message(name), version=version)])
            await store.discard(tenant, [write_of(tenant, message(name), version=version - 1).ref])

    await asyncio.gather(*(come_and_go(f"msg-{n}") for n in range(6)))

    assert await _unnamed(database, tenant) == 0
    await store.discard(tenant, [write_of(tenant, message(f"msg-{n}"), version=6).ref for n in range(6)])
    assert await _keys(database, tenant) == set()
