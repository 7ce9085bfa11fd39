"""What every implementation of the port Feeds keeps: entries in the inbox and a moved cursor, or neither."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.feeds import FeedEntry, FeedTurn, LastKnown, OpenedFeed, PollFeed
from apex_memory.ports import Feeds

SOURCE, NAME = "samsara", "gps"
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)

#: The dedupe keys of a tenant's inbox events, in any order.
Kept = Callable[[str], Awaitable[Sequence[str]]]


def entry(subject: str, *, key: str | None = None, minute: int = 0, place: str = "somewhere") -> FeedEntry:
    return FeedEntry(
        subject=subject,
        label=f"{subject}@{minute}",
        dedupe_key=key or f"{subject}@{minute}",
        body=b'{"id": "7"}',
        points=3,
        last_known=LastKnown(at=NOON + timedelta(minutes=minute), place=place),
    )


def turn(opened: OpenedFeed, *entries: FeedEntry, cursor: str = "next") -> FeedTurn:
    return FeedTurn(turn=opened.turn, cursor=cursor, entries=entries)


class FeedsContract:
    """Subclasses say what `feeds` are, and how to look into the inbox beside them."""

    @pytest.fixture
    def feeds(self) -> Feeds:
        raise NotImplementedError

    @pytest.fixture
    def kept(self) -> Kept:
        raise NotImplementedError

    async def opened(self, feeds: Feeds, tenant: str) -> OpenedFeed:
        opened = await feeds.opened(tenant, SOURCE, NAME)
        assert opened
        return opened

    async def started(self, feeds: Feeds, tenant: str) -> OpenedFeed:
        await feeds.start(tenant, SOURCE, NAME, interval_s=5)
        return await self.opened(feeds, tenant)

    async def test_a_feed_that_is_started_begins_without_a_cursor(self, feeds: Feeds, tenant: str) -> None:
        opened = await self.started(feeds, tenant)

        assert (opened.cursor, opened.waiting, opened.feed.points) == (None, 0, 0)
        assert (opened.feed.interval_s, opened.feed.stopped_at, opened.feed.last_polled_at) == (5, None, None)
        assert await feeds.listed(tenant) == [opened.feed]

    async def test_what_was_read_is_kept_and_the_cursor_moves(
        self, feeds: Feeds, kept: Kept, tenant: str
    ) -> None:
        before = await self.started(feeds, tenant)

        taken = await feeds.take(tenant, SOURCE, NAME, turn(before, entry("a"), entry("b"), cursor="c1"))
        after = await self.opened(feeds, tenant)

        assert taken
        assert (after.cursor, after.waiting, after.feed.points) == ("c1", 2, 6)
        assert after.waiting_bytes == 2 * len(entry("a").body)
        assert after.turn > before.turn
        assert after.feed.last_polled_at
        assert sorted(await kept(tenant)) == ["a@0", "b@0"]

    async def test_of_polls_that_found_the_feed_at_the_same_turn_one_counts(
        self, feeds: Feeds, kept: Kept, tenant: str
    ) -> None:
        before = await self.started(feeds, tenant)

        taken = await asyncio.gather(
            *(
                feeds.take(tenant, SOURCE, NAME, turn(before, entry("a", key=f"of {n}"), cursor=f"c{n}"))
                for n in range(4)
            )
        )

        [winner] = [n for n, one in enumerate(taken) if one]
        assert await kept(tenant) == [f"of {winner}"]
        assert (await self.opened(feeds, tenant)).cursor == f"c{winner}"

    async def test_a_zombie_writes_nothing_though_the_cursor_is_the_same_again(
        self, feeds: Feeds, kept: Kept, tenant: str
    ) -> None:
        first = await self.started(feeds, tenant)
        await feeds.take(tenant, SOURCE, NAME, turn(first, cursor="c1"))
        stale = await self.opened(feeds, tenant)
        await feeds.take(tenant, SOURCE, NAME, turn(stale, cursor="c1"))

        assert not await feeds.take(tenant, SOURCE, NAME, turn(stale, entry("a"), cursor="c2"))
        assert (await self.opened(feeds, tenant)).cursor == "c1"
        assert await kept(tenant) == []

    async def test_the_same_entry_again_is_kept_once(self, feeds: Feeds, kept: Kept, tenant: str) -> None:
        for _ in range(2):
            opened = await self.started(feeds, tenant)
            assert await feeds.take(tenant, SOURCE, NAME, turn(opened, entry("a")))

        assert await kept(tenant) == ["a@0"]

    async def test_a_stopped_feed_takes_nothing_in_and_goes_on_where_it_was(
        self, feeds: Feeds, kept: Kept, tenant: str
    ) -> None:
        first = await self.started(feeds, tenant)
        await feeds.take(tenant, SOURCE, NAME, turn(first, entry("a"), cursor="c1"))
        under_way = await self.opened(feeds, tenant)

        stopped = await feeds.stop(tenant, SOURCE, NAME)
        refused = await feeds.take(tenant, SOURCE, NAME, turn(under_way, entry("b"), cursor="c2"))
        none = await feeds.opened(tenant, SOURCE, NAME)
        again = await self.started(feeds, tenant)

        assert stopped.stopped_at
        assert await feeds.stop(tenant, SOURCE, NAME) == (await feeds.listed(tenant))[0]
        assert (refused, none) == (False, None)
        assert (again.cursor, again.feed.points, again.feed.stopped_at) == ("c1", 3, None)
        assert await kept(tenant) == ["a@0"]

    async def test_what_is_known_is_what_was_taken_last(self, feeds: Feeds, tenant: str) -> None:
        opened = await self.started(feeds, tenant)
        await feeds.take(tenant, SOURCE, NAME, turn(opened, entry("a"), entry("b")))
        opened = await self.opened(feeds, tenant)
        later = (entry("a", minute=1, place="there"), entry("a", minute=2, place="yonder"))
        await feeds.take(tenant, SOURCE, NAME, turn(opened, *later))

        known = await feeds.last_known(tenant, SOURCE, NAME, ["a", "b", "c"])

        assert known == {"a": later[1].last_known, "b": entry("b").last_known}

    async def test_a_failure_is_told_until_a_poll_goes_well(self, feeds: Feeds, tenant: str) -> None:
        await self.started(feeds, tenant)
        await feeds.failed(tenant, SOURCE, NAME, error="refused with status 401")
        failed = await self.opened(feeds, tenant)
        await feeds.take(tenant, SOURCE, NAME, turn(failed))

        assert failed.feed.last_error == "refused with status 401"
        assert failed.feed.last_polled_at
        assert (await self.opened(feeds, tenant)).feed.last_error is None

    async def test_a_feed_is_due_when_it_is_started_and_not_again_while_it_is_polled(
        self, feeds: Feeds, tenant: str
    ) -> None:
        await self.started(feeds, tenant)

        due = await feeds.due(after_s=3600)
        then = await feeds.due(after_s=3600)
        later = await feeds.due(after_s=0)
        await self.started(feeds, tenant)
        anew = await feeds.due(after_s=3600)
        await self.started(feeds, tenant)
        await feeds.stop(tenant, SOURCE, NAME)

        assert due == PollFeed(tenant_id=tenant, source=SOURCE, name=NAME)
        assert (then, later, anew) == (None, due, due)
        assert await feeds.due(after_s=0) is None

    async def test_a_feed_that_was_polled_just_now_is_not_due(self, feeds: Feeds, tenant: str) -> None:
        opened = await self.started(feeds, tenant)
        await feeds.due(after_s=0)

        await feeds.take(tenant, SOURCE, NAME, turn(opened))

        assert await feeds.due(after_s=3600) is None

    async def test_another_tenants_feed_is_no_ones(
        self, feeds: Feeds, kept: Kept, tenant: str, other_tenant: str
    ) -> None:
        opened = await self.started(feeds, tenant)
        await feeds.take(tenant, SOURCE, NAME, turn(opened, entry("a")))

        assert not await feeds.take(other_tenant, SOURCE, NAME, turn(opened, entry("b")))
        assert await feeds.opened(other_tenant, SOURCE, NAME) is None
        assert await feeds.listed(other_tenant) == []
        assert await feeds.last_known(other_tenant, SOURCE, NAME, ["a"]) == {}
        assert await kept(other_tenant) == []
        with pytest.raises(ItemNotFound):
            await feeds.stop(other_tenant, SOURCE, NAME)
