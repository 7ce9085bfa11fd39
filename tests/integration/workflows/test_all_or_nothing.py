"""A write that fails, is cancelled or loses an answer leaves all of a batch or nothing, on the real stack."""

import asyncio
from datetime import datetime

import pytest
from temporalio.client import Client, WorkflowFailureError
from tests.integration.spoilt import Forgetful, Gate, Refusing, only
from tests.integration.workflows.product import accept_record, at_work, settled

from apex_memory.bootstrap.clients import open_embedder
from apex_memory.bootstrap.memory import Memory
from apex_memory.database import Database
from apex_memory.domain import ids
from apex_memory.domain.bundles import Manifest, VersionRef
from apex_memory.domain.ledger import Outcome
from apex_memory.pipeline.stores.registry import open_stores
from apex_memory.ports import Store
from apex_memory.settings import Settings
from apex_memory.testing import Fault, Misbehaving, always, scripted

pytestmark = pytest.mark.integration

KEY = "SHIP-77"
SHIPMENT = {"shipmentId": KEY, "customerName": "Acme", "status": "in_transit"}


async def _held_by_stores(
    settings: Settings, database: Database, tenant: str, version: int
) -> dict[str, int]:
    """How many parts of this version each store holds, read from the store."""
    ref = VersionRef(item_id=ids.item_id(tenant, "turvo", KEY), version=version)
    async with (
        open_embedder(settings, database) as embedder,
        open_stores(settings, database, embedder) as stores,
    ):
        held: dict[str, int] = {}
        for store in stores.participants():
            manifest: Manifest = (await store.read_back(tenant, [ref]))[ref]
            held[store.name] = manifest.count
        return held


async def test_one_store_that_refuses_leaves_nothing_in_any(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    async with at_work(settings, temporal, spoil=only("neo4j", Refusing)):
        ended = await settled(
            memory, tenant, await accept_record(memory, tenant, "turvo", SHIPMENT, label=KEY)
        )
        with pytest.raises(WorkflowFailureError):
            await temporal.get_workflow_handle(ended.workflow_id or "").result()

    assert (ended.outcome, ended.version) == (Outcome.ABORTED, None)
    assert "EmbedderMismatch" in (ended.reason or "")
    assert set((await _held_by_stores(settings, database, tenant, 1)).values()) == {0}
    assert (await memory.retrieval.search(tenant, KEY)).hits == ()


async def test_a_cancel_in_the_middle_of_writing_ends_clean(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    down = always(Fault.AFTER)
    async with at_work(settings, temporal, spoil=only("neo4j", lambda store: Misbehaving(store, down))):
        event_id = await accept_record(memory, tenant, "turvo", SHIPMENT, label=KEY)
        while not (await _held_by_stores(settings, database, tenant, 1))["neo4j"]:
            await asyncio.sleep(0.05)
        ingestion = await memory.inbox.ingestion(tenant, event_id)
        handle = temporal.get_workflow_handle(ingestion.workflow_id or "")
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        ended = await settled(memory, tenant, event_id)

    assert ended.outcome is Outcome.ABORTED
    assert (ended.reason or "").startswith("cancelled")
    assert set((await _held_by_stores(settings, database, tenant, 1)).values()) == {0}


async def test_outages_partial_writes_and_lost_answers_end_in_one_whole_commit(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    def spoil(store: Store) -> Store:
        return Misbehaving(store, scripted("prepare", Fault.BEFORE, Fault.PARTLY, Fault.AFTER))

    async with at_work(settings, temporal, spoil=spoil):
        ended = await settled(
            memory, tenant, await accept_record(memory, tenant, "turvo", SHIPMENT, label=KEY)
        )

    held = await _held_by_stores(settings, database, tenant, 1)
    assert (ended.outcome, ended.version) == (Outcome.COMMITTED, 1)
    assert all(held.values())


async def test_a_commit_whose_acknowledgement_is_lost_is_committed_once(
    settings: Settings, temporal: Client, memory: Memory, tenant: str
) -> None:
    async with at_work(settings, temporal, spoil_ledger=Forgetful):  # pyright: ignore[reportArgumentType] - it delegates the rest
        ended = await settled(
            memory, tenant, await accept_record(memory, tenant, "turvo", SHIPMENT, label=KEY)
        )

    assert (ended.outcome, ended.version, ended.seq) == (Outcome.COMMITTED, 1, 1)
    assert await memory.ledger.snapshot(tenant) == 1


@pytest.mark.parametrize(("slow", "quick", "seen"), [("09:00", "10:00", "quick"), ("10:00", "09:00", "slow")])
async def test_of_two_writers_that_overtake_each_other_the_newer_content_is_seen(
    settings: Settings,
    temporal: Client,
    database: Database,
    memory: Memory,
    tenant: str,
    *,
    slow: str,
    quick: str,
    seen: str,
) -> None:
    held: list[Gate] = []

    def spoil(store: Store) -> Store:
        if store.name != "qdrant":
            return store
        held.append(Gate(store))
        return held[0]

    def record(name: str, at: str) -> dict[str, str]:
        return {"shipmentId": KEY, "status": name, "updatedAt": f"2026-03-01T{at}:00Z"}

    async with at_work(settings, temporal, spoil=spoil):
        first = await accept_record(memory, tenant, "turvo", record("slow", slow), label=KEY)
        await held[0].reached.wait()
        second = await accept_record(memory, tenant, "turvo", record("quick", quick), label=KEY)
        overtaking = await settled(memory, tenant, second)
        held[0].open.set()
        overtaken = await settled(memory, tenant, first)
        result = await temporal.get_workflow_handle(overtaken.workflow_id or "").result()

    assert (result["committed"], result["seq"]) == (1, overtaken.seq)
    answer = await memory.retrieval.search(tenant, KEY, min_seq=overtaken.seq)
    statuses = {f.value for f in answer.facts if f.predicate == "has_status"}
    assert [overtaking.outcome, overtaken.outcome] == [Outcome.COMMITTED] * 2
    assert (overtaking.version, overtaken.version) == (2, 3)
    assert statuses == {seen}
    assert set((await _held_by_stores(settings, database, tenant, 1)).values()) == {0}


async def test_redis_down_fails_no_ingest(
    settings: Settings, temporal: Client, memory: Memory, tenant: str
) -> None:
    without_redis = settings.model_copy(update={"redis_url": "redis://127.0.0.1:9/0"})

    async with at_work(without_redis, temporal):
        ended = await settled(
            memory, tenant, await accept_record(memory, tenant, "turvo", SHIPMENT, label=KEY)
        )

    assert ended.outcome is Outcome.COMMITTED
    assert isinstance(ended.finished_at, datetime)
