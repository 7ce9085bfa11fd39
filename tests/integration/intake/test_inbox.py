"""The inbox's promises, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest

from apex_memory.database import Database, open_database, open_listener
from apex_memory.domain.bundles import ItemKind
from apex_memory.domain.errors import ItemNotFound, StoreUnavailable
from apex_memory.domain.ledger import Accepted, Batch, Conclusion, InboxEvent, Outcome
from apex_memory.pipeline.intake.inbox import PostgresInbox
from apex_memory.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
async def inbox(settings: Settings, database: Database) -> AsyncGenerator[PostgresInbox, None]:
    async with open_listener(settings.postgres_url, "apex_done") as done:
        yield PostgresInbox(database, done=done)


def _event(
    tenant: str, *, key: str | None = None, kind: ItemKind = "record", source: str = "samsara"
) -> InboxEvent:
    event_id = uuid4()
    return InboxEvent(
        event_id=event_id,
        tenant_id=tenant,
        source=source,
        kind=kind,
        dedupe_key=key or str(event_id),
        label="TRUCK-1",
        body=b'{"vehicle_id": "TRUCK-1"}',
        received_at=datetime.now(UTC),
    )


async def _claims_of(
    inbox: PostgresInbox, tenant: str, *, batch_size: int = 100, in_flight: int = 4
) -> list[Batch]:
    """Everything that can be claimed of this tenant now; other tests' lanes are claimed too and let go."""
    mine: list[Batch] = []
    while (batch := await inbox.claim(batch_size=batch_size, in_flight=in_flight)) is not None:
        if batch.tenant_id == tenant:
            mine.append(batch)
        await inbox.started(batch, workflow_id=f"w-{batch.batch_id}")
    return mine


async def test_the_same_delivery_is_kept_once_and_the_second_sender_learns_of_the_first(
    inbox: PostgresInbox, tenant: str
) -> None:
    first = await inbox.accept(_event(tenant, key="delivery-1"))
    second = await inbox.accept(_event(tenant, key="delivery-1"))

    assert not first.duplicate
    assert second.duplicate
    assert second.event_id == first.event_id


async def test_two_tenants_may_use_the_same_delivery_key(
    inbox: PostgresInbox, tenant: str, other_tenant: str
) -> None:
    ours = await inbox.accept(_event(tenant, key="delivery-1"))
    theirs = await inbox.accept(_event(other_tenant, key="delivery-1"))

    assert not theirs.duplicate
    with pytest.raises(ItemNotFound):
        await inbox.ingestion(other_tenant, ours.event_id)


async def test_deliveries_that_come_at_once_are_each_kept_once(
    inbox: PostgresInbox, database: Database, tenant: str, other_tenant: str
) -> None:
    tenants = [tenant, other_tenant]
    events = [_event(t, key=f"delivery-{n}") for t in tenants for n in range(40) for _ in range(3)]

    accepted = await asyncio.gather(*(inbox.accept(event) for event in events))

    of_key = {(e.tenant_id, e.dedupe_key): set[UUID]() for e in events}
    for event, answer in zip(events, accepted, strict=True):
        of_key[event.tenant_id, event.dedupe_key].add(answer.event_id)
    assert len(of_key) == 80
    assert all(len(ids) == 1 for ids in of_key.values())
    assert len({answer.event_id for answer in accepted}) == 80
    assert sum(not answer.duplicate for answer in accepted) == 80
    async with database.connection() as connection:
        counted = await connection.execute(
            "SELECT DISTINCT deliveries FROM inbox_event WHERE tenant_id = ANY(%s)", (tenants,)
        )
        assert await counted.fetchall() == [{"deliveries": 3}]


async def test_one_that_cannot_be_kept_is_refused_alone(inbox: PostgresInbox, tenant: str) -> None:
    bad = _event(tenant).model_copy(update={"label": "a\0b"})

    first, refused, last = await asyncio.gather(
        *(inbox.accept(event) for event in (_event(tenant), bad, _event(tenant))), return_exceptions=True
    )

    assert isinstance(refused, psycopg.DataError)
    assert isinstance(first, Accepted)
    assert isinstance(last, Accepted)
    assert (await inbox.ingestion(tenant, last.event_id)).state == "received"


async def test_a_sender_that_has_gone_keeps_nobody_waiting(inbox: PostgresInbox, tenant: str) -> None:
    gone = asyncio.create_task(inbox.accept(_event(tenant)))
    beside = asyncio.create_task(inbox.accept(_event(tenant)))
    await asyncio.sleep(0)

    gone.cancel()

    assert not (await beside).duplicate


async def test_while_postgres_is_away_every_sender_is_told_so(tenant: str) -> None:
    nowhere = "postgresql://apex:apex@127.0.0.1:1/apex"
    async with open_database(nowhere, acquire_timeout_s=0.2) as database:
        inbox = PostgresInbox(database)

        told = await asyncio.gather(
            *(inbox.accept(_event(tenant)) for _ in range(200)), return_exceptions=True
        )

    assert {type(each) for each in told} == {StoreUnavailable}
    assert len({id(each) for each in told}) == 200


async def test_waiting_records_of_a_lane_are_claimed_as_one_batch_and_only_once(
    inbox: PostgresInbox, tenant: str
) -> None:
    for _ in range(3):
        await inbox.accept(_event(tenant))

    claims = await asyncio.gather(*(_claims_of(inbox, tenant) for _ in range(4)))

    batches = [batch for claim in claims for batch in claim]
    assert sum(batch.size for batch in batches) == 3
    assert len({batch.batch_id for batch in batches}) == len(batches)


async def test_a_document_is_a_batch_of_its_own(inbox: PostgresInbox, tenant: str) -> None:
    for _ in range(2):
        await inbox.accept(_event(tenant, kind="document", source="local_upload"))

    batches = await _claims_of(inbox, tenant)

    assert [batch.size for batch in batches] == [1, 1]


async def test_a_lane_has_no_more_open_batches_than_may_be_in_flight(
    inbox: PostgresInbox, tenant: str
) -> None:
    for _ in range(3):
        await inbox.accept(_event(tenant))

    claimed = await _claims_of(inbox, tenant, batch_size=1, in_flight=2)
    await inbox.close(tenant, claimed[0].batch_id)
    after_one_closed = await _claims_of(inbox, tenant, batch_size=1, in_flight=2)

    assert len(claimed) == 2
    assert len(after_one_closed) == 1


async def test_an_event_wakes_who_waits_for_events(
    inbox: PostgresInbox, settings: Settings, tenant: str
) -> None:
    async with open_listener(settings.postgres_url, "apex_inbox") as arrivals:
        with arrivals.waiting_for("") as wakened:
            await wakened.wait()  # it listens now
            wakened.clear()
            await inbox.accept(_event(tenant))
            # Longer than anything but a lost notification; relays look again after a second.
            async with asyncio.timeout(30):
                await wakened.wait()


async def test_no_more_batches_are_begun_at_once_than_may_be(inbox: PostgresInbox, tenant: str) -> None:
    for source in ("samsara", "turvo"):
        await inbox.accept(_event(tenant, source=source))

    none = await inbox.claim(batch_size=10, in_flight=4, at_once=0)
    claimed = await _claims_of(inbox, tenant)

    assert none is None
    assert len(claimed) == 2


async def test_a_batch_whose_claimer_died_is_claimed_again_as_the_same_batch(
    inbox: PostgresInbox, database: Database, tenant: str
) -> None:
    await inbox.accept(_event(tenant))
    batch = await inbox.claim(batch_size=10, in_flight=4)
    while batch is not None and batch.tenant_id != tenant:
        await inbox.started(batch, workflow_id="other")
        batch = await inbox.claim(batch_size=10, in_flight=4)
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE batch SET claimed_at = now() - interval '1 hour' WHERE tenant_id = %s", (tenant,)
        )

    assert await _claims_of(inbox, tenant) == [batch]


async def test_an_event_without_an_outcome_is_quarantined_when_its_batch_fails(
    inbox: PostgresInbox, tenant: str
) -> None:
    accepted = await inbox.accept(_event(tenant))
    [batch] = await _claims_of(inbox, tenant)

    await inbox.close(tenant, batch.batch_id, reason="DocumentRejected: empty")

    ingestion = await inbox.ingestion(tenant, accepted.event_id)
    assert (ingestion.state, ingestion.outcome) == ("done", Outcome.QUARANTINED)
    assert ingestion.reason == "DocumentRejected: empty"


async def test_an_outcome_that_is_there_stays(inbox: PostgresInbox, tenant: str) -> None:
    accepted = await inbox.accept(_event(tenant))
    [batch] = await _claims_of(inbox, tenant)

    for reason in ("first", "second"):
        conclusion = Conclusion(event_id=accepted.event_id, outcome=Outcome.QUARANTINED, reason=reason)
        await inbox.conclude(tenant, [conclusion])
    await inbox.close(tenant, batch.batch_id, reason="third")

    assert (await inbox.ingestion(tenant, accepted.event_id)).reason == "first"
    assert await inbox.events(tenant, batch.batch_id) == []


async def test_who_waits_for_an_ingestion_is_woken_when_it_is_done(inbox: PostgresInbox, tenant: str) -> None:
    accepted = await inbox.accept(_event(tenant))
    waiting = asyncio.create_task(inbox.settled(tenant, accepted.event_id, timeout_s=30))
    conclusion = Conclusion(event_id=accepted.event_id, outcome=Outcome.QUARANTINED, reason="poison")

    await inbox.conclude(tenant, [conclusion])

    assert (await waiting).state == "done"


async def test_who_waits_too_long_gets_the_state_so_far(inbox: PostgresInbox, tenant: str) -> None:
    accepted = await inbox.accept(_event(tenant))

    ingestion = await inbox.settled(tenant, accepted.event_id, timeout_s=0.05)

    assert ingestion.state == "received"


def _batch(tenant: str, *, size: int) -> Batch:
    label = f"{size} records"
    return Batch(tenant_id=tenant, source="samsara", kind="record", batch_id=uuid4(), label=label, size=size)


async def test_a_batch_that_is_taken_in_as_one_is_its_callers_until_it_is_taken_for_dead(
    inbox: PostgresInbox, database: Database, tenant: str
) -> None:
    batch, events = _batch(tenant, size=2), [_event(tenant) for _ in range(2)]

    kept = await inbox.accept_batch(batch, events)
    claimed = await _claims_of(inbox, tenant)
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE batch SET claimed_at = now() - interval '1 hour' WHERE tenant_id = %s", (tenant,)
        )
    later = await _claims_of(inbox, tenant)

    assert (kept.batch, kept.duplicate, kept.started) == (batch, False, False)
    assert (claimed, later) == ([], [batch])
    assert {e.event_id for e in await inbox.events(tenant, batch.batch_id)} == {e.event_id for e in events}


async def test_a_batch_that_is_there_stays_as_it_is_and_says_whether_it_wants_a_start(
    inbox: PostgresInbox, tenant: str
) -> None:
    batch, events = _batch(tenant, size=1), [_event(tenant)]
    other = batch.model_copy(update={"label": "another", "size": 3})

    await inbox.accept_batch(batch, events)
    before = await inbox.accept_batch(other, [_event(tenant) for _ in range(3)])
    await inbox.started(batch, workflow_id="w-1")
    after = await inbox.accept_batch(batch, events)

    assert (before.batch, before.duplicate, before.started) == (batch, True, False)
    assert (after.batch, after.duplicate, after.started) == (batch, True, True)
    assert len(await inbox.events(tenant, batch.batch_id)) == 1


async def test_an_event_that_was_taken_in_before_stays_where_it_is(inbox: PostgresInbox, tenant: str) -> None:
    first = _event(tenant, key="delivery-1")
    await inbox.accept(first)
    batch = _batch(tenant, size=2)

    await inbox.accept_batch(batch, [_event(tenant, key="delivery-1"), _event(tenant)])

    assert len(await inbox.events(tenant, batch.batch_id)) == 1
    assert (await inbox.ingestion(tenant, first.event_id)).state == "received"
