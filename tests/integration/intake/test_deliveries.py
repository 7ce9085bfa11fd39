"""What endpoints took in, on a real PostgreSQL: dead letters, repetitions, and taking in once more."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from apex_memory.database import Database
from apex_memory.domain.hooks import KeptDelivery, Selection
from apex_memory.domain.ledger import Arrival, Conclusion, Ending, InboxEvent, Outcome
from apex_memory.pipeline.intake.deliveries import PostgresDeliveries
from apex_memory.pipeline.intake.inbox import PostgresInbox

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEAD = Ending(outcome=Outcome.QUARANTINED, reason="the body is not JSON")


@pytest.fixture
def inbox(database: Database) -> PostgresInbox:
    return PostgresInbox(database)


@pytest.fixture
def deliveries(database: Database) -> PostgresDeliveries:
    return PostgresDeliveries(database)


@pytest.fixture
def endpoint() -> str:
    return uuid4().hex


def delivery(
    tenant: str, endpoint: str, *, key: str | None = None, minute: int = 0, ending: Ending | None = None
) -> InboxEvent:
    event_id = uuid4()
    return InboxEvent(
        event_id=event_id,
        tenant_id=tenant,
        source="samsara",
        kind="record",
        dedupe_key=key or str(event_id),
        label="TRUCK-1",
        body=b'{"vehicle_id": "TRUCK-1"}',
        received_at=NOON + timedelta(minutes=minute),
        arrival=Arrival(endpoint_id=endpoint, secret_id=uuid4(), headers={"user-agent": "Samsara-Webhook"}),
        ending=ending,
    )


async def kept(
    deliveries: PostgresDeliveries,
    tenant: str,
    endpoint: str,
    selection: Selection | None = None,
    *,
    after: UUID | None = None,
    limit: int = 100,
) -> Sequence[KeptDelivery]:
    return await deliveries.listed(tenant, endpoint, selection or Selection(), after=after, limit=limit)


async def replayed(
    deliveries: PostgresDeliveries, tenant: str, endpoint: str, selection: Selection, *, dry_run: bool = False
) -> int:
    return await deliveries.replay(tenant, endpoint, selection, replay_id=uuid4(), dry_run=dry_run)


async def end(inbox: PostgresInbox, tenant: str, event_id: UUID, outcome: Outcome) -> None:
    await inbox.conclude(tenant, [Conclusion(event_id=event_id, outcome=outcome, reason="as the test wants")])


async def test_a_dead_letter_is_done_as_it_arrives_and_no_batch_takes_it(
    inbox: PostgresInbox, tenant: str, endpoint: str
) -> None:
    dead = await inbox.accept(delivery(tenant, endpoint, ending=DEAD))

    ingestion = await inbox.ingestion(tenant, dead.event_id)
    assert (ingestion.state, ingestion.outcome, ingestion.reason) == ("done", DEAD.outcome, DEAD.reason)
    assert ingestion.finished_at
    assert await inbox.claim(batch_size=10, in_flight=10) is None


async def test_what_is_sent_again_is_counted_and_not_kept_twice(
    inbox: PostgresInbox, deliveries: PostgresDeliveries, tenant: str, endpoint: str
) -> None:
    accepted = [await inbox.accept(delivery(tenant, endpoint, key="event-1")) for _ in range(3)]

    [one] = await kept(deliveries, tenant, endpoint)
    assert [each.duplicate for each in accepted] == [False, True, True]
    assert (one.event_id, one.deliveries, one.size) == (accepted[0].event_id, 3, 25)


async def test_pages_show_every_delivery_once_the_newest_first(
    inbox: PostgresInbox, deliveries: PostgresDeliveries, tenant: str, endpoint: str
) -> None:
    # Two of each minute: the order must hold among equals as well.
    sent = [await inbox.accept(delivery(tenant, endpoint, minute=n // 2)) for n in range(7)]

    pages: list[Sequence[KeptDelivery]] = [await kept(deliveries, tenant, endpoint, limit=3)]
    while len(pages[-1]) == 3:
        pages.append(await kept(deliveries, tenant, endpoint, after=pages[-1][-1].event_id, limit=3))

    shown = [one for page in pages for one in page]
    assert [one.received_at for one in shown] == sorted((one.received_at for one in shown), reverse=True)
    assert len(shown) == 7
    assert {one.event_id for one in shown} == {one.event_id for one in sent}


async def test_a_replay_by_id_is_a_new_event_with_the_old_body_and_time(
    inbox: PostgresInbox, deliveries: PostgresDeliveries, tenant: str, endpoint: str
) -> None:
    first = await inbox.accept(delivery(tenant, endpoint, ending=DEAD))
    await inbox.accept(delivery(tenant, endpoint))

    taken = await replayed(deliveries, tenant, endpoint, Selection(event_ids=(first.event_id,)))

    [again] = [one for one in await kept(deliveries, tenant, endpoint) if one.replay_of]
    assert taken == 1
    assert (again.replay_of, again.outcome, again.received_at) == (first.event_id, None, NOON)
    batch = await inbox.claim(batch_size=10, in_flight=10)
    assert batch
    events = {event.event_id: event for event in await inbox.events(tenant, batch.batch_id)}
    assert events[again.event_id].body == b'{"vehicle_id": "TRUCK-1"}'
    assert events[again.event_id].received_at == NOON


async def test_a_replay_by_time_takes_what_came_in_it(
    inbox: PostgresInbox, deliveries: PostgresDeliveries, tenant: str, endpoint: str
) -> None:
    sent = [await inbox.accept(delivery(tenant, endpoint, minute=n)) for n in range(5)]
    window = Selection(since=NOON + timedelta(minutes=1), until=NOON + timedelta(minutes=3))

    counted = await replayed(deliveries, tenant, endpoint, window, dry_run=True)
    taken = await replayed(deliveries, tenant, endpoint, window)

    assert (counted, taken) == (2, 2)
    again = {one.replay_of for one in await kept(deliveries, tenant, endpoint) if one.replay_of}
    assert again == {sent[1].event_id, sent[2].event_id}


async def test_what_was_given_up_is_replayed_until_a_replay_has_mended_it(
    inbox: PostgresInbox, deliveries: PostgresDeliveries, tenant: str, endpoint: str
) -> None:
    failed = Selection(failed=True)
    dead = await inbox.accept(delivery(tenant, endpoint, ending=DEAD))
    fine = await inbox.accept(delivery(tenant, endpoint))
    await end(inbox, tenant, fine.event_id, Outcome.UNCHANGED)

    assert await replayed(deliveries, tenant, endpoint, failed) == 1
    [first] = [one for one in await kept(deliveries, tenant, endpoint) if one.replay_of]
    # While it is under way, nobody knows better.
    assert await replayed(deliveries, tenant, endpoint, failed) == 0
    await end(inbox, tenant, first.event_id, Outcome.QUARANTINED)
    assert await replayed(deliveries, tenant, endpoint, failed) == 1
    [second] = [o for o in await kept(deliveries, tenant, endpoint) if o.replay_of and not o.outcome]
    await end(inbox, tenant, second.event_id, Outcome.UNCHANGED)

    assert second.replay_of == first.replay_of == dead.event_id
    assert await replayed(deliveries, tenant, endpoint, failed) == 0


async def test_one_replay_said_twice_takes_in_once(
    inbox: PostgresInbox, deliveries: PostgresDeliveries, tenant: str, endpoint: str
) -> None:
    sent = await inbox.accept(delivery(tenant, endpoint))
    chosen, replay_id = Selection(event_ids=(sent.event_id,)), uuid4()

    taken = [
        await deliveries.replay(tenant, endpoint, chosen, replay_id=replay_id, dry_run=False)
        for _ in range(2)
    ]

    assert taken == [1, 0]


async def test_another_tenant_sees_and_replays_nothing(
    inbox: PostgresInbox, deliveries: PostgresDeliveries, tenant: str, other_tenant: str, endpoint: str
) -> None:
    sent = await inbox.accept(delivery(tenant, endpoint))

    assert await kept(deliveries, other_tenant, endpoint) == []
    chosen = Selection(event_ids=(sent.event_id,))
    assert await replayed(deliveries, other_tenant, endpoint, chosen) == 0
    assert await replayed(deliveries, tenant, uuid4().hex, chosen) == 0
