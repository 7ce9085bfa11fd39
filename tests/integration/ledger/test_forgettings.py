"""Requests to forget against deliveries that are on their way, on a real PostgreSQL."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from tests.contracts.ledger_contract import commit_all

from apex_memory.database import Database
from apex_memory.domain import ids
from apex_memory.domain.bundles import Manifest, VersionRef
from apex_memory.domain.errors import BatchStillOpen, ItemNotFound
from apex_memory.domain.forgetting import Census, Forgetting, ForgettingState, ItemName
from apex_memory.domain.ledger import AllocationRequest, CommitState, InboxEvent, Outcome, VersionManifests
from apex_memory.pipeline.intake.inbox import PostgresInbox
from apex_memory.pipeline.ledger.forgettings import PostgresForgettings
from apex_memory.pipeline.ledger.ledger import PostgresLedger

pytestmark = pytest.mark.integration

KEY = "TRUCK-1"


@pytest.fixture
def ledger(database: Database) -> PostgresLedger:
    return PostgresLedger(database)


@pytest.fixture
def inbox(database: Database) -> PostgresInbox:
    return PostgresInbox(database)


@pytest.fixture
def forgettings(database: Database) -> PostgresForgettings:
    return PostgresForgettings(database)


def _item(tenant: str) -> UUID:
    return ids.item_id(tenant, "samsara", KEY)


def _request(tenant: str, event: UUID, *, content: str = "a", round_: int = 0) -> AllocationRequest:
    return AllocationRequest(
        request_id=f"{event}:{round_}",
        event_id=event,
        item_id=_item(tenant),
        source="samsara",
        external_id=KEY,
        kind="record",
        title="a title",
        content_hash=content,
        as_of=datetime(2026, 3, 1, tzinfo=UTC),
    )


async def _accepted(inbox: PostgresInbox, tenant: str, label: str = KEY) -> UUID:
    event = uuid4()
    await inbox.accept(
        InboxEvent(
            event_id=event,
            tenant_id=tenant,
            source="samsara",
            kind="record",
            dedupe_key=str(event),
            label=label,
            body=b"the text",
            received_at=datetime.now(UTC),
        )
    )
    return event


async def _claimed(inbox: PostgresInbox) -> UUID:
    batch = await inbox.claim(batch_size=10, in_flight=8)
    assert batch
    await inbox.started(batch, workflow_id=f"w:{batch.batch_id}")
    return batch.batch_id


async def _written(inbox: PostgresInbox, ledger: PostgresLedger, tenant: str) -> UUID:
    """An event that has become version 1; its batch is over."""
    event = await _accepted(inbox, tenant)
    batch = await _claimed(inbox)
    await ledger.allocate(tenant, batch, [_request(tenant, event)])
    await commit_all(ledger, tenant, batch)
    await inbox.close(tenant, batch)
    return event


async def _asked(forgettings: PostgresForgettings, tenant: str) -> Forgetting:
    return await forgettings.request(tenant, _item(tenant), forget_id=uuid4())


async def test_what_was_staged_before_the_request_gets_no_version_after_it(
    inbox: PostgresInbox, ledger: PostgresLedger, forgettings: PostgresForgettings, tenant: str
) -> None:
    await _written(inbox, ledger, tenant)
    staged = await _accepted(inbox, tenant)
    batch = await _claimed(inbox)

    asked = await _asked(forgettings, tenant)
    allocated = await ledger.allocate(tenant, batch, [_request(tenant, staged, content="b")])

    ended = await inbox.ingestion(tenant, staged)
    assert allocated == []
    assert (ended.outcome, ended.reason, ended.item_id) == (Outcome.SUPERSEDED, "forgotten", asked.item_id)
    assert await ledger.preparing(tenant, batch) == {}


async def test_what_is_received_after_the_request_gets_a_version_above_the_tombstone(
    inbox: PostgresInbox, ledger: PostgresLedger, forgettings: PostgresForgettings, tenant: str
) -> None:
    await _written(inbox, ledger, tenant)
    await _asked(forgettings, tenant)
    event = await _accepted(inbox, tenant)
    batch = await _claimed(inbox)

    [allocation] = await ledger.allocate(tenant, batch, [_request(tenant, event)])
    [result] = await commit_all(ledger, tenant, batch)

    assert (allocation.unchanged, allocation.ref.version) == (False, 3)
    assert result.state is CommitState.COMMITTED


async def test_what_was_allocated_before_the_request_can_never_commit_under_whatever_label(
    inbox: PostgresInbox, ledger: PostgresLedger, forgettings: PostgresForgettings, tenant: str
) -> None:
    await _written(inbox, ledger, tenant)
    event = await _accepted(inbox, tenant, label="a feed's own name for it")
    batch = await _claimed(inbox)
    await ledger.allocate(tenant, batch, [_request(tenant, event, content="b")])

    await _asked(forgettings, tenant)
    [result] = await commit_all(ledger, tenant, batch)

    assert result.state is CommitState.SUPERSEDED
    assert (await inbox.ingestion(tenant, event)).outcome is Outcome.SUPERSEDED


async def test_what_no_relay_has_taken_is_taken_by_none(
    inbox: PostgresInbox, ledger: PostgresLedger, forgettings: PostgresForgettings, tenant: str
) -> None:
    await _written(inbox, ledger, tenant)
    await _accepted(inbox, tenant)
    other = await _accepted(inbox, tenant, label="TRUCK-2")

    await _asked(forgettings, tenant)
    batch = await _claimed(inbox)

    assert [event.event_id for event in await inbox.events(tenant, batch)] == [other]
    assert await inbox.claim(batch_size=10, in_flight=8) is None


async def test_nothing_is_erased_under_a_batch_that_is_still_open(
    inbox: PostgresInbox, ledger: PostgresLedger, forgettings: PostgresForgettings, tenant: str
) -> None:
    first = await _written(inbox, ledger, tenant)
    event = await _accepted(inbox, tenant)
    batch = await _claimed(inbox)
    asked = await _asked(forgettings, tenant)

    with pytest.raises(BatchStillOpen):
        await forgettings.deliveries(tenant, asked.forget_id)
    await inbox.close(tenant, batch)

    found = await forgettings.deliveries(tenant, asked.forget_id)
    assert {one.event_id for one in found} == {first, event}
    assert batch in {one.batch_id for one in found}


async def test_erasing_empties_what_is_left_and_leaves_what_was_sent_again(
    inbox: PostgresInbox,
    ledger: PostgresLedger,
    forgettings: PostgresForgettings,
    database: Database,
    tenant: str,
) -> None:
    first = await _written(inbox, ledger, tenant)
    asked = await _asked(forgettings, tenant)
    again = await _written(inbox, ledger, tenant)
    before = await forgettings.left(tenant, asked.forget_id)

    await forgettings.erase(tenant, asked.forget_id)

    assert before == {"item_version": 1, "inbox_event": 1, "outbox": 1}
    assert await forgettings.left(tenant, asked.forget_id) == dict.fromkeys(before, 0)
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT event_id, body FROM inbox_event WHERE tenant_id = %s", (tenant,)
        )
        bodies = {row["event_id"]: bytes(row["body"]) async for row in cursor}
        cursor = await connection.execute(
            "SELECT version, title FROM item_version WHERE tenant_id = %s", (tenant,)
        )
        titles = {row["version"]: row["title"] async for row in cursor}
    assert bodies == {first: b"", again: b"the text"}
    assert titles == {1: "", 2: "", 3: "a title"}
    # A workflow that is run again from its beginning must not bring the text of before back.
    assert (await inbox.ingestion(tenant, first)).outcome is Outcome.COMMITTED


async def test_condemned_is_what_lies_under_the_tombstone_known_or_not(
    inbox: PostgresInbox, ledger: PostgresLedger, forgettings: PostgresForgettings, tenant: str
) -> None:
    await _written(inbox, ledger, tenant)
    asked = await _asked(forgettings, tenant)
    await _written(inbox, ledger, tenant)

    condemned = await forgettings.condemned(tenant, asked.forget_id)

    item = [VersionRef(item_id=_item(tenant), version=n) for n in range(5)]
    other = VersionRef(item_id=uuid4(), version=1)
    assert condemned.buried == (item[2],)
    assert sorted(ref.version for ref in condemned.known) == [1, 2]
    assert list(condemned.among([*item, other])) == item[:3]


async def test_a_request_leaves_alone_what_only_a_later_one_buried(
    inbox: PostgresInbox, ledger: PostgresLedger, forgettings: PostgresForgettings, tenant: str
) -> None:
    await _written(inbox, ledger, tenant)
    asked = await _asked(forgettings, tenant)
    event = await _accepted(inbox, tenant)
    batch = await _claimed(inbox)
    [under_way] = await ledger.allocate(tenant, batch, [_request(tenant, event, content="b")])
    expected = VersionManifests(ref=under_way.ref, manifests={"qdrant": Manifest.of([uuid4()])})
    await ledger.expect(tenant, [expected])

    later = await _asked(forgettings, tenant)
    await forgettings.deliveries(tenant, asked.forget_id)
    await forgettings.erase(tenant, asked.forget_id)

    assert await ledger.manifests(tenant, batch) == [expected]
    with pytest.raises(BatchStillOpen):
        await forgettings.deliveries(tenant, later.forget_id)
    await forgettings.erase(tenant, later.forget_id)
    assert await ledger.manifests(tenant, batch) == [expected]


async def test_only_a_name_can_bury_what_has_no_version(
    inbox: PostgresInbox, forgettings: PostgresForgettings, tenant: str, other_tenant: str
) -> None:
    event = await _accepted(inbox, tenant)
    name = ItemName(source="samsara", external_id=KEY)

    with pytest.raises(ItemNotFound):
        await _asked(forgettings, tenant)
    with pytest.raises(ItemNotFound):
        await forgettings.request(other_tenant, _item(other_tenant), forget_id=uuid4(), name=name)
    asked = await forgettings.request(tenant, _item(tenant), forget_id=uuid4(), name=name)

    assert (asked.seq, asked.state) == (1, ForgettingState.ERASING)
    assert (await inbox.ingestion(tenant, event)).outcome is Outcome.SUPERSEDED


async def test_a_request_is_handed_over_until_somebody_has_started_it(
    inbox: PostgresInbox, ledger: PostgresLedger, forgettings: PostgresForgettings, tenant: str
) -> None:
    await _written(inbox, ledger, tenant)
    asked = await _asked(forgettings, tenant)
    seen: list[tuple[str, UUID]] = []

    async def start(of: str, forgetting: Forgetting) -> str:
        seen.append((of, forgetting.forget_id))
        if len(seen) == 1:
            raise BatchStillOpen(1, 0)
        return "forget:1"

    with pytest.raises(BatchStillOpen):
        await forgettings.hand_over(start)
    started, more = await forgettings.hand_over(start), await forgettings.hand_over(start)

    assert (started, more) == (True, False)
    assert seen == [(tenant, asked.forget_id)] * 2
    assert (await forgettings.forgetting(tenant, asked.forget_id)).workflow_id == "forget:1"


async def test_a_receipt_wants_both_counts_and_stays_as_it_is(
    inbox: PostgresInbox, ledger: PostgresLedger, forgettings: PostgresForgettings, tenant: str
) -> None:
    await _written(inbox, ledger, tenant)
    forget_id = (await _asked(forgettings, tenant)).forget_id
    times = (datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (1, 2))
    first, later = (Census(counted_at=time, held={"qdrant": 0}) for time in times)

    await forgettings.counted(tenant, forget_id, later, last=True)
    without_first = await forgettings.forgetting(tenant, forget_id)
    await forgettings.counted(tenant, forget_id, first, last=False)
    waiting = await forgettings.forgetting(tenant, forget_id)
    await forgettings.counted(tenant, forget_id, later, last=True)
    done = await forgettings.forgetting(tenant, forget_id)
    await forgettings.counted(tenant, forget_id, later, last=False)

    assert without_first.state is ForgettingState.ERASING
    assert (waiting.state, waiting.first_count) == (ForgettingState.WAITING, first)
    assert (done.state, done.first_count, done.second_count) == (ForgettingState.DONE, first, later)
    assert await forgettings.forgetting(tenant, forget_id) == done


async def test_a_lost_answer_to_an_unchanged_allocation_is_given_again(
    inbox: PostgresInbox, ledger: PostgresLedger, tenant: str
) -> None:
    await _written(inbox, ledger, tenant)
    event = await _accepted(inbox, tenant)
    batch = await _claimed(inbox)
    first = await ledger.allocate(tenant, batch, [_request(tenant, event)])
    other = uuid4()
    await ledger.allocate(tenant, other, [_request(tenant, uuid4(), content="b")])
    await commit_all(ledger, tenant, other)

    again = await ledger.allocate(tenant, batch, [_request(tenant, event)])

    assert first == again
    assert [a.unchanged for a in first] == [True]
