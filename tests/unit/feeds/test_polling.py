"""One poll of a feed, without a service: how far it reads, what it takes in, what it says if it cannot."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.unit.feeds.fleet import Json, ScriptedApi, answer, mapped, page, point, row, sampled

from apex_memory.activities import feed as feeding
from apex_memory.activities.feed import FeedActivities
from apex_memory.domain.errors import ApexError, NotConnected, RateLimited, SourceRefused, SourceUnavailable
from apex_memory.domain.feeds import FeedTurn, Polled, PollFeed
from apex_memory.pipeline.sources.feeds import feed_named
from apex_memory.pipeline.sources.samsara.gps import GpsFeed
from apex_memory.testing import MemoryFeeds

TENANT = "t"
POLL = PollFeed(tenant_id=TENANT, source="samsara", name="gps")
LIMITED = RateLimited("samsara", 7.0)
DOWN = SourceUnavailable("samsara", "dropped")


async def started() -> MemoryFeeds:
    feeds = MemoryFeeds()
    await feeds.start(TENANT, "samsara", "gps", interval_s=5)
    return feeds


async def poll(feeds: MemoryFeeds, api: ScriptedApi) -> Polled:
    activities = FeedActivities(feeds=feeds, api=api, reader_named=feed_named)
    with capture_logs():
        return await activities.poll_feed_activity(POLL)


async def cursor_of(feeds: MemoryFeeds) -> str | None:
    opened = await feeds.opened(TENANT, "samsara", "gps")
    assert opened
    return opened.cursor


def seconds(feeds: MemoryFeeds) -> list[float]:
    return [second for entry in feeds.entries(TENANT) for second in sampled(mapped(entry))]


async def test_pages_are_followed_to_the_last_one() -> None:
    feeds = await started()
    api = ScriptedApi(
        {
            None: answer(row("7", point(0)), cursor="c1", more=True),
            "c1": answer(row("7", point(1)), row("8", point(1)), cursor="c2", more=True),
            "c2": answer(cursor="c3"),
        }
    )

    polled = await poll(feeds, api)

    assert (polled.wanted, polled.points, polled.entries, polled.more, polled.total) == (True, 3, 2, False, 3)
    assert polled.lag_s is not None
    assert api.asked == [(TENANT, None), (TENANT, "c1"), (TENANT, "c2")]
    assert await cursor_of(feeds) == "c3"
    assert sorted(seconds(feeds)) == [0, 1, 1]


async def test_the_next_poll_goes_on_from_the_cursor() -> None:
    feeds = await started()
    api = ScriptedApi({None: answer(row("7", point(0)), cursor="c1"), "c1": answer(cursor="c1")})

    await poll(feeds, api)
    nothing = await poll(feeds, api)

    assert (nothing.points, nothing.total, nothing.lag_s, nothing.more) == (0, 1, None, False)
    assert [cursor for _, cursor in api.asked] == [None, "c1"]


async def test_a_poll_ends_when_it_has_read_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "MAX_POINTS", 2)
    feeds = await started()
    api = ScriptedApi(
        {
            None: answer(row("7", point(0)), cursor="c1", more=True),
            "c1": answer(row("7", point(1)), cursor="c2", more=True),
            "c2": answer(row("7", point(2)), cursor="c3"),
        }
    )

    first, second = await poll(feeds, api), await poll(feeds, api)

    assert (first.more, first.points, second.more, second.points) == (True, 2, False, 1)


async def test_a_cursor_that_stands_still_ends_the_poll() -> None:
    feeds = await started()
    api = ScriptedApi({None: answer(cursor="c1", more=True), "c1": answer(cursor="c1", more=True)})

    assert not (await poll(feeds, api)).more


async def test_what_was_read_before_a_failure_is_taken_in_and_the_next_poll_meets_it() -> None:
    feeds = await started()
    second = answer(row("7", point(1)), cursor="c2")
    api = ScriptedApi(
        {None: answer(row("7", point(0)), cursor="c1", more=True), "c1": [DOWN, LIMITED, second]}
    )

    first = await poll(feeds, api)
    with pytest.raises(RateLimited):
        await poll(feeds, api)
    last = await poll(feeds, api)

    assert (first.points, first.more, last.points) == (1, True, 1)
    assert seconds(feeds) == [0, 1]


@pytest.mark.parametrize("error", [LIMITED, DOWN, NotConnected("samsara"), SourceRefused("samsara", 401)])
async def test_why_nothing_came_is_told_where_people_look(error: ApexError) -> None:
    feeds = await started()
    api = ScriptedApi({None: [error, answer()]})

    with pytest.raises(type(error)):
        await poll(feeds, api)
    [failed] = await feeds.listed(TENANT)
    await poll(feeds, api)
    [mended] = await feeds.listed(TENANT)

    assert failed.last_error == str(error)
    assert mended.last_error is None


async def test_a_page_that_is_none_moves_nothing() -> None:
    feeds = await started()

    with pytest.raises(SourceUnavailable):
        await poll(feeds, ScriptedApi({None: {"data": "nothing"}}))

    assert await cursor_of(feeds) is None


async def test_a_stopped_feed_is_not_asked_for() -> None:
    feeds, api = await started(), ScriptedApi({})
    await feeds.stop(TENANT, "samsara", "gps")

    assert await poll(feeds, api) == Polled(wanted=False)
    assert api.asked == []


@pytest.mark.parametrize(("limit", "allowed"), [("MAX_WAITING", 2), ("MAX_WAITING_BYTES", 60)])
async def test_nothing_is_asked_for_while_too_much_waits(
    monkeypatch: pytest.MonkeyPatch, limit: str, allowed: int
) -> None:
    monkeypatch.setattr(feeding, limit, allowed)
    feeds = await started()
    rows = row("7", point(0)), row("8", point(0))
    api = ScriptedApi({None: answer(*rows, cursor="c1"), "c1": answer(row("7", point(1)), cursor="c2")})
    await poll(feeds, api)

    held = await poll(feeds, api)
    feeds.claimed(TENANT, "samsara")
    free = await poll(feeds, api)

    assert (held.held_back, held.waiting, held.points, held.total) == (True, 2, 0, 2)
    assert (free.held_back, free.points) == (False, 1)
    assert len(api.asked) == 2


class _Overtaking(ScriptedApi):
    """While one poll waits for its answer, another one is quicker."""

    def __init__(self, said: dict[str | None, Json | Sequence[Exception | Json]], feeds: MemoryFeeds) -> None:
        super().__init__(said)
        self._feeds = feeds

    async def get(self, tenant_id: str, source: str, path: str, query: object = None) -> Json:
        said = await super().get(tenant_id, source, path, query)  # pyright: ignore[reportArgumentType]
        opened = await self._feeds.opened(TENANT, "samsara", "gps")
        if opened and opened.turn == 0:
            pages = [page(row("7", point(0)))]
            entries = GpsFeed().entries(pages, {})
            await self._feeds.take(TENANT, "samsara", "gps", FeedTurn(turn=0, cursor="c1", entries=entries))
        return dict(said)


async def test_a_poll_that_was_overtaken_writes_nothing_and_is_followed_by_another() -> None:
    feeds = await started()
    said: dict[str | None, Json | Sequence[Exception | Json]] = {
        None: answer(row("7", point(0)), row("8", point(0)), cursor="c9")
    }

    polled = await poll(feeds, _Overtaking(said, feeds))

    assert (polled.wanted, polled.more, polled.points) == (True, True, 0)
    assert await cursor_of(feeds) == "c1"
    assert [entry.subject for entry in feeds.entries(TENANT)] == ["7"]


@settings(deadline=None)
@given(
    spread=st.lists(st.integers(0, 3), min_size=1, max_size=8),
    failures=st.lists(st.booleans(), max_size=12),
)
async def test_every_point_is_taken_in_once_however_polls_fail(
    spread: list[int], failures: list[bool]
) -> None:
    """Points over pages of a feed that fails as it likes; a poll is tried again until nothing is left."""
    feeds = await started()
    total, said, left = 0, dict[str | None, Json | Sequence[Exception | Json]](), list(failures)
    for number, count in enumerate(spread):
        points = [point(total + n) for n in range(count)]
        total += count
        usual = answer(row("7", *points), cursor=f"c{number}", more=number + 1 < len(spread))
        fails: list[Exception | Json] = [DOWN for _ in range(2) if left and left.pop()]
        said[f"c{number - 1}" if number else None] = [*fails, usual]
    said[f"c{len(spread) - 1}"] = answer(cursor=f"c{len(spread) - 1}")
    api = ScriptedApi(said)

    more = True
    while more:
        try:
            more = (await poll(feeds, api)).more
        except SourceUnavailable:
            continue

    assert sorted(seconds(feeds)) == list(range(total))
    assert (await feeds.listed(TENANT))[0].points == total
