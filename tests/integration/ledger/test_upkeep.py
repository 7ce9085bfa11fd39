"""What the upkeep asks of the ledger, on a real PostgreSQL, by PostgreSQL's clock."""

import asyncio
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID, uuid4

import httpx
import pytest
from psycopg import sql
from tests.contracts.ledger_contract import commit_all

from apex_memory.bootstrap.backlog import showing_backlog
from apex_memory.database import Database
from apex_memory.domain import ids
from apex_memory.domain.bundles import Manifest, VersionRef
from apex_memory.domain.ledger import AllocationRequest, VersionManifests
from apex_memory.domain.upkeep import Leftover, Reconciliation, Standing
from apex_memory.pipeline.intake.inbox import PostgresInbox
from apex_memory.pipeline.ledger import upkeep as queries
from apex_memory.pipeline.ledger.ledger import PostgresLedger
from apex_memory.pipeline.ledger.upkeep import PostgresUpkeep
from apex_memory.settings import Settings

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = 3600.0


@pytest.fixture
def ledger(database: Database) -> PostgresLedger:
    return PostgresLedger(database)


@pytest.fixture
def upkeep(database: Database) -> PostgresUpkeep:
    return PostgresUpkeep(database)


async def _prepared(
    ledger: PostgresLedger, tenant: str, *contents: tuple[str, str]
) -> tuple[UUID, list[VersionRef]]:
    """A batch with one version for each external id and content."""
    batch = uuid4()
    requests = [
        AllocationRequest(
            request_id=uuid4().hex,
            event_id=uuid4(),
            item_id=ids.item_id(tenant, "samsara", external_id),
            source="samsara",
            external_id=external_id,
            kind="record",
            title=external_id,
            content_hash=content,
            as_of=NOON,
        )
        for external_id, content in contents
    ]
    return batch, [a.ref for a in await ledger.allocate(tenant, batch, requests)]


async def _committed(ledger: PostgresLedger, tenant: str, *contents: tuple[str, str]) -> list[VersionRef]:
    batch, refs = await _prepared(ledger, tenant, *contents)
    await commit_all(ledger, tenant, batch)
    return refs


async def _open(database: Database, tenant: str, batch_id: UUID, *, workflow_id: str | None = None) -> None:
    await _execute(
        database,
        "INSERT INTO batch (tenant_id, batch_id, source, kind, label, size, workflow_id) "
        "VALUES (%s, %s, 'samsara', 'record', 'TRUCK-1', 1, %s)",
        (tenant, batch_id, workflow_id),
    )


async def _execute(database: Database, statement: LiteralString, parameters: Sequence[Any] = ()) -> None:
    async with database.connection() as connection:
        await connection.execute(statement, parameters)


async def _age(database: Database, column: LiteralString, ref: VersionRef, *, by: timedelta) -> None:
    statement = "UPDATE item_version SET {0} = {0} - %s WHERE item_id = %s AND version = %s"
    async with database.connection() as connection:
        await connection.execute(
            sql.SQL(statement).format(sql.Identifier(column)), (by, ref.item_id, ref.version)
        )


async def _standing(
    upkeep: PostgresUpkeep, tenant: str, *refs: VersionRef, window_s: float
) -> list[Standing]:
    found = await upkeep.standing(tenant, refs, window_s=window_s)
    return [found[ref] for ref in refs]


async def test_a_batch_is_open_once_it_is_old_enough_until_it_is_closed(
    database: Database, upkeep: PostgresUpkeep, tenant: str
) -> None:
    batch_id = uuid4()
    await _open(database, tenant, batch_id, workflow_id="ingest:1")

    young = await upkeep.open_batches(older_than_s=HOUR, limit=9)
    [found] = await upkeep.open_batches(older_than_s=0, limit=9)
    await PostgresInbox(database).close(tenant, batch_id)

    assert young == []
    assert (found.tenant_id, found.batch_id, found.workflow_id) == (tenant, batch_id, "ingest:1")
    assert await upkeep.open_batches(older_than_s=0, limit=9) == []


async def test_a_closed_batch_with_a_version_that_is_preparing_counts_as_open(
    database: Database, ledger: PostgresLedger, upkeep: PostgresUpkeep, tenant: str
) -> None:
    batch_id, _ = await _prepared(ledger, tenant, ("TRUCK-1", "a"), ("TRUCK-2", "a"))
    await _open(database, tenant, batch_id)
    await PostgresInbox(database).close(tenant, batch_id)

    assert [b.batch_id for b in await upkeep.open_batches(older_than_s=0, limit=9)] == [batch_id]
    await ledger.abort(tenant, batch_id, reason="gone")
    assert await upkeep.open_batches(older_than_s=0, limit=9) == []


async def test_the_oldest_open_batch_of_all_tenants_comes_first(
    database: Database, upkeep: PostgresUpkeep, tenant: str, other_tenant: str
) -> None:
    batches = [uuid4() for _ in range(4)]
    for n, batch_id in enumerate(batches):
        await _open(database, (tenant, other_tenant)[n % 2], batch_id)

    found = await upkeep.open_batches(older_than_s=0, limit=3)

    assert [b.batch_id for b in found] == batches[:3]


async def test_a_leftover_is_a_batch_whose_aborted_versions_are_not_cleaned(
    ledger: PostgresLedger, upkeep: PostgresUpkeep, tenant: str, other_tenant: str
) -> None:
    ours, refs = await _prepared(ledger, tenant, ("TRUCK-1", "a"), ("TRUCK-2", "a"))
    theirs, _ = await _prepared(ledger, other_tenant, ("TRUCK-1", "a"))
    await _prepared(ledger, tenant, ("TRUCK-3", "still preparing"))
    await ledger.abort(tenant, ours, reason="gone")
    await ledger.abort(other_tenant, theirs, reason="gone")

    assert await upkeep.leftovers(older_than_s=HOUR, limit=9) == []
    assert await upkeep.leftovers(older_than_s=0, limit=9) == [
        Leftover(tenant_id=tenant, batch_id=ours),
        Leftover(tenant_id=other_tenant, batch_id=theirs),
    ]
    await ledger.cleaned(tenant, refs)
    assert [left.batch_id for left in await upkeep.leftovers(older_than_s=0, limit=9)] == [theirs]


async def test_only_what_was_superseded_long_enough_ago_is_garbage(
    database: Database, ledger: PostgresLedger, upkeep: PostgresUpkeep, tenant: str, other_tenant: str
) -> None:
    [first] = await _committed(ledger, tenant, ("TRUCK-1", "a"))
    [second] = await _committed(ledger, tenant, ("TRUCK-1", "b"))
    [third] = await _committed(ledger, tenant, ("TRUCK-1", "c"))
    await _prepared(ledger, tenant, ("TRUCK-1", "preparing"))
    await _committed(ledger, other_tenant, ("TRUCK-1", "a"))
    await _age(database, "superseded_at", first, by=timedelta(hours=2))

    assert await upkeep.superseded(tenant, older_than_s=HOUR, limit=9) == [first]
    assert await upkeep.superseded(tenant, older_than_s=0, limit=9) == [first, second]
    assert await upkeep.superseded(tenant, older_than_s=0, limit=1) == [first]
    assert await upkeep.superseded(other_tenant, older_than_s=0, limit=9) == []

    # Whoever says so: the live one is never collected.
    await upkeep.collected(tenant, [first, third])
    assert await upkeep.superseded(tenant, older_than_s=0, limit=9) == [second]
    assert [v.ref for v in await upkeep.live(tenant, after=None, limit=9)] == [third]
    assert await _standing(upkeep, tenant, third, window_s=0) == [Standing.KEPT]


async def test_live_versions_come_page_by_page_with_what_every_store_must_hold(
    ledger: PostgresLedger, upkeep: PostgresUpkeep, tenant: str
) -> None:
    batch, refs = await _prepared(ledger, tenant, *((f"TRUCK-{n}", "a") for n in range(5)))
    expected = [VersionManifests(ref=ref, manifests={"qdrant": Manifest.of([uuid4()])}) for ref in refs]
    await ledger.expect(tenant, expected)
    await commit_all(ledger, tenant, batch)
    await _committed(ledger, tenant, ("TRUCK-0", "newer"))
    await ledger.bury(tenant, refs[1].item_id, request_id=uuid4())
    await _prepared(ledger, tenant, ("TRUCK-9", "preparing"))

    listed: list[VersionManifests] = []
    while page := await upkeep.live(tenant, after=listed[-1].ref if listed else None, limit=2):
        listed += page

    newer = VersionManifests(ref=VersionRef(item_id=refs[0].item_id, version=2), manifests={})
    assert listed == sorted([newer, *expected[2:]], key=lambda v: v.ref.item_id.bytes)


async def test_what_to_think_of_a_version_that_a_store_holds(
    database: Database, ledger: PostgresLedger, upkeep: PostgresUpkeep, tenant: str
) -> None:
    [old] = await _committed(ledger, tenant, ("TRUCK-1", "a"))
    [head] = await _committed(ledger, tenant, ("TRUCK-1", "b"))
    _, [preparing] = await _prepared(ledger, tenant, ("TRUCK-1", "c"))
    batch, [aborted] = await _prepared(ledger, tenant, ("TRUCK-1", "d"))
    await ledger.abort(tenant, batch, reason="gone")
    [collected] = await _committed(ledger, tenant, ("TRUCK-2", "a"))
    await _committed(ledger, tenant, ("TRUCK-2", "b"))
    await upkeep.collected(tenant, [collected])
    never = VersionRef(item_id=uuid4(), version=1)
    asked = (old, head, preparing, aborted, collected, never)

    kept = [Standing.KEPT] * 3
    assert await _standing(upkeep, tenant, *asked, window_s=HOUR) == [
        *kept,
        Standing.RECENT,
        Standing.RECENT,
        Standing.UNKNOWN,
    ]
    await _age(database, "decided_at", aborted, by=timedelta(hours=2))
    await _age(database, "collected_at", collected, by=timedelta(hours=2))
    assert await _standing(upkeep, tenant, *asked, window_s=HOUR) == [*kept, *[Standing.UNKNOWN] * 3]


async def test_another_tenants_versions_are_unknown(
    ledger: PostgresLedger, upkeep: PostgresUpkeep, tenant: str, other_tenant: str
) -> None:
    [theirs] = await _committed(ledger, other_tenant, ("TRUCK-1", "a"))

    assert await _standing(upkeep, tenant, theirs, window_s=HOUR) == [Standing.UNKNOWN]
    await upkeep.collected(tenant, [theirs])
    assert await _standing(upkeep, other_tenant, theirs, window_s=0) == [Standing.KEPT]


async def test_every_tenant_that_ever_wrote_is_listed_once(
    ledger: PostgresLedger, upkeep: PostgresUpkeep, tenant: str, other_tenant: str
) -> None:
    assert await upkeep.tenants() == []

    await _committed(ledger, tenant, ("TRUCK-1", "a"), ("TRUCK-2", "a"))
    await _prepared(ledger, other_tenant, ("TRUCK-1", "a"))

    assert await upkeep.tenants() == sorted([tenant, other_tenant])


async def test_a_batch_or_event_is_over_once_it_ended_long_enough_ago_or_was_never_accepted(
    database: Database, upkeep: PostgresUpkeep, tenant: str, other_tenant: str
) -> None:
    opened, closed, waiting, done, stranger = (uuid4() for _ in range(5))
    await _open(database, tenant, opened)
    await _open(database, tenant, closed)
    await PostgresInbox(database).close(tenant, closed)
    for event_id in (waiting, done):
        await _execute(
            database,
            "INSERT INTO inbox_event (tenant_id, event_id, source, kind, dedupe_key, label, body) "
            "VALUES (%s, %s, 'local_upload', 'document', %s, 'a.md', '{}')",
            (tenant, event_id, str(event_id)),
        )
    await _execute(
        database,
        "UPDATE inbox_event SET outcome = 'committed', finished_at = now() WHERE event_id = %s",
        (done,),
    )
    asked = [opened, closed, waiting, done, stranger]

    assert await upkeep.over(tenant, asked, older_than_s=HOUR) == {stranger}
    assert await upkeep.over(tenant, asked, older_than_s=0) == {closed, done, stranger}
    assert await upkeep.over(other_tenant, asked, older_than_s=HOUR) == set(asked)


async def test_the_newest_figures_of_a_store_are_kept(
    upkeep: PostgresUpkeep, tenant: str, other_tenant: str
) -> None:
    def figures(tenant_id: str, checked: int, hour: int) -> Reconciliation:
        at = NOON + timedelta(hours=hour)
        numbers = {"missing": 1, "torn": 2, "unknown": 3, "mended": 6}
        return Reconciliation(
            tenant_id=tenant_id, store="neo4j", checked=checked, started_at=at, finished_at=at, **numbers
        )

    for published in (
        figures(tenant, 1, 1),
        figures(tenant, 2, 2),
        figures(tenant, 3, 0),
        figures(other_tenant, 4, 1),
    ):
        await upkeep.publish(published)

    assert await upkeep.published(tenant) == [figures(tenant, 2, 2)]
    assert len(await upkeep.published()) == 2


async def test_the_backlog_counts_what_waits_and_since_when(
    database: Database, ledger: PostgresLedger, upkeep: PostgresUpkeep, tenant: str
) -> None:
    [old] = await _committed(ledger, tenant, ("TRUCK-1", "a"))
    await _committed(ledger, tenant, ("TRUCK-1", "b"))
    _, [preparing] = await _prepared(ledger, tenant, ("TRUCK-2", "a"))
    batch, _ = await _prepared(ledger, tenant, ("TRUCK-3", "a"), ("TRUCK-4", "a"))
    await ledger.abort(tenant, batch, reason="gone")
    await _open(database, tenant, batch)
    await _age(database, "superseded_at", old, by=timedelta(hours=2))
    await _age(database, "allocated_at", preparing, by=timedelta(hours=2))

    backlog = await upkeep.backlog(open_longer_than_s=0)

    counts = (backlog.open_batches, backlog.preparing, backlog.cleanup_pending, backlog.superseded)
    assert counts == (1, 1, 2, 1)
    assert backlog.oldest_preparing_s >= 2 * HOUR
    assert backlog.oldest_superseded_s >= 2 * HOUR
    assert (await upkeep.backlog(open_longer_than_s=HOUR)).open_batches == 0


# One version in fifty is preparing, one wants cleaning, two are superseded; one batch in a hundred is open.
_FILL = """
SET statement_timeout = 0;
INSERT INTO item_head (tenant_id, item_id, source, external_id, kind)
SELECT 'tenant-' || mod(n, 20), md5(n::text)::uuid, 's', n::text, 'record' FROM generate_series(1, 20000) n;
INSERT INTO item_version
    (tenant_id, item_id, version, state, request_id, event_id, batch_id, title, content_hash, as_of,
     commit_seq, superseded_seq, superseded_at, cleanup_pending, decided_at)
SELECT 'tenant-' || mod(n, 20), md5(n::text)::uuid, 1,
       CASE kind WHEN 1 THEN 'preparing' WHEN 2 THEN 'aborted' ELSE 'committed' END, n::text,
       md5(n::text)::uuid, md5((n / 100)::text)::uuid, '', '', now(), CASE WHEN kind NOT IN (1, 2) THEN n END,
       CASE WHEN kind IN (3, 4) THEN n END, CASE WHEN kind IN (3, 4) THEN now() - interval '1 hour' END,
       kind = 2, now()
FROM generate_series(1, 100000) n, LATERAL mod(n / 20, 50) AS kind;
INSERT INTO batch (tenant_id, batch_id, source, kind, label, size, claimed_at, closed_at)
SELECT 'tenant-' || mod(n, 20), md5(n::text)::uuid, 's', 'record', '', 1, now() - interval '1 hour',
       CASE WHEN mod(n, 100) > 0 THEN now() END
FROM generate_series(1, 20000) n;
INSERT INTO inbox_event (tenant_id, event_id, source, kind, dedupe_key, label, body, batch_id)
SELECT 'tenant-' || mod(n, 20), md5(n::text)::uuid, 's', 'record', n::text, '', '', gen_random_uuid()
FROM generate_series(1, 20000) n;
ANALYZE item_head, item_version, batch, inbox_event;
"""


@pytest.fixture
async def hundred_thousand(database: Database) -> Database:
    async with database.connection() as connection:
        await connection.execute(_FILL)
    return database


async def test_no_question_of_the_upkeep_reads_a_whole_table(hundred_thousand: Database) -> None:
    some = [uuid4() for _ in range(200)]
    parameters = {
        "tenant": "tenant-7",
        "age": 300.0,
        "limit": 50,
        "items": some,
        "versions": [1] * len(some),
        "item": some[0],
        "version": 1,
        "ids": some,
    }
    asked = {
        name: query
        for name, query in vars(queries).items()
        if isinstance(query, str)
        and name.isupper()
        and name not in {"_PUBLISH", "_PUBLISHED", "_PUBLISHED_OF"}
    }
    plans: dict[str, str] = {}
    async with hundred_thousand.connection() as connection:
        for name, query in asked.items():
            cursor = await connection.execute(sql.SQL("EXPLAIN ") + sql.SQL(query), parameters)  # pyright: ignore[reportArgumentType] - constants of the module
            plans[name] = "\n".join([row["QUERY PLAN"] async for row in cursor])

    assert len(plans) == 9
    assert {name: plan for name, plan in plans.items() if "Seq Scan" in plan} == {}


async def test_what_waits_is_served_as_metrics(
    settings: Settings, ledger: PostgresLedger, tenant: str
) -> None:
    await _prepared(ledger, tenant, ("TRUCK-1", "a"), ("TRUCK-2", "a"))
    address = f"127.0.0.1:{_free_port()}"

    async with (
        showing_backlog(settings.model_copy(update={"metrics_address": address})),
        httpx.AsyncClient() as http,
    ):
        # The last of them that is set.
        while "apex_upkeep_oldest_superseded_s" not in (
            text := (await http.get(f"http://{address}/metrics")).text
        ):
            await asyncio.sleep(0.05)

    figures = {line.partition("{")[0]: line.rpartition(" ")[2] for line in text.splitlines()}
    assert figures["apex_upkeep_preparing"] == "2"
    assert figures["apex_upkeep_oldest_superseded_s"] == "0"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
