"""The ledger's promises, on a real PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from apex_memory.database import Database
from apex_memory.domain import ids
from apex_memory.domain.bundles import Manifest, VersionRef
from apex_memory.domain.ledger import AllocationRequest, CommitState, VersionManifests
from apex_memory.pipeline.ledger.ledger import PostgresLedger

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def ledger(database: Database) -> PostgresLedger:
    return PostgresLedger(database)


def _request(
    tenant: str, external_id: str, *, content: str = "a", request: str | None = None, as_of: datetime = NOON
) -> AllocationRequest:
    return AllocationRequest(
        request_id=request or uuid4().hex,
        event_id=uuid4(),
        item_id=ids.item_id(tenant, "samsara", external_id),
        source="samsara",
        external_id=external_id,
        kind="record",
        title=external_id,
        content_hash=content,
        as_of=as_of,
    )


async def _committed(ledger: PostgresLedger, tenant: str, *requests: AllocationRequest) -> list[CommitState]:
    batch = uuid4()
    await ledger.allocate(tenant, batch, requests)
    return [r.state for r in await ledger.commit(tenant, batch)]


async def _versions_at(database: Database, tenant: str, item: UUID) -> list[tuple[int, int, int | None]]:
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT version, commit_seq, superseded_seq FROM item_version "
            "WHERE tenant_id = %s AND item_id = %s AND state = 'committed' ORDER BY version",
            (tenant, item),
        )
        return [(r["version"], r["commit_seq"], r["superseded_seq"]) async for r in cursor]


async def test_the_same_request_always_gets_the_same_version(ledger: PostgresLedger, tenant: str) -> None:
    batch, request = uuid4(), _request(tenant, "TRUCK-1")

    first = await ledger.allocate(tenant, batch, [request])
    again = await ledger.allocate(tenant, batch, [request])

    assert first == again
    assert [a.ref.version for a in first] == [1]


async def test_concurrent_allocations_of_one_item_get_versions_of_their_own(
    ledger: PostgresLedger, tenant: str
) -> None:
    requests = [_request(tenant, "TRUCK-1", content=str(n)) for n in range(8)]

    allocations = await asyncio.gather(*(ledger.allocate(tenant, uuid4(), [r]) for r in requests))

    assert sorted(a[0].ref.version for a in allocations) == list(range(1, 9))


async def test_the_content_of_the_head_is_unchanged_and_takes_no_version(
    ledger: PostgresLedger, tenant: str
) -> None:
    await _committed(ledger, tenant, _request(tenant, "TRUCK-1", content="same"))

    [allocation] = await ledger.allocate(tenant, uuid4(), [_request(tenant, "TRUCK-1", content="same")])

    assert allocation.unchanged
    assert allocation.ref.version == 1


async def test_a_commit_moves_the_snapshot_and_asked_again_answers_the_same(
    ledger: PostgresLedger, tenant: str
) -> None:
    batch = uuid4()
    await ledger.allocate(tenant, batch, [_request(tenant, "TRUCK-1"), _request(tenant, "TRUCK-2")])

    first = await ledger.commit(tenant, batch)
    again = await ledger.commit(tenant, batch)

    assert sorted(first, key=str) == sorted(again, key=str)
    assert {r.commit_seq for r in first} == {1}
    assert await ledger.snapshot(tenant) == 1


async def test_an_update_supersedes_at_the_sequence_number_at_which_it_appears(
    ledger: PostgresLedger, database: Database, tenant: str
) -> None:
    await _committed(ledger, tenant, _request(tenant, "TRUCK-1", content="old"))

    await _committed(ledger, tenant, _request(tenant, "TRUCK-1", content="new"))

    item = ids.item_id(tenant, "samsara", "TRUCK-1")
    assert await _versions_at(database, tenant, item) == [(1, 1, 2), (2, 2, None)]


async def test_a_late_version_is_history_from_the_moment_it_commits(
    ledger: PostgresLedger, database: Database, tenant: str
) -> None:
    await _committed(ledger, tenant, _request(tenant, "TRUCK-1", content="now"))

    await _committed(
        ledger, tenant, _request(tenant, "TRUCK-1", content="then", as_of=NOON - timedelta(days=1))
    )

    item = ids.item_id(tenant, "samsara", "TRUCK-1")
    assert await _versions_at(database, tenant, item) == [(1, 1, None), (2, 2, 2)]


async def test_a_version_overtaken_by_a_higher_one_is_aborted_and_allocated_anew(
    ledger: PostgresLedger, tenant: str
) -> None:
    slow, quick = uuid4(), uuid4()
    await ledger.allocate(tenant, slow, [_request(tenant, "TRUCK-1", content="slow", request="e:0")])
    await ledger.allocate(tenant, quick, [_request(tenant, "TRUCK-1", content="quick")])
    await ledger.commit(tenant, quick)

    [result] = await ledger.commit(tenant, slow)
    [again] = await ledger.allocate(
        tenant, slow, [_request(tenant, "TRUCK-1", content="slow", request="e:1")]
    )

    assert result.state is CommitState.OVERTAKEN
    assert again.ref.version == 3
    assert [r.version for r in await ledger.aborted(tenant, slow)] == [1]


async def test_abort_after_a_commit_finds_nothing_to_clean(ledger: PostgresLedger, tenant: str) -> None:
    batch = uuid4()
    await ledger.allocate(tenant, batch, [_request(tenant, "TRUCK-1")])
    await ledger.commit(tenant, batch)

    assert await ledger.abort(tenant, batch, reason="cancelled") == []


async def test_commit_after_an_abort_commits_nothing(ledger: PostgresLedger, tenant: str) -> None:
    batch = uuid4()
    await ledger.allocate(tenant, batch, [_request(tenant, "TRUCK-1")])
    [aborted] = await ledger.abort(tenant, batch, reason="cancelled")

    results = await ledger.commit(tenant, batch)

    assert [r.state for r in results] == [CommitState.ABORTED]
    assert await ledger.snapshot(tenant) == 0
    await ledger.cleaned(tenant, [aborted])
    assert await ledger.aborted(tenant, batch) == []


async def test_expected_manifests_come_back_for_versions_that_are_preparing(
    ledger: PostgresLedger, tenant: str
) -> None:
    batch = uuid4()
    [allocation] = await ledger.allocate(tenant, batch, [_request(tenant, "TRUCK-1")])
    expected = VersionManifests(ref=allocation.ref, manifests={"qdrant": Manifest.of([uuid4()])})

    await ledger.expect(tenant, [expected])

    assert await ledger.manifests(tenant, batch) == [expected]


async def test_commits_from_many_batches_at_once_are_ordered_and_none_is_lost(
    ledger: PostgresLedger, database: Database, tenant: str
) -> None:
    async def write(n: int) -> list[CommitState]:
        return await _committed(
            ledger, tenant, _request(tenant, "TRUCK-1", content=str(n)), _request(tenant, f"TRUCK-{n}")
        )

    states = await asyncio.gather(*(write(n) for n in range(2, 14)))

    committed = sum(s is CommitState.COMMITTED for batch in states for s in batch)
    item = ids.item_id(tenant, "samsara", "TRUCK-1")
    history = await _versions_at(database, tenant, item)
    assert await ledger.snapshot(tenant) == 12
    assert committed == 12 + len(history)
    assert [seq for _, seq, _ in history] == sorted(seq for _, seq, _ in history)
    assert sum(ended is None for _, _, ended in history) == 1


async def test_two_tenants_share_nothing(ledger: PostgresLedger, tenant: str, other_tenant: str) -> None:
    await _committed(ledger, tenant, _request(tenant, "TRUCK-1", request="same"))

    [theirs] = await ledger.allocate(
        other_tenant, uuid4(), [_request(other_tenant, "TRUCK-1", request="same")]
    )

    assert not theirs.unchanged
    assert theirs.ref == VersionRef(item_id=ids.item_id(other_tenant, "samsara", "TRUCK-1"), version=1)
    assert await ledger.snapshot(other_tenant) == 0
