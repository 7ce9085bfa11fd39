"""What was asked to be forgotten is nowhere: looked for raw, in every place, where it was found before."""

import asyncio
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs
from temporalio.client import Client
from tests.contracts.writes import message
from tests.integration.raw import PLACES, places_of
from tests.integration.spoilt import Gate, only
from tests.integration.workflows.product import accept_document, accept_record, at_work, settled

from apex_memory.bootstrap.clients import open_embedder
from apex_memory.bootstrap.memory import Memory
from apex_memory.database import Database
from apex_memory.domain import ids
from apex_memory.domain.bundles import VersionedBundle, VersionRef
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.forgetting import Forgetting, ForgettingState, ItemName
from apex_memory.domain.ledger import Ingestion, Outcome
from apex_memory.pipeline.stores.registry import open_stores
from apex_memory.ports import Store
from apex_memory.settings import Settings

pytestmark = pytest.mark.integration

KEY = "SHIP-77"
NOTE = "note.md"
#: Where a text lies after it was sent as a record, updated, searched for, and once refused as a document.
EVERYWHERE = {
    "inbox_event",
    "item_version",
    "chunk",
    "entity",
    "mention",
    "claim",
    "neo4j",
    "redis",
    "staging",
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"zombie_window_s": 1.0})


@pytest.fixture
def marker() -> str:
    """A word that nothing else holds, and that no stemmer changes."""
    return f"q{uuid4().hex[:12]}7"


def _shipment(marker: str, status: str = "in_transit") -> dict[str, str]:
    return {"shipmentId": KEY, "customerName": f"Acme {marker}", "status": status}


async def _sent(memory: Memory, tenant: str, marker: str, status: str = "in_transit") -> Ingestion:
    event = await accept_record(memory, tenant, "turvo", _shipment(marker, status), label=KEY)
    return await settled(memory, tenant, event)


def _item(tenant: str, source: str = "turvo", external_id: str = KEY) -> UUID:
    return ids.item_id(tenant, source, external_id)


async def _asked_to_forget(memory: Memory, tenant: str, item: UUID) -> Forgetting:
    return await memory.forgettings.request(tenant, item, forget_id=uuid4())


async def _reached(
    memory: Memory, tenant: str, forgetting: Forgetting, state: ForgettingState = ForgettingState.DONE
) -> Forgetting:
    while (now := await memory.forgettings.forgetting(tenant, forgetting.forget_id)).state is not state:
        await asyncio.sleep(0.1)
    return now


async def _found_everywhere(
    settings: Settings, temporal: Client, memory: Memory, tenant: str, marker: str
) -> dict[str, int]:
    """Sent, updated, asked for and refused, until the text lies in all places where it can lie."""
    await _sent(memory, tenant, marker)
    await _sent(memory, tenant, marker, "delivered")
    for text in (f"# Title {marker}\n\nThe word is {marker}.\n", f"\0 binary, and {marker}"):
        await settled(memory, tenant, await accept_document(memory, tenant, NOTE, text))
    # Cards and answers are put into the cache when there is time for it.
    while "redis" not in (found := await places_of(marker, settings, temporal)):
        await memory.retrieval.search(tenant, marker)
        await asyncio.sleep(0.1)
    return found


async def test_after_the_receipt_no_place_holds_the_text(
    settings: Settings,
    temporal: Client,
    memory: Memory,
    tenant: str,
    marker: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with capture_logs() as logs:
        async with at_work(settings, temporal):
            before = await _found_everywhere(settings, temporal, memory, tenant, marker)
            for item in (_item(tenant), _item(tenant, "local_upload", NOTE)):
                asked = await _asked_to_forget(memory, tenant, item)
                receipt = await _reached(memory, tenant, asked)
                assert receipt.first_count
                assert receipt.second_count
                assert receipt.second_count.clean
        after = await places_of(marker, settings, temporal)

    assert set(before) == EVERYWHERE
    assert after == {}
    # The name of an item stays: that it is found shows that histories and logs can be searched at all.
    assert {"temporal", "item_head", "inbox_event"} <= set(await places_of(KEY, settings, temporal))
    lines = [*map(str, logs), *caplog.text.splitlines()]
    assert any(KEY in line for line in lines)
    assert not any(marker in line for line in lines)


async def test_no_vector_of_a_forgotten_item_is_left(
    settings: Settings, temporal: Client, memory: Memory, tenant: str, marker: str
) -> None:
    item = str(_item(tenant))
    async with at_work(settings, temporal):
        await _sent(memory, tenant, marker)
        before = await places_of(item, settings, temporal)
        await _reached(memory, tenant, await _asked_to_forget(memory, tenant, _item(tenant)))
        after = await places_of(item, settings, temporal)

    assert {"qdrant", "neo4j", "chunk"} <= set(before)
    assert set(after) & {*PLACES, "chunk", "mention", "claim", "sample"} <= {"temporal"}


async def test_the_receipt_says_what_was_counted_where_and_when(
    settings: Settings, temporal: Client, memory: Memory, tenant: str, marker: str
) -> None:
    async with at_work(settings, temporal):
        sent = await _sent(memory, tenant, marker)
        asked = await _asked_to_forget(memory, tenant, _item(tenant))
        receipt = await _reached(memory, tenant, asked)

    assert asked.state is ForgettingState.ERASING
    assert asked.seq == (sent.seq or 0) + 1
    assert receipt.first_count
    assert receipt.second_count
    places = {
        "postgres", "qdrant", "neo4j", "item_version", "inbox_event", "outbox", "staging", "redis"
    }  # fmt: skip
    assert receipt.first_count.held == receipt.second_count.held == dict.fromkeys(places, 0)
    waited = receipt.second_count.counted_at - receipt.first_count.counted_at
    assert waited.total_seconds() >= settings.zombie_window_s
    assert receipt.workflow_id == ids.forgetting_workflow_id(tenant, _item(tenant), asked.forget_id)


async def test_nobody_sees_the_item_from_the_request_on_whatever_is_down(
    settings: Settings, temporal: Client, memory: Memory, tenant: str, marker: str
) -> None:
    async with at_work(settings, temporal):
        await _sent(memory, tenant, marker)

    asked = await _asked_to_forget(memory, tenant, _item(tenant))

    answer = await memory.retrieval.search(tenant, marker, min_seq=asked.seq)
    assert (answer.hits, answer.facts) == ((), ())
    with pytest.raises(ItemNotFound):
        await memory.retrieval.item(tenant, _item(tenant))
    async with at_work(settings, temporal):
        await _reached(memory, tenant, asked)


async def test_another_tenants_identical_text_stays(
    settings: Settings, temporal: Client, memory: Memory, tenant: str, other_tenant: str, marker: str
) -> None:
    async with at_work(settings, temporal):
        for sender in (tenant, other_tenant):
            await _sent(memory, sender, marker)
        before = await places_of(str(_item(other_tenant)), settings, temporal)
        await _reached(memory, tenant, await _asked_to_forget(memory, tenant, _item(tenant)))
        after = await places_of(str(_item(other_tenant)), settings, temporal)
        answer = await memory.retrieval.search(other_tenant, marker)

    assert after == before
    assert [(hit.external_id, hit.version) for hit in answer.hits] == [(KEY, 1)]
    assert f"Acme {marker}" in {view.key for fact in answer.facts for view in (fact.object,) if view} | {
        name for hit in answer.hits for name in [view.name for view in hit.entities]
    }
    with pytest.raises(ItemNotFound):
        await _asked_to_forget(memory, other_tenant, _item(tenant))


async def test_what_is_sent_again_is_remembered_anew_above_the_tombstone(
    settings: Settings, temporal: Client, memory: Memory, tenant: str, marker: str
) -> None:
    async with at_work(settings, temporal):
        first = await _sent(memory, tenant, marker)
        asked = await _asked_to_forget(memory, tenant, _item(tenant))
        again = await _sent(memory, tenant, marker)
        await _reached(memory, tenant, asked)
        answer = await memory.retrieval.search(tenant, marker, min_seq=again.seq)

    assert (first.version, again.version, again.outcome) == (1, 3, Outcome.COMMITTED)
    assert [(hit.external_id, hit.version) for hit in answer.hits] == [(KEY, 3)]
    assert {fact.version for fact in answer.facts} == {3}


async def test_what_was_accepted_before_and_not_yet_written_does_not_bring_it_back(
    settings: Settings, temporal: Client, memory: Memory, tenant: str, marker: str
) -> None:
    async with at_work(settings, temporal):
        await _sent(memory, tenant, marker)
    waiting = await accept_record(memory, tenant, "turvo", _shipment(marker, "late"), label=KEY)

    asked = await _asked_to_forget(memory, tenant, _item(tenant))
    async with at_work(settings, temporal):
        ended = await settled(memory, tenant, waiting)
        await _reached(memory, tenant, asked)
        later = await accept_record(memory, tenant, "turvo", {"shipmentId": "SHIP-78"}, label="SHIP-78")
        await settled(memory, tenant, later)

    assert (ended.outcome, ended.version, ended.reason) == (Outcome.SUPERSEDED, 2, "forgotten")
    assert await places_of(marker, settings, temporal) == {}
    with pytest.raises(ItemNotFound):
        await memory.retrieval.item(tenant, _item(tenant))


async def test_a_name_of_which_nothing_was_ever_written_can_be_forgotten(
    settings: Settings, temporal: Client, memory: Memory, tenant: str, marker: str
) -> None:
    name, item = ItemName(source="local_upload", external_id=NOTE), _item(tenant, "local_upload", NOTE)
    async with at_work(settings, temporal):
        refused = await settled(
            memory, tenant, await accept_document(memory, tenant, NOTE, f"\0 binary, and {marker}")
        )
        found = await places_of(marker, settings, temporal)
        with pytest.raises(ItemNotFound):
            await _asked_to_forget(memory, tenant, item)
        asked = await memory.forgettings.request(tenant, item, forget_id=uuid4(), name=name)
        await _reached(memory, tenant, asked)

    assert refused.outcome is Outcome.QUARANTINED
    assert set(found) == {"staging"}
    assert await places_of(marker, settings, temporal) == {}


async def test_the_same_request_is_the_same_forgetting(
    settings: Settings, temporal: Client, memory: Memory, tenant: str, marker: str
) -> None:
    async with at_work(settings, temporal):
        await _sent(memory, tenant, marker)
        forget_id = uuid4()
        asked = [
            await memory.forgettings.request(tenant, _item(tenant), forget_id=forget_id) for _ in range(2)
        ]
        again = await _sent(memory, tenant, marker)
        asked.append(await memory.forgettings.request(tenant, _item(tenant), forget_id=forget_id))
        await _reached(memory, tenant, asked[0])
        item = await memory.retrieval.item(tenant, _item(tenant))

    assert {one.seq for one in asked} == {asked[0].seq}
    assert item.version == again.version


async def test_a_write_that_is_under_way_is_waited_for_and_leaves_nothing(
    settings: Settings, temporal: Client, memory: Memory, tenant: str, marker: str
) -> None:
    gates: list[Gate] = []

    def spoil(store: Store) -> Store:
        gates.append(Gate(store))
        return gates[-1]

    async with at_work(settings, temporal, spoil=only("qdrant", spoil)):
        event = await accept_record(memory, tenant, "turvo", _shipment(marker), label=KEY)
        await gates[0].reached.wait()
        asked = await _asked_to_forget(memory, tenant, _item(tenant))
        ended = await settled(memory, tenant, event)
        held_up = await memory.forgettings.forgetting(tenant, asked.forget_id)
        gates[0].open.set()
        await _reached(memory, tenant, asked)

    assert (ended.outcome, held_up.state) == (Outcome.SUPERSEDED, ForgettingState.ERASING)
    assert await places_of(marker, settings, temporal) == {}


async def test_what_a_zombie_writes_in_its_window_is_erased_and_the_wait_begins_anew(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str, marker: str
) -> None:
    settings = settings.model_copy(update={"zombie_window_s": 8.0})
    async with (
        open_embedder(settings, database) as embedder,
        open_stores(settings, database, embedder) as stores,
        at_work(settings, temporal),
    ):
        await _sent(memory, tenant, marker)
        asked = await _asked_to_forget(memory, tenant, _item(tenant))
        waiting = await _reached(memory, tenant, asked, ForgettingState.WAITING)
        bundle, ref = message(KEY, texts=(marker,)), VersionRef(item_id=_item(tenant), version=1)
        zombie = VersionedBundle(tenant, ref, bundle, embedder.id, await embedder.embed([marker]))
        for store in stores.participants():
            await store.prepare([zombie])
        receipt = await _reached(memory, tenant, asked)

    assert waiting.first_count
    assert receipt.first_count
    assert receipt.first_count.counted_at > waiting.first_count.counted_at
    assert await places_of(marker, settings, temporal) == {}


async def test_a_version_that_the_ledger_does_not_know_is_erased_too(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str, marker: str
) -> None:
    async with at_work(settings, temporal):
        await _sent(memory, tenant, marker)
        await _sent(memory, tenant, marker, "delivered")
        # As after a restore of PostgreSQL from a backup of before.
        async with database.connection() as connection:
            await connection.execute(
                "DELETE FROM item_version WHERE tenant_id = %s AND version = 1", (tenant,)
            )
        await _reached(memory, tenant, await _asked_to_forget(memory, tenant, _item(tenant)))

    left = await places_of(str(_item(tenant)), settings, temporal)
    assert set(left) & {"neo4j", "qdrant", "chunk", "mention", "claim", "redis"} == set()


async def test_without_redis_there_is_no_receipt(
    settings: Settings, temporal: Client, memory: Memory, tenant: str, marker: str
) -> None:
    async with at_work(settings, temporal):
        await _sent(memory, tenant, marker)
    asked = await _asked_to_forget(memory, tenant, _item(tenant))
    with capture_logs() as logs:
        async with at_work(settings.model_copy(update={"redis_url": "redis://127.0.0.1:9/0"}), temporal):
            while not any("redis" in line.get("reason", "") for line in logs):
                await asyncio.sleep(0.1)
            waiting = await memory.forgettings.forgetting(tenant, asked.forget_id)

    assert waiting.state is ForgettingState.ERASING
    async with at_work(settings, temporal):
        await _reached(memory, tenant, asked)
