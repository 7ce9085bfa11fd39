"""Stores that lost something, or everything, are rebuilt from PostgreSQL while the product is at work."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import orjson
import pytest
from temporalio.client import Client
from tests.integration.workflows.losses import (
    make_twins,
    remove_point,
    remove_relationship,
    say_otherwise,
    twins_of,
    wipe,
)
from tests.integration.workflows.product import accept_document, accept_record, at_work, settled

from apex_memory.bootstrap.clients import open_embedder
from apex_memory.bootstrap.memory import Memory
from apex_memory.bootstrap.schedules import SCHEDULED
from apex_memory.cli.rebuild_run import start_rebuild
from apex_memory.database import Database
from apex_memory.devstack.fixture import running_stack
from apex_memory.domain import ids
from apex_memory.domain.answers import SearchAnswer
from apex_memory.domain.bundles import VersionedBundle, VersionRef
from apex_memory.domain.ledger import AllocationRequest, Outcome
from apex_memory.domain.queues import Queue
from apex_memory.domain.upkeep import UpkeepFigures, UpkeepRun
from apex_memory.pipeline.ledger.rebuilds import PostgresRebuilds
from apex_memory.pipeline.ledger.upkeep import PostgresUpkeep
from apex_memory.pipeline.stores.canon import PostgresCanon
from apex_memory.pipeline.stores.registry import Stores, open_stores
from apex_memory.schema import migrate
from apex_memory.settings import ENV_PREFIX, Settings, process_environment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

STORES = ("postgres", "qdrant", "neo4j")


@pytest.fixture(scope="module")
async def own_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Settings]:
    """A stack that no other test uses: its stores are wiped whole."""
    home = tmp_path_factory.mktemp("lost") / "apex"
    async with running_stack(home) as endpoints:
        await migrate(endpoints.postgres_url)
        yield endpoints.settings(
            staging_dir=home / "staging",
            read_deadline_s=30.0,
            # Nothing is too young to be judged, and every content is compared.
            zombie_window_s=0.001,
            reconcile_sample=1,
        )


@pytest.fixture
def settings(own_stack: Settings) -> Settings:
    return own_stack.model_copy(update={"queue_prefix": f"test-{uuid4().hex[:12]}"})


@pytest.fixture
async def stores(settings: Settings, database: Database) -> AsyncGenerator[Stores]:
    async with (
        open_embedder(settings, database) as embedder,
        open_stores(settings, database, embedder) as stores,
    ):
        yield stores


async def _remember(memory: Memory, tenant: str, *names: str) -> None:
    """Shipments of customers of their own, and a document about each."""
    events: list[UUID] = []
    for name in names:
        record = {"shipmentId": name, "customerName": f"Customer of {name}", "status": "in_transit"}
        events.append(await accept_record(memory, tenant, "turvo", record, label=name))
        # Longer than a passage.
        text = f"# Handover\n\nThe driver of {name} calls at nine.\n\n{'It is a long way to go. ' * 60}\n"
        events.append(await accept_document(memory, tenant, f"{name}.md", text))
    assert await _outcomes(memory, tenant, events) == {Outcome.COMMITTED}


async def _outcomes(memory: Memory, tenant: str, events: Sequence[UUID]) -> set[Outcome]:
    """However long it takes: a graph that was started a moment ago may need a minute."""
    outcomes: set[Outcome] = set()
    for event_id in events:
        while (ended := await settled(memory, tenant, event_id)).outcome is None:
            pass
        outcomes.add(ended.outcome)
    return outcomes


@asynccontextmanager
async def _load(memory: Memory, tenant: str) -> AsyncGenerator[None]:
    """Records that are sent in all the while; at the end each of them is committed."""
    stop, sent = asyncio.Event(), list[UUID]()

    async def send() -> None:
        while not stop.is_set():
            name = f"LOAD-{len(sent)}"
            record = {"shipmentId": name, "customerName": f"Customer of {name}", "status": "late"}
            sent.append(await accept_record(memory, tenant, "turvo", record, label=name))
            await asyncio.sleep(0.05)

    sending = asyncio.create_task(send())
    try:
        yield
    finally:
        stop.set()
        await sending
    assert await _outcomes(memory, tenant, sent) == {Outcome.COMMITTED}


async def _reconciled(
    settings: Settings, temporal: Client, database: Database, tenant: str
) -> dict[str, tuple[int, int, int, int]]:
    """What a run found and mended: missing, torn, unknown and mended, by store."""
    [kind] = [kind for kind in SCHEDULED if kind.name == "reconcile"]
    await temporal.execute_workflow(
        kind.workflow.__name__,
        UpkeepRun(tenant_id=tenant),
        id=f"by-hand:{uuid4()}",
        task_queue=Queue.WORKFLOWS.named(settings.queue_prefix),
        result_type=UpkeepFigures,
    )
    published = await PostgresUpkeep(database).published(tenant)
    return {one.store: (one.missing, one.torn, one.unknown, one.mended) for one in published}


def _essence(answer: SearchAnswer) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Hits by source, item and text, and facts, as a reader knows them."""
    hits = [(hit.source, hit.external_id, hit.text) for hit in answer.hits]
    return hits, sorted(fact.fact for fact in answer.facts)


async def _asked(memory: Memory, tenant: str, names: Sequence[str]) -> list[object]:
    found = [await memory.retrieval.search(tenant, f"the driver of {name}", limit=2) for name in names]
    assert [answer.missing for answer in found] == [()] * len(names)
    return [_essence(answer) for answer in found]


@pytest.mark.parametrize("store", ["neo4j", "qdrant"])
async def test_a_store_that_is_wiped_under_load_is_rebuilt_and_answers_as_before(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str, store: str
) -> None:
    names = [f"SHIP-{n}" for n in range(8)]
    async with at_work(settings, temporal):
        await _remember(memory, tenant, *names)
        before = await _asked(memory, tenant, names)

        async with _load(memory, tenant):
            await asyncio.sleep(1)
            await wipe(store, settings)
            ended = await (await start_rebuild(temporal, settings, store, None)).result()
            await asyncio.sleep(1)
        await _reconciled(settings, temporal, database, tenant)
        second = await _reconciled(settings, temporal, database, tenant)
        after = await _asked(memory, tenant, names)

    assert ended.written >= 2 * len(names)
    assert second == dict.fromkeys(STORES, (0, 0, 0, 0))
    assert after == before


async def test_redis_that_is_flushed_under_load_changes_no_answer(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    names = ["SHIP-1", "SHIP-2"]
    async with at_work(settings, temporal):
        await _remember(memory, tenant, *names)
        before = await _asked(memory, tenant, names)

        async with _load(memory, tenant):
            await wipe("redis", settings)
            during = await _asked(memory, tenant, names)
        figures = await _reconciled(settings, temporal, database, tenant)

    assert during == before
    assert figures == dict.fromkeys(STORES, (0, 0, 0, 0))


@pytest.mark.parametrize("store", ["neo4j", "qdrant"])
async def test_a_rebuild_asks_no_model(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str, store: str
) -> None:
    async with at_work(settings, temporal):
        await _remember(memory, tenant, "SHIP-1")
    await wipe(store, settings)

    without_model = settings.model_copy(update={"failpoints": "embedder.embed.before=refuse@1-1000000"})
    async with at_work(without_model, temporal):
        ended = await (await start_rebuild(temporal, settings, store, tenant)).result()
        figures = await _reconciled(settings, temporal, database, tenant)

    assert (ended.written, ended.differences.found) == (2, 0)
    assert figures == dict.fromkeys(STORES, (0, 0, 0, 0))


@pytest.mark.parametrize("store", ["neo4j", "qdrant"])
async def test_a_rebuild_outlives_the_death_of_its_worker(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str, store: str
) -> None:
    async with at_work(settings, temporal):
        await _remember(memory, tenant, "SHIP-1", "SHIP-2")
    await wipe(store, settings)

    handle = await start_rebuild(temporal, settings, store, tenant)
    dying = await _workers(settings, failpoints=f"{store}.prepare.after=kill@1")
    await dying.communicate()
    assert dying.returncode == -9
    async with at_work(settings, temporal):
        ended = await handle.result()
        figures = await _reconciled(settings, temporal, database, tenant)

    assert (ended.written, ended.differences.found) == (4, 0)
    assert figures == dict.fromkeys(STORES, (0, 0, 0, 0))


async def _workers(settings: Settings, *, failpoints: str) -> asyncio.subprocess.Process:
    return await _apex(settings, "worker", "workflows", "maintain", failpoints=failpoints)


async def _apex(settings: Settings, *arguments: str, failpoints: str = "") -> asyncio.subprocess.Process:
    given = ("postgres_url", "qdrant_url", "neo4j_url", "redis_url", "temporal_address", "queue_prefix")
    environment = process_environment() | {
        f"{ENV_PREFIX}{name.upper()}": str(getattr(settings, name)) for name in given
    }
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "apex_memory.cli", *arguments),
        env=environment | {f"{ENV_PREFIX}FAILPOINTS": failpoints},
        stdout=asyncio.subprocess.PIPE,
    )


async def test_the_command_shows_what_was_written_and_ends_well(
    settings: Settings, temporal: Client, memory: Memory, tenant: str
) -> None:
    async with at_work(settings, temporal):
        await _remember(memory, tenant, "SHIP-1")
        await wipe("qdrant", settings)

        command = await _apex(settings, "rebuild", "--store", "qdrant", "--tenant", tenant, "--json")
        out, _ = await command.communicate()

    assert command.returncode == 0
    nothing = dict.fromkeys(("missing", "torn", "unknown", "mended"), 0)
    assert orjson.loads(out) == {
        "store": "qdrant",
        "tenant_id": tenant,
        "written": 2,
        "differences": {"checked": 2, **nothing},
    }


async def test_two_rebuilds_at_once_do_no_harm_and_asking_twice_is_one(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    async with at_work(settings, temporal):
        await _remember(memory, tenant, "SHIP-1", "SHIP-2")
        await wipe("neo4j", settings)
        handles = [await start_rebuild(temporal, settings, "neo4j", one) for one in (tenant, None, tenant)]
        ended = [await handle.result() for handle in handles]
        figures = await _reconciled(settings, temporal, database, tenant)

    assert handles[0].id == handles[2].id != handles[1].id
    assert ended[0] == ended[2]
    assert figures == dict.fromkeys(STORES, (0, 0, 0, 0))


async def test_planted_differences_are_each_found_and_mended(
    settings: Settings, temporal: Client, database: Database, memory: Memory, stores: Stores, tenant: str
) -> None:
    async with at_work(settings, temporal):
        await _remember(memory, tenant, "SHIP-1", "SHIP-2")
        record, document, other, untouched = await _canon(database, tenant, "SHIP-1", "SHIP-2")
        await remove_point(document, settings)
        await stores.qdrant.discard(tenant, [record.ref])
        await stores.qdrant.prepare([replace(other, vectors=-other.vectors)])
        await remove_relationship(document, settings)
        await say_otherwise(record, settings)
        await stores.neo4j.discard(tenant, [other.ref])
        stray = replace(untouched, ref=VersionRef(item_id=uuid4(), version=7))
        aborted = await _aborted(memory, tenant, untouched)
        for store in stores.participants():
            await store.prepare([stray, aborted])

        first = await _reconciled(settings, temporal, database, tenant)
        second = await _reconciled(settings, temporal, database, tenant)

    assert first == {"postgres": (0, 0, 2, 2), "qdrant": (1, 2, 2, 5), "neo4j": (1, 2, 2, 5)}
    assert second == dict.fromkeys(STORES, (0, 0, 0, 0))
    for projection in (stores.qdrant, stores.neo4j):
        assert await projection.altered([record, document, other, untouched]) == []


async def _canon(database: Database, tenant: str, *names: str) -> Sequence[VersionedBundle]:
    """Record and document of each name, in this order."""
    wanted = [
        VersionRef(item_id=ids.item_id(tenant, source, external_id), version=1)
        for name in names
        for source, external_id in (("turvo", name), ("local_upload", f"{name}.md"))
    ]
    found = {write.ref: write for write in await PostgresCanon(database).bundles(tenant, wanted)}
    return [found[ref] for ref in wanted]


async def _aborted(memory: Memory, tenant: str, like: VersionedBundle) -> VersionedBundle:
    """A version that was allocated and given up."""
    batch = uuid4()
    request = AllocationRequest(
        request_id=str(batch),
        event_id=batch,
        item_id=like.ref.item_id,
        content_hash=str(batch),
        **like.bundle.model_dump(include={"source", "external_id", "kind", "title", "as_of"}),
    )
    [allocation] = await memory.ledger.allocate(tenant, batch, [request])
    await memory.ledger.abort(tenant, batch, reason="a test")
    return replace(like, ref=allocation.ref)


async def test_what_postgresql_lost_is_told_and_not_made_up(
    settings: Settings, temporal: Client, database: Database, memory: Memory, stores: Stores, tenant: str
) -> None:
    async with at_work(settings, temporal):
        await _remember(memory, tenant, "SHIP-1")
        record, _ = await _canon(database, tenant, "SHIP-1")
        await stores.postgres.discard(tenant, [record.ref])
        await stores.neo4j.discard(tenant, [record.ref])

        figures = await _reconciled(settings, temporal, database, tenant)

    assert figures == {"postgres": (1, 0, 0, 0), "qdrant": (0, 0, 0, 0), "neo4j": (1, 0, 0, 0)}


async def test_while_a_store_is_filled_again_a_search_says_so(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str, other_tenant: str
) -> None:
    async with at_work(settings, temporal):
        await _remember(memory, tenant, "SHIP-1")
        rebuilds, rebuild_id = PostgresRebuilds(database), uuid4()

        await rebuilds.begin("qdrant", [tenant], rebuild_id=rebuild_id)
        during = await memory.retrieval.search(tenant, "who drives SHIP-1?")
        of_others = await memory.retrieval.search(other_tenant, "who drives SHIP-1?")
        await rebuilds.end(tenant, "qdrant", [rebuild_id])
        after = await memory.retrieval.search(tenant, "who drives SHIP-1?")

    assert (during.missing, of_others.missing, after.missing) == (("qdrant",), (), ())


async def test_twins_that_were_written_while_the_schema_was_lost_are_mended(
    settings: Settings, temporal: Client, database: Database, memory: Memory, stores: Stores, tenant: str
) -> None:
    async with at_work(settings, temporal):
        await _remember(memory, tenant, "SHIP-1", "SHIP-2")
        await wipe("neo4j", settings)
        await stores.neo4j.prepare(await _canon(database, tenant, "SHIP-1"))
        await make_twins(tenant, settings)

        await (await start_rebuild(temporal, settings, "neo4j", tenant)).result()
        figures = await _reconciled(settings, temporal, database, tenant)

    assert await twins_of(tenant, settings) == 0
    assert figures == dict.fromkeys(STORES, (0, 0, 0, 0))
