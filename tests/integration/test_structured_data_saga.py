"""Records on the real stack: rollback, idempotency, concurrent writers; each test says what it proves."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.client import Client, WorkflowFailureError
from tests.integration.raw import cache, graph, points, tables
from tests.integration.spoilt import Forgetful, Gate, Refusing, Stuck, Undeletable, only
from tests.integration.workflows.product import accept_record, at_rest, at_work, settled

from apex_memory.bootstrap.clients import open_embedder
from apex_memory.bootstrap.memory import Memory
from apex_memory.database import Database
from apex_memory.domain import ids
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.ledger import InboxEvent, Ingestion, Outcome
from apex_memory.pipeline.stores.registry import open_stores
from apex_memory.ports import Store
from apex_memory.settings import Settings
from apex_memory.testing import Fault, Misbehaving, scripted

pytestmark = pytest.mark.integration

KEY = "SHIP-77"
CONTENT = ("chunk", "mention", "claim", "sample", "entity")


def shipment(status: str, *, key: str = KEY, at: str | None = None) -> dict[str, Any]:
    record = {"shipmentId": key, "customerName": "Acme", "status": status}
    return record if at is None else {**record, "updatedAt": f"2026-03-01T{at}Z"}


def item_of(tenant: str, key: str = KEY) -> UUID:
    return ids.item_id(tenant, "turvo", key)


def one_by_one(settings: Settings) -> Settings:
    """A workflow an event, many at a time: writers that meet, instead of one batch."""
    return settings.model_copy(update={"relay_batch_size": 1, "relay_in_flight": 32})


async def sent(memory: Memory, tenant: str, *records: Mapping[str, Any]) -> list[UUID]:
    return [await accept_record(memory, tenant, "turvo", r, label=r["shipmentId"]) for r in records]


async def ended(memory: Memory, tenant: str, events: Sequence[UUID]) -> list[Ingestion]:
    async def end(event: UUID) -> Ingestion:
        while (one := await settled(memory, tenant, event)).state != "done":
            pass
        return one

    return list(await asyncio.gather(*map(end, events)))


async def content_of(settings: Settings, tenant: str) -> dict[str, list[bytes]]:
    """Every byte of content that any store holds of the tenant, sorted."""
    dumped = {table: pieces for table, pieces in (await tables(settings)).items() if table in CONTENT}
    dumped |= {"neo4j": await graph(settings), "qdrant": await points(settings)}
    return {place: sorted(p for p in pieces if tenant.encode() in p) for place, pieces in dumped.items()}


async def versions_in(settings: Settings, database: Database, tenant: str) -> dict[str, list[int]]:
    """The versions of the item that each store holds."""
    async with (
        open_embedder(settings, database) as embedder,
        open_stores(settings, database, embedder) as stores,
    ):
        return {
            store.name: sorted(ref.version for ref in await store.versions_of(tenant, [item_of(tenant)]))
            for store in stores.participants()
        }


async def rows(database: Database, tenant: str) -> list[dict[str, Any]]:
    """What the ledger says of the item's versions, in their order."""
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT version, state, tombstone, commit_seq, superseded_seq, cleanup_pending FROM item_version "
            "WHERE tenant_id = %s AND item_id = %s ORDER BY version",
            (tenant, item_of(tenant)),
        )
        return await cursor.fetchall()


async def statuses(memory: Memory, tenant: str, *, seq: int | None = None) -> set[str | None]:
    """What readers are told of the item's status."""
    answer = await memory.retrieval.search(tenant, KEY, min_seq=seq)
    return {fact.value for fact in answer.facts if fact.predicate == "has_status"}


async def test_a_store_that_refuses_leaves_every_store_as_it_was(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    """Rollback: an update that one of three stores refuses changes no byte in any of them."""
    async with at_work(settings, temporal):
        [first] = await ended(memory, tenant, await sent(memory, tenant, shipment("in_transit")))
    before = await content_of(settings, tenant)

    async with at_work(settings, temporal, spoil=only("neo4j", Refusing)):
        [refused] = await ended(memory, tenant, await sent(memory, tenant, shipment("delivered")))
        await at_rest(database)

    assert (first.outcome, refused.outcome) == (Outcome.COMMITTED, Outcome.ABORTED)
    assert all(before[place] for place in ("chunk", "claim", "neo4j", "qdrant"))
    assert await content_of(settings, tenant) == before
    assert await statuses(memory, tenant) == {"in_transit"}


async def test_a_new_record_that_is_refused_leaves_nothing_at_all(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    """Rollback: of a first write that fails nothing stays behind, not even an entity or a cached card."""
    async with at_work(settings, temporal, spoil=only("qdrant", Refusing)):
        [refused] = await ended(memory, tenant, await sent(memory, tenant, shipment("in_transit")))
        await at_rest(database)

    assert refused.outcome is Outcome.ABORTED
    assert not any((await content_of(settings, tenant)).values())
    assert [piece for piece in await cache(settings) if f"t:{tenant}:item".encode() in piece] == []


async def test_a_cancel_while_it_is_taken_back_ends_clean(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    """Rollback: an operator who cancels in the middle of the undo does not stop the undo."""
    clinging: list[Undeletable] = []

    def cling(store: Store) -> Store:
        clinging.append(Undeletable(store))
        return clinging[-1]

    async with at_work(settings, temporal, spoil=only("qdrant", Refusing), spoil_undo=only("neo4j", cling)):
        [event] = await sent(memory, tenant, shipment("in_transit"))
        await clinging[0].reached.wait()
        ingestion = await memory.inbox.ingestion(tenant, event)
        handle = temporal.get_workflow_handle(ingestion.workflow_id or "")
        await handle.cancel()
        clinging[0].open.set()
        with pytest.raises(WorkflowFailureError):
            await handle.result()

    assert set(map(tuple, (await versions_in(settings, database, tenant)).values())) == {()}
    assert [(r["state"], r["cleanup_pending"]) for r in await rows(database, tenant)] == [("aborted", False)]


async def test_a_cancel_of_a_batch_takes_all_of_it_back(
    settings: Settings, temporal: Client, memory: Memory, tenant: str
) -> None:
    """Rollback: cancelled while it writes, a batch of three leaves none of its three items anywhere."""
    gates: list[Gate] = []

    def spoil(store: Store) -> Store:
        gates.append(Gate(store))
        return gates[-1]

    events = await sent(memory, tenant, *(shipment("in_transit", key=f"SHIP-{n}") for n in range(3)))
    async with at_work(settings, temporal, spoil=only("neo4j", spoil)):
        await gates[0].reached.wait()
        ingestion = await memory.inbox.ingestion(tenant, events[0])
        handle = temporal.get_workflow_handle(ingestion.workflow_id or "")
        await handle.cancel()
        # The gate stays shut: a small batch hears a cancel only when its workflow task ends.
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        outcomes = await ended(memory, tenant, events)

    assert {one.outcome for one in outcomes} == {Outcome.ABORTED}
    assert not any((await content_of(settings, tenant)).values())
    assert await memory.ledger.snapshot(tenant) == 0


async def test_one_poisoned_record_does_not_take_its_batch_along(
    settings: Settings, temporal: Client, memory: Memory, tenant: str
) -> None:
    """Rollback: a record that cannot be mapped is quarantined, and the others of its batch commit at once."""
    good = await sent(memory, tenant, *(shipment("in_transit", key=f"SHIP-{n}") for n in range(3)))
    poison = await accept_record(memory, tenant, "turvo", b'["no", "object"]', label="poison")
    async with at_work(settings, temporal):
        outcomes = await ended(memory, tenant, [*good, poison])

    assert [one.outcome for one in outcomes] == [Outcome.COMMITTED] * 3 + [Outcome.QUARANTINED]
    assert {one.seq for one in outcomes[:3]} == {1}
    assert len({one.workflow_id for one in outcomes}) == 1


async def test_a_delivery_that_is_repeated_ten_times_is_one_version(
    settings: Settings, temporal: Client, memory: Memory, tenant: str
) -> None:
    """Idempotency: the same delivery, sent ten times at once, is accepted once and written once."""

    def delivery() -> InboxEvent:
        return InboxEvent(
            event_id=uuid4(),
            tenant_id=tenant,
            source="turvo",
            kind="record",
            dedupe_key="the same",
            label=KEY,
            body=json.dumps(shipment("in_transit")).encode(),
            received_at=datetime.now(UTC),
        )

    accepted = await asyncio.gather(*(memory.inbox.accept(delivery()) for _ in range(10)))
    async with at_work(settings, temporal):
        [only_one] = await ended(memory, tenant, list({one.event_id for one in accepted}))

    assert Counter(one.duplicate for one in accepted) == {False: 1, True: 9}
    assert (only_one.outcome, only_one.version) == (Outcome.COMMITTED, 1)
    assert await memory.ledger.snapshot(tenant) == 1


async def test_the_same_content_under_other_keys_makes_no_version(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    """Idempotency: what says nothing new ends as unchanged, names the version that says it, writes none."""
    async with at_work(settings, temporal):
        first = await ended(memory, tenant, await sent(memory, tenant, shipment("in_transit")))
        before = await content_of(settings, tenant)
        again = await ended(memory, tenant, await sent(memory, tenant, *[shipment("in_transit")] * 9))

    assert {(one.outcome, one.version, one.seq) for one in again} == {(Outcome.UNCHANGED, 1, first[0].seq)}
    assert await content_of(settings, tenant) == before
    assert [r["version"] for r in await rows(database, tenant)] == [1]


async def test_a_lost_acknowledgement_of_the_commit_commits_once(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    """Idempotency: a commit whose answer is lost three times is found committed, and is never taken back."""

    def forgetful(ledger: Any) -> Any:
        return Forgetful(ledger, times=3)

    async with at_work(settings, temporal, spoil_ledger=forgetful):
        [one] = await ended(memory, tenant, await sent(memory, tenant, shipment("in_transit")))

    assert (one.outcome, one.version, one.seq) == (Outcome.COMMITTED, 1, 1)
    assert await memory.ledger.snapshot(tenant) == 1
    assert set(map(tuple, (await versions_in(settings, database, tenant)).values())) == {(1,)}


async def test_writes_that_were_applied_and_timed_out_are_written_once(
    settings: Settings, temporal: Client, memory: Memory, tenant: str, other_tenant: str
) -> None:
    """Idempotency: stores that lose answers, or do half a write, end with what an undisturbed one leaves."""

    def spoil(store: Store) -> Store:
        return Misbehaving(store, scripted("prepare", Fault.AFTER, Fault.PARTLY, Fault.AFTER, Fault.BEFORE))

    record = shipment("in_transit", at="09:00:00")
    async with at_work(settings, temporal, spoil=spoil):
        [disturbed] = await ended(memory, tenant, await sent(memory, tenant, record))
    async with at_work(settings, temporal):
        await ended(memory, other_tenant, await sent(memory, other_tenant, record))

    assert (disturbed.outcome, disturbed.version) == (Outcome.COMMITTED, 1)
    counted = [
        {place: len(pieces) for place, pieces in (await content_of(settings, one)).items()}
        for one in (tenant, other_tenant)
    ]
    assert counted[0] == counted[1]


async def test_workers_that_end_between_preparing_and_committing_commit_once(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    """Idempotency: what one set of workers prepared, another set commits, once and as the same version."""
    settings = settings.model_copy(update={"graceful_shutdown_s": 0.0})
    stuck: list[Stuck] = []

    def spoil(ledger: Any) -> Any:
        stuck.append(Stuck(ledger))
        return stuck[-1]

    async with at_work(settings, temporal, spoil_ledger=spoil):
        events = await sent(memory, tenant, shipment("in_transit"))
        await stuck[0].reached.wait()
    invisible = await memory.retrieval.search(tenant, KEY)
    async with at_work(settings, temporal):
        [one] = await ended(memory, tenant, events)

    assert invisible.hits == ()
    assert (one.outcome, one.version, one.seq) == (Outcome.COMMITTED, 1, 1)
    assert [(r["version"], r["state"]) for r in await rows(database, tenant)] == [(1, "committed")]


async def test_of_32_writers_of_one_record_each_is_settled_once_and_one_is_seen(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    """Concurrency: 32 workflows that write one item commit in the order of versions, and leave one head."""
    async with at_work(one_by_one(settings), temporal):
        events = await sent(memory, tenant, *(shipment(f"status {n}", at="09:00:00") for n in range(32)))
        outcomes = await ended(memory, tenant, events)

    ledger = await rows(database, tenant)
    committed = [r for r in ledger if r["state"] == "committed"]
    assert [one.outcome for one in outcomes] == [Outcome.COMMITTED] * 32
    assert len({one.version for one in outcomes}) == len(committed) == 32
    assert [r["commit_seq"] for r in committed] == sorted({r["commit_seq"] for r in committed})
    assert [r["superseded_seq"] for r in committed] == [*(r["commit_seq"] for r in committed[1:]), None]
    assert {r["state"] for r in ledger} <= {"committed", "aborted"}
    assert len(await statuses(memory, tenant)) == 1


async def test_late_records_among_concurrent_ones_never_hide_the_newest(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    """Concurrency: of updates that arrive in any order, the one that speaks of the latest time is seen."""
    times = [f"{hour:02}:00:00" for hour in (12, 3, 23, 7, 1, 18, 9, 15, 4, 21, 6, 11)]
    async with at_work(one_by_one(settings), temporal):
        events = await sent(memory, tenant, *(shipment(f"at {at}", at=at) for at in times))
        outcomes = await ended(memory, tenant, events)

    assert {one.outcome for one in outcomes} == {Outcome.COMMITTED}
    assert await statuses(memory, tenant) == {"at 23:00:00"}
    seen = [r for r in await rows(database, tenant) if r["commit_seq"] and r["superseded_seq"] is None]
    assert len(seen) == 1


async def test_updates_and_deletions_at_once_leave_one_order_of_events(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str
) -> None:
    """Concurrency: nothing allocated before a deletion is seen after it, and every event has one end."""
    settings = one_by_one(settings).model_copy(update={"zombie_window_s": 0.5})
    async with at_work(settings, temporal):
        events = await sent(memory, tenant, shipment("status 0"))
        await ended(memory, tenant, events)
        for n in range(1, 4):
            written = await sent(memory, tenant, *(shipment(f"status {n}.{m}") for m in range(6)))
            events += written
            await settled(memory, tenant, written[0])
            await memory.forgettings.request(tenant, item_of(tenant), forget_id=uuid4())
        outcomes = await ended(memory, tenant, events)
        # A deletion ends events whose batch is still at them.
        await at_rest(database)

    ledger = await rows(database, tenant)
    last = max(r["version"] for r in ledger if r["tombstone"])
    decided = [r["commit_seq"] for r in ledger if r["state"] == "committed"]
    assert {one.outcome for one in outcomes} <= {Outcome.COMMITTED, Outcome.SUPERSEDED}
    assert decided == sorted(set(decided))
    assert "preparing" not in {r["state"] for r in ledger}
    seen = [r for r in ledger if not r["tombstone"] and r["commit_seq"] and r["superseded_seq"] is None]
    assert [r["version"] for r in seen if r["version"] <= last] == []
    assert len(seen) <= 1
    if not seen:
        with pytest.raises(ItemNotFound):
            await memory.retrieval.item(tenant, item_of(tenant))


async def test_a_reader_beside_a_writer_never_sees_half_of_an_update(
    settings: Settings, temporal: Client, memory: Memory, tenant: str
) -> None:
    """Concurrency: while ten updates commit, every answer is of one version, in text and facts alike."""
    torn: list[tuple[set[int], set[int]]] = []
    looks = 0
    async with at_work(one_by_one(settings), temporal):
        await ended(memory, tenant, await sent(memory, tenant, shipment("status 0", at="08:00:00")))
        updates = [shipment(f"status {n}", at=f"09:{n:02}:00") for n in range(10)]
        writing = asyncio.create_task(ended(memory, tenant, await sent(memory, tenant, *updates)))
        while not writing.done():
            answer = await memory.retrieval.search(tenant, KEY)
            shown = {hit.version for hit in answer.hits}, {fact.version for fact in answer.facts}
            looks += 1
            if shown[0] != shown[1] or len(shown[0]) != 1:
                torn.append(shown)
        await writing

    assert looks
    assert torn == []
    assert await statuses(memory, tenant) == {"status 9"}


async def test_two_tenants_with_the_same_record_know_nothing_of_each_other(
    settings: Settings, temporal: Client, database: Database, memory: Memory, tenant: str, other_tenant: str
) -> None:
    """Concurrency: two tenants that write one external id at once keep their own versions and texts."""
    async with at_work(one_by_one(settings), temporal):
        mine = await sent(memory, tenant, *(shipment(f"mine {n}") for n in range(4)))
        theirs = await sent(memory, other_tenant, *(shipment(f"theirs {n}") for n in range(4)))
        outcomes = [*await ended(memory, tenant, mine), *await ended(memory, other_tenant, theirs)]

    assert {one.outcome for one in outcomes} == {Outcome.COMMITTED}
    for who, said in ((tenant, "mine"), (other_tenant, "theirs")):
        [status] = await statuses(memory, who)
        assert (status or "").startswith(said)
        assert sum(r["state"] == "committed" for r in await rows(database, who)) == 4
    pieces = [p for places in (await content_of(settings, tenant)).values() for p in places]
    assert pieces
    assert not any(b"theirs" in piece for piece in pieces)
