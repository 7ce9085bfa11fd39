"""What becomes of versions that want to commit, without a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.ledger import CommitState
from apex_memory.pipeline.ledger.decide import Head, Preparing, decide

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _head(
    item: UUID, *, committed: int = 0, last: int = 0, tombstone: int = 0, as_of: datetime | None = None
) -> Head:
    return Head(
        item_id=item,
        committed=committed,
        last_committed=last or committed,
        tombstone=tombstone,
        as_of=as_of,
        content_hash=None,
    )


def _version(item: UUID, version: int, *, as_of: datetime = NOON) -> Preparing:
    return Preparing(ref=VersionRef(item_id=item, version=version), as_of=as_of, content_hash=f"v{version}")


def test_the_first_version_becomes_the_head() -> None:
    item = uuid4()

    decision = decide([_version(item, 1)], {item: _head(item)})

    assert decision.committed == [VersionRef(item_id=item, version=1)]
    assert decision.heads[item].committed == 1
    assert not decision.superseded


def test_an_update_supersedes_the_version_before_it() -> None:
    item = uuid4()

    decision = decide([_version(item, 2)], {item: _head(item, committed=1, as_of=NOON)})

    assert decision.heads[item].committed == 2
    assert list(decision.superseded) == [VersionRef(item_id=item, version=1)]


def test_a_version_that_speaks_of_an_older_time_commits_as_history_and_never_becomes_the_head() -> None:
    item = uuid4()
    late = _version(item, 2, as_of=NOON - timedelta(hours=1))

    decision = decide([late], {item: _head(item, committed=1, as_of=NOON)})

    assert decision.states[late.ref] is CommitState.COMMITTED
    assert list(decision.superseded) == [late.ref]
    assert decision.heads[item].committed == 1
    assert decision.heads[item].last_committed == 2


def test_a_version_below_one_that_committed_is_overtaken_so_that_commit_order_stays_version_order() -> None:
    item = uuid4()

    decision = decide([_version(item, 1)], {item: _head(item, committed=2, as_of=NOON)})

    assert list(decision.rejected.values()) == [CommitState.OVERTAKEN]
    assert not decision.heads


def test_late_history_overtakes_too() -> None:
    item = uuid4()
    head = _head(item, committed=1, last=3, as_of=NOON)

    decision = decide([_version(item, 2)], {item: head})

    assert list(decision.rejected.values()) == [CommitState.OVERTAKEN]


def test_nothing_allocated_before_a_tombstone_commits_after_it() -> None:
    item = uuid4()

    decision = decide(
        [_version(item, 2), _version(item, 4)], {item: _head(item, committed=1, tombstone=3, as_of=NOON)}
    )

    assert list(decision.states.values()) == [CommitState.SUPERSEDED, CommitState.COMMITTED]


def test_an_event_that_had_a_version_before_a_tombstone_does_not_commit_under_a_new_one() -> None:
    item = uuid4()
    again = replace(_version(item, 4), first=1)

    decision = decide([again], {item: _head(item, committed=2, tombstone=3, as_of=NOON)})

    assert list(decision.rejected.values()) == [CommitState.SUPERSEDED]


def test_two_versions_of_one_item_in_a_batch_commit_in_order_and_only_the_second_is_seen() -> None:
    item = uuid4()

    decision = decide([_version(item, 2), _version(item, 1)], {item: _head(item)})

    assert [r.version for r in decision.committed] == [1, 2]
    assert list(decision.superseded) == [VersionRef(item_id=item, version=1)]
    assert decision.heads[item].committed == 2


def test_items_do_not_touch_each_other() -> None:
    one, two = uuid4(), uuid4()

    decision = decide(
        [_version(one, 1), _version(two, 1)], {one: _head(one), two: _head(two, committed=5, as_of=NOON)}
    )

    assert [r.item_id for r in decision.committed] == [one]
    assert [r.item_id for r in decision.rejected] == [two]
