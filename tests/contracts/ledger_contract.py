"""What every Ledger and every Upkeep keeps to; inherit, and give the fixtures that it asks for."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from uuid import UUID, uuid4

import pytest
from tests.contracts.writes import fresh_tenant

from apex_memory.domain import ids
from apex_memory.domain.bundles import Manifest, VersionRef
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.ledger import (
    Allocation,
    AllocationRequest,
    Burial,
    CommitResult,
    CommitState,
    Outcome,
    VersionManifests,
)
from apex_memory.domain.upkeep import Leftover, Reconciliation, Standing
from apex_memory.ports import Ledger, Upkeep

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
EARLIER: Final = NOON - timedelta(hours=1)
LATER: Final = NOON + timedelta(hours=1)
HOUR: Final = 3600.0


class Inside(Protocol):
    """What a test sees and does behind the port."""

    async def history(self, tenant_id: str, item_id: UUID) -> Sequence[tuple[int, int, int | None]]:
        """The committed versions of an item: number, committed at, superseded at."""
        ...

    async def outcome(self, tenant_id: str, event_id: UUID) -> Outcome | None: ...

    async def claim(self, tenant_id: str, batch_id: UUID, events: Sequence[UUID]) -> None:
        """These events were accepted and are in this batch, whose workflow is `workflow-of-a-batch`."""
        ...

    async def close(self, tenant_id: str, batch_id: UUID) -> None: ...

    async def pass_time(self, seconds: float) -> None:
        """Everything becomes so much older."""
        ...


async def commit_all(ledger: Ledger, tenant_id: str, batch_id: UUID) -> Sequence[CommitResult]:
    """Commit whatever the batch prepares, as if every store had been read back."""
    preparing = await ledger.preparing(tenant_id, batch_id)
    return await ledger.commit(tenant_id, batch_id, verified=set(preparing.values()))


class Writer:
    """One batch of a tenant, as its activities use the ledger."""

    def __init__(self, ledger: Ledger, tenant_id: str) -> None:
        self.batch_id = uuid4()
        self._ledger = ledger
        self._tenant_id = tenant_id

    async def allocate(self, *requests: AllocationRequest) -> Sequence[Allocation]:
        return await self._ledger.allocate(self._tenant_id, self.batch_id, requests)

    async def commit(self) -> Sequence[CommitResult]:
        return await commit_all(self._ledger, self._tenant_id, self.batch_id)

    async def abort(self) -> Sequence[VersionRef]:
        return await self._ledger.abort(self._tenant_id, self.batch_id, reason="cancelled")

    async def aborted(self) -> Sequence[VersionRef]:
        return await self._ledger.aborted(self._tenant_id, self.batch_id)


def asked(
    tenant_id: str,
    name: str = "TRUCK-1",
    content: str = "a",
    *,
    as_of: datetime = NOON,
    request_id: str | None = None,
    event_id: UUID | None = None,
    parent: VersionRef | None = None,
) -> AllocationRequest:
    return AllocationRequest(
        request_id=request_id or uuid4().hex,
        event_id=event_id or uuid4(),
        item_id=ids.item_id(tenant_id, "samsara", name),
        source="samsara",
        external_id=name,
        kind="record",
        title=name,
        content_hash=content,
        as_of=as_of,
        parent=parent,
    )


def truck(tenant_id: str, name: str = "TRUCK-1") -> UUID:
    return ids.item_id(tenant_id, "samsara", name)


async def committed(ledger: Ledger, tenant_id: str, *requests: AllocationRequest) -> list[VersionRef]:
    """One batch with these, committed; its versions."""
    writer = Writer(ledger, tenant_id)
    allocations = await writer.allocate(*requests)
    results = await writer.commit()
    assert {r.state for r in results} == {CommitState.COMMITTED}
    return [a.ref for a in allocations]


async def buried(ledger: Ledger, tenant_id: str, name: str = "TRUCK-1") -> Burial:
    return await ledger.bury(tenant_id, truck(tenant_id, name), request_id=uuid4())


class _OfOneTenant:
    @pytest.fixture
    def tenant_id(self) -> str:
        return fresh_tenant()

    @pytest.fixture
    def writer(self, ledger: Ledger, tenant_id: str) -> Writer:
        return Writer(ledger, tenant_id)


class LedgerContract(_OfOneTenant):
    @pytest.fixture
    def other(self, ledger: Ledger, tenant_id: str) -> Writer:
        return Writer(ledger, tenant_id)

    async def test_the_same_request_always_gets_the_same_version(
        self, writer: Writer, tenant_id: str
    ) -> None:
        request = asked(tenant_id)

        first, again = await writer.allocate(request), await writer.allocate(request)

        assert first == again
        assert [a.ref for a in first] == [VersionRef(item_id=truck(tenant_id), version=1)]

    async def test_the_same_request_from_many_attempts_at_once_gets_one_version(
        self, writer: Writer, tenant_id: str
    ) -> None:
        request = asked(tenant_id)

        answers = await asyncio.gather(*(writer.allocate(request) for _ in range(8)))

        assert {a.ref.version for answer in answers for a in answer} == {1}

    async def test_allocations_of_one_item_at_once_get_versions_of_their_own(
        self, ledger: Ledger, tenant_id: str
    ) -> None:
        requests = [asked(tenant_id, content=str(n)) for n in range(8)]

        answers = await asyncio.gather(*(Writer(ledger, tenant_id).allocate(r) for r in requests))

        assert sorted(a[0].ref.version for a in answers) == list(range(1, 9))

    async def test_the_content_of_the_head_is_unchanged_and_takes_no_version(
        self, ledger: Ledger, writer: Writer, tenant_id: str, inside: Inside
    ) -> None:
        [head] = await committed(ledger, tenant_id, asked(tenant_id, content="same"))
        again = asked(tenant_id, content="same")
        await inside.claim(tenant_id, writer.batch_id, [again.event_id])

        [allocation] = await writer.allocate(again)

        assert (allocation.unchanged, allocation.ref) == (True, head)
        assert await inside.outcome(tenant_id, again.event_id) is Outcome.UNCHANGED
        assert await ledger.preparing(tenant_id, writer.batch_id) == {}

    async def test_what_was_unchanged_stays_so_when_it_is_asked_again_after_the_head_has_moved(
        self, ledger: Ledger, writer: Writer, tenant_id: str, inside: Inside
    ) -> None:
        await committed(ledger, tenant_id, asked(tenant_id, content="old"))
        request = asked(tenant_id, content="old")
        await inside.claim(tenant_id, writer.batch_id, [request.event_id])
        first = await writer.allocate(request)
        await committed(ledger, tenant_id, asked(tenant_id, content="new"))

        assert await writer.allocate(request) == first
        assert await writer.commit() == []

    async def test_what_is_said_again_is_not_replaced_by_something_older(
        self, ledger: Ledger, writer: Writer, tenant_id: str, inside: Inside
    ) -> None:
        await committed(ledger, tenant_id, asked(tenant_id, content="a", as_of=EARLIER))
        await writer.allocate(asked(tenant_id, content="a", as_of=LATER))

        await committed(ledger, tenant_id, asked(tenant_id, content="b", as_of=NOON))

        assert await inside.history(tenant_id, truck(tenant_id)) == [(1, 1, None), (2, 2, 2)]

    async def test_a_commit_moves_the_snapshot_and_asked_again_answers_the_same(
        self, ledger: Ledger, writer: Writer, tenant_id: str, inside: Inside
    ) -> None:
        requests = [asked(tenant_id, "TRUCK-1"), asked(tenant_id, "TRUCK-2")]
        await inside.claim(tenant_id, writer.batch_id, [r.event_id for r in requests])
        await writer.allocate(*requests)

        first, again = await writer.commit(), await writer.commit()

        assert sorted(first, key=str) == sorted(again, key=str)
        assert {(r.state, r.commit_seq) for r in first} == {(CommitState.COMMITTED, 1)}
        assert await ledger.snapshot(tenant_id) == 1
        outcomes = {await inside.outcome(tenant_id, r.event_id) for r in requests}
        assert outcomes == {Outcome.COMMITTED}

    async def test_a_commit_takes_only_what_was_verified(
        self, ledger: Ledger, writer: Writer, tenant_id: str
    ) -> None:
        one, other = await writer.allocate(asked(tenant_id, "TRUCK-1"), asked(tenant_id, "TRUCK-2"))

        results = await ledger.commit(tenant_id, writer.batch_id, verified=[one.ref])

        assert [(r.ref, r.state) for r in results] == [(one.ref, CommitState.COMMITTED)]
        assert await ledger.preparing(tenant_id, writer.batch_id) == {other.request_id: other.ref}

    async def test_an_update_supersedes_at_the_sequence_number_at_which_it_appears(
        self, ledger: Ledger, tenant_id: str, inside: Inside
    ) -> None:
        await committed(ledger, tenant_id, asked(tenant_id, content="old"))
        await committed(ledger, tenant_id, asked(tenant_id, content="new"))

        assert await inside.history(tenant_id, truck(tenant_id)) == [(1, 1, 2), (2, 2, None)]

    async def test_a_late_version_is_history_from_the_moment_it_commits(
        self, ledger: Ledger, tenant_id: str, inside: Inside
    ) -> None:
        await committed(ledger, tenant_id, asked(tenant_id, content="now"))
        await committed(ledger, tenant_id, asked(tenant_id, content="then", as_of=EARLIER))

        assert await inside.history(tenant_id, truck(tenant_id)) == [(1, 1, None), (2, 2, 2)]

    async def test_an_overtaken_version_is_aborted_and_its_event_stays_open_for_another_round(
        self, ledger: Ledger, writer: Writer, tenant_id: str, inside: Inside
    ) -> None:
        slow = asked(tenant_id, content="slow", request_id="slow:0")
        await inside.claim(tenant_id, writer.batch_id, [slow.event_id])
        [first] = await writer.allocate(slow)
        await committed(ledger, tenant_id, asked(tenant_id, content="quick"))

        [overtaken] = await writer.commit()
        assert overtaken.state is CommitState.OVERTAKEN
        assert await inside.outcome(tenant_id, slow.event_id) is None
        assert await writer.aborted() == [first.ref]
        [again] = await writer.allocate(slow.model_copy(update={"request_id": "slow:1"}))
        results = await writer.commit()

        assert again.ref.version == 3
        assert {r.state for r in results} == {CommitState.OVERTAKEN, CommitState.COMMITTED}
        assert await inside.outcome(tenant_id, slow.event_id) is Outcome.COMMITTED

    async def test_abort_after_a_commit_finds_nothing_to_clean(
        self, writer: Writer, tenant_id: str, inside: Inside
    ) -> None:
        request = asked(tenant_id)
        await inside.claim(tenant_id, writer.batch_id, [request.event_id])
        await writer.allocate(request)
        await writer.commit()

        assert await writer.abort() == []
        assert await inside.outcome(tenant_id, request.event_id) is Outcome.COMMITTED

    async def test_commit_after_an_abort_commits_nothing(
        self, ledger: Ledger, writer: Writer, tenant_id: str, inside: Inside
    ) -> None:
        request = asked(tenant_id)
        await inside.claim(tenant_id, writer.batch_id, [request.event_id])
        [allocation] = await writer.allocate(request)
        [aborted] = await writer.abort()

        [result] = await ledger.commit(tenant_id, writer.batch_id, verified=[allocation.ref])

        assert result.state is CommitState.ABORTED
        assert await ledger.snapshot(tenant_id) == 0
        assert await inside.outcome(tenant_id, request.event_id) is Outcome.ABORTED
        await ledger.cleaned(tenant_id, [aborted])
        assert await writer.aborted() == []

    async def test_expected_manifests_come_back_for_versions_that_are_preparing(
        self, ledger: Ledger, writer: Writer, tenant_id: str
    ) -> None:
        [allocation] = await writer.allocate(asked(tenant_id))
        expected = VersionManifests(ref=allocation.ref, manifests={"qdrant": Manifest.of([uuid4()])})

        await ledger.expect(tenant_id, [expected])

        assert await ledger.manifests(tenant_id, writer.batch_id) == [expected]
        await writer.abort()
        assert await ledger.manifests(tenant_id, writer.batch_id) == []

    async def test_commits_from_many_batches_at_once_are_ordered_and_none_is_lost(
        self, ledger: Ledger, tenant_id: str, inside: Inside
    ) -> None:
        async def write(n: int) -> list[CommitState]:
            writer = Writer(ledger, tenant_id)
            await writer.allocate(asked(tenant_id, content=str(n)), asked(tenant_id, f"TRUCK-{n}"))
            return [r.state for r in await writer.commit()]

        states = await asyncio.gather(*(write(n) for n in range(2, 14)))

        history = await inside.history(tenant_id, truck(tenant_id))
        assert await ledger.snapshot(tenant_id) == 12
        assert sum(s is CommitState.COMMITTED for batch in states for s in batch) == 12 + len(history)
        assert [seq for _, seq, _ in history] == sorted(seq for _, seq, _ in history)
        assert sum(ended is None for _, _, ended in history) == 1

    async def test_two_tenants_share_nothing(self, ledger: Ledger, tenant_id: str) -> None:
        await committed(ledger, tenant_id, asked(tenant_id, request_id="same"))
        theirs = fresh_tenant()

        [allocation] = await Writer(ledger, theirs).allocate(asked(theirs, request_id="same"))

        assert not allocation.unchanged
        assert allocation.ref == VersionRef(item_id=truck(theirs), version=1)
        assert await ledger.snapshot(theirs) == 0

    async def test_a_tombstone_ends_what_was_seen_and_asked_again_is_the_same(
        self, ledger: Ledger, tenant_id: str, inside: Inside
    ) -> None:
        await committed(ledger, tenant_id, asked(tenant_id))
        request_id = uuid4()

        burial = await ledger.bury(tenant_id, truck(tenant_id), request_id=request_id)
        again = await ledger.bury(tenant_id, truck(tenant_id), request_id=request_id)

        stone = VersionRef(item_id=truck(tenant_id), version=2)
        assert burial == again == Burial(seq=2, tombstones=(stone,))
        assert await ledger.snapshot(tenant_id) == 2
        assert await inside.history(tenant_id, truck(tenant_id)) == [(1, 1, 2), (2, 2, None)]

    async def test_what_was_never_written_cannot_be_buried(self, ledger: Ledger, tenant_id: str) -> None:
        with pytest.raises(ItemNotFound):
            await buried(ledger, tenant_id)

    async def test_nothing_allocated_before_a_tombstone_commits_after_it(
        self, ledger: Ledger, writer: Writer, tenant_id: str, inside: Inside
    ) -> None:
        request = asked(tenant_id)
        await inside.claim(tenant_id, writer.batch_id, [request.event_id])
        await writer.allocate(request)
        await buried(ledger, tenant_id)

        [result] = await writer.commit()

        assert result.state is CommitState.SUPERSEDED
        assert await inside.outcome(tenant_id, request.event_id) is Outcome.SUPERSEDED

    async def test_an_event_that_was_overtaken_before_a_tombstone_does_not_come_back_in_its_next_round(
        self, ledger: Ledger, writer: Writer, tenant_id: str
    ) -> None:
        slow = asked(tenant_id, content="slow", request_id="slow:0")
        await writer.allocate(slow)
        await committed(ledger, tenant_id, asked(tenant_id, content="quick"))
        await writer.commit()
        await buried(ledger, tenant_id)

        await writer.allocate(slow.model_copy(update={"request_id": "slow:1"}))
        results = await writer.commit()

        assert {r.ref.version: r.state for r in results} == {
            1: CommitState.OVERTAKEN,
            4: CommitState.SUPERSEDED,
        }

    async def test_the_first_version_after_a_tombstone_is_the_head_whatever_time_it_speaks_of(
        self, ledger: Ledger, tenant_id: str, inside: Inside
    ) -> None:
        await committed(ledger, tenant_id, asked(tenant_id, content="a"))
        await buried(ledger, tenant_id)

        [anew] = await committed(ledger, tenant_id, asked(tenant_id, content="a", as_of=EARLIER))

        assert anew.version == 3
        assert (await inside.history(tenant_id, truck(tenant_id)))[-1] == (3, 3, None)

    async def test_what_is_derived_commits_only_beside_its_parent(
        self, ledger: Ledger, writer: Writer, tenant_id: str
    ) -> None:
        [parent] = await committed(ledger, tenant_id, asked(tenant_id, content="old"))
        await writer.allocate(asked(tenant_id, "reading", parent=parent))
        await committed(ledger, tenant_id, asked(tenant_id, content="new"))

        assert [r.state for r in await writer.commit()] == [CommitState.SUPERSEDED]

    @pytest.mark.parametrize("deleted", [False, True])
    async def test_what_is_derived_ends_with_its_parent(
        self, ledger: Ledger, tenant_id: str, inside: Inside, *, deleted: bool
    ) -> None:
        [parent] = await committed(ledger, tenant_id, asked(tenant_id, content="old"))
        await committed(ledger, tenant_id, asked(tenant_id, "reading", parent=parent))

        if deleted:
            burial = await buried(ledger, tenant_id)
            assert {ref.item_id for ref in burial.tombstones} == {
                truck(tenant_id),
                truck(tenant_id, "reading"),
            }
        else:
            await committed(ledger, tenant_id, asked(tenant_id, content="new"))

        assert (await inside.history(tenant_id, truck(tenant_id, "reading")))[0] == (1, 2, 3)


class UpkeepContract(_OfOneTenant):
    async def test_tenants_are_those_with_items(self, ledger: Ledger, upkeep: Upkeep, tenant_id: str) -> None:
        await committed(ledger, tenant_id, asked(tenant_id))

        assert tenant_id in await upkeep.tenants()
        assert fresh_tenant() not in await upkeep.tenants()

    async def test_a_batch_is_open_once_it_is_old_enough_until_it_is_closed(
        self, upkeep: Upkeep, writer: Writer, tenant_id: str, inside: Inside
    ) -> None:
        await inside.claim(tenant_id, writer.batch_id, [uuid4()])

        assert writer.batch_id not in await _open(upkeep)
        await inside.pass_time(2 * HOUR)
        assert writer.batch_id in await _open(upkeep)
        await inside.close(tenant_id, writer.batch_id)
        assert writer.batch_id not in await _open(upkeep)

    async def test_a_closed_batch_that_is_preparing_still_counts_as_open(
        self, upkeep: Upkeep, writer: Writer, tenant_id: str, inside: Inside
    ) -> None:
        request = asked(tenant_id)
        await inside.claim(tenant_id, writer.batch_id, [request.event_id])
        await inside.close(tenant_id, writer.batch_id)
        await writer.allocate(request)
        assert writer.batch_id not in await _open(upkeep)

        await inside.pass_time(2 * HOUR)

        assert writer.batch_id in await _open(upkeep)
        await writer.abort()
        assert writer.batch_id not in await _open(upkeep)

    async def test_a_leftover_is_a_batch_whose_aborted_versions_are_not_cleaned(
        self, ledger: Ledger, upkeep: Upkeep, writer: Writer, tenant_id: str, inside: Inside
    ) -> None:
        ours = Leftover(tenant_id=tenant_id, batch_id=writer.batch_id)
        await writer.allocate(asked(tenant_id))
        aborted = await writer.abort()

        assert ours not in await upkeep.leftovers(older_than_s=HOUR, limit=99)
        await inside.pass_time(2 * HOUR)
        assert ours in await upkeep.leftovers(older_than_s=HOUR, limit=99)
        await ledger.cleaned(tenant_id, aborted)
        assert ours not in await upkeep.leftovers(older_than_s=HOUR, limit=99)

    async def test_garbage_is_exactly_what_was_superseded_long_enough_ago(
        self, ledger: Ledger, upkeep: Upkeep, writer: Writer, tenant_id: str, inside: Inside
    ) -> None:
        [old] = await committed(ledger, tenant_id, asked(tenant_id, content="old"))
        await committed(ledger, tenant_id, asked(tenant_id, content="new"))
        [late] = await committed(ledger, tenant_id, asked(tenant_id, content="late", as_of=EARLIER))
        await writer.allocate(asked(tenant_id, content="preparing"))

        assert await upkeep.superseded(tenant_id, older_than_s=HOUR, limit=99) == []
        await inside.pass_time(2 * HOUR)
        garbage = await upkeep.superseded(tenant_id, older_than_s=HOUR, limit=99)
        assert sorted(garbage, key=str) == sorted([old, late], key=str)
        assert len(await upkeep.superseded(tenant_id, older_than_s=HOUR, limit=1)) == 1
        await upkeep.collected(tenant_id, garbage)
        assert await upkeep.superseded(tenant_id, older_than_s=HOUR, limit=99) == []

    async def test_what_is_live_is_not_collected_though_somebody_says_so(
        self, ledger: Ledger, upkeep: Upkeep, tenant_id: str
    ) -> None:
        [live] = await committed(ledger, tenant_id, asked(tenant_id))

        await upkeep.collected(tenant_id, [live])

        assert (await upkeep.standing(tenant_id, [live], window_s=0))[live] is Standing.KEPT

    async def test_live_versions_come_page_by_page_with_their_manifests(
        self, ledger: Ledger, upkeep: Upkeep, tenant_id: str
    ) -> None:
        names = [f"TRUCK-{n}" for n in range(5)]
        writer = Writer(ledger, tenant_id)
        allocations = await writer.allocate(*(asked(tenant_id, name) for name in names))
        manifests = {"qdrant": Manifest.of([uuid4()])}
        await ledger.expect(
            tenant_id, [VersionManifests(ref=a.ref, manifests=manifests) for a in allocations]
        )
        await writer.commit()
        await committed(ledger, tenant_id, asked(tenant_id, "TRUCK-0", content="new"))
        await buried(ledger, tenant_id, "TRUCK-1")

        found: list[VersionManifests] = []
        while page := await upkeep.live(tenant_id, after=found[-1].ref if found else None, limit=2):
            found += page

        numbers = {one.ref.item_id: one.ref.version for one in found}
        numbers_wanted = {truck(tenant_id, name): 1 for name in names[2:]}
        assert numbers == {truck(tenant_id, "TRUCK-0"): 2, **numbers_wanted}
        assert [one.ref.item_id.bytes for one in found] == sorted(one.ref.item_id.bytes for one in found)
        assert {str(one.manifests) for one in found if one.ref.version == 1} == {str(manifests)}

    async def test_the_standing_of_each_kind_of_version(
        self, ledger: Ledger, upkeep: Upkeep, tenant_id: str, inside: Inside
    ) -> None:
        [old] = await committed(ledger, tenant_id, asked(tenant_id, content="old"))
        [live] = await committed(ledger, tenant_id, asked(tenant_id, content="new"))
        aborting, preparing = Writer(ledger, tenant_id), Writer(ledger, tenant_id)
        [aborted] = await aborting.allocate(asked(tenant_id, content="x"))
        await aborting.abort()
        [begun] = await preparing.allocate(asked(tenant_id, content="y"))
        unheard = VersionRef(item_id=uuid4(), version=1)
        refs = [old, live, aborted.ref, begun.ref, unheard]

        before = await upkeep.standing(tenant_id, refs, window_s=HOUR)
        await inside.pass_time(2 * HOUR)
        await upkeep.collected(tenant_id, [old])
        collected = await upkeep.standing(tenant_id, refs, window_s=HOUR)
        await inside.pass_time(2 * HOUR)
        after = await upkeep.standing(tenant_id, refs, window_s=HOUR)

        kept, recent, unknown = Standing.KEPT, Standing.RECENT, Standing.UNKNOWN
        assert [before[ref] for ref in refs] == [kept, kept, recent, kept, unknown]
        assert [collected[ref] for ref in refs] == [recent, kept, unknown, kept, unknown]
        assert [after[ref] for ref in refs] == [unknown, kept, unknown, kept, unknown]

    async def test_a_batch_and_its_events_are_over_some_time_after_they_ended(
        self, upkeep: Upkeep, writer: Writer, tenant_id: str, inside: Inside
    ) -> None:
        request, stranger = asked(tenant_id), uuid4()
        await inside.claim(tenant_id, writer.batch_id, [request.event_id])
        ours = [writer.batch_id, request.event_id, stranger]

        assert set(await upkeep.over(tenant_id, ours, older_than_s=HOUR)) == {stranger}
        await writer.allocate(request)
        await writer.commit()
        await inside.close(tenant_id, writer.batch_id)
        assert set(await upkeep.over(tenant_id, ours, older_than_s=HOUR)) == {stranger}
        await inside.pass_time(2 * HOUR)
        assert set(await upkeep.over(tenant_id, ours, older_than_s=HOUR)) == set(ours)

    async def test_the_newest_figures_of_a_store_are_kept(self, upkeep: Upkeep, tenant_id: str) -> None:
        older, newer = _figures(tenant_id, NOON), _figures(tenant_id, LATER)

        await upkeep.publish(newer)
        await upkeep.publish(older)

        assert await upkeep.published(tenant_id) == [newer]
        assert newer in await upkeep.published()


async def _open(upkeep: Upkeep) -> Sequence[UUID]:
    return [b.batch_id for b in await upkeep.open_batches(older_than_s=HOUR, limit=999)]


def _figures(tenant_id: str, at: datetime) -> Reconciliation:
    return Reconciliation(
        tenant_id=tenant_id,
        store="qdrant",
        checked=1,
        missing=0,
        torn=0,
        unknown=0,
        mended=0,
        started_at=at,
        finished_at=at,
    )
