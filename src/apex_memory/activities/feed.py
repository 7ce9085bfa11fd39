"""A feed in; what its source's API has to say since the last time, as inbox events, out."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog
from temporalio import activity

from apex_memory.domain.errors import PermanentError, TransientError
from apex_memory.domain.feeds import FeedEntry, FeedPage, FeedTurn, LastKnown, OpenedFeed, Polled, PollFeed
from apex_memory.ports import Feeds, SourceApi

#: One poll reads no further than this: what it holds is in memory, and becomes one transaction.
MAX_PAGES: Final = 50
MAX_POINTS: Final = 20_000
MAX_READING_S: Final = 20.0
#: While so much waits, nothing is asked for: the source keeps it, and more points then share an entry.
MAX_WAITING: Final = 5_000
MAX_WAITING_BYTES: Final = 8 << 20

log = structlog.get_logger()


class FeedReader(Protocol):
    """How a feed is asked for, and what its pages say of each thing."""

    path: str

    def query(self, cursor: str | None) -> Mapping[str, str]: ...

    def page(self, answer: Mapping[str, object]) -> FeedPage:
        """Raises SourceUnavailable."""
        ...

    def subjects(self, pages: Sequence[FeedPage]) -> Sequence[str]: ...

    def entries(self, pages: Sequence[FeedPage], known: Mapping[str, LastKnown]) -> tuple[FeedEntry, ...]: ...


class FeedActivities:
    """The activity of a SourceFeedWorkflow. It may be repeated, and run twice at once: one of them counts."""

    def __init__(
        self, *, feeds: Feeds, api: SourceApi, reader_named: Callable[[str, str], FeedReader]
    ) -> None:
        self._feeds = feeds
        self._api = api
        self._reader_named = reader_named

    @activity.defn
    async def poll_feed_activity(self, poll: PollFeed) -> Polled:
        """Read on from the cursor, and take what was read into the inbox while moving it.

        Raises:
            NotConnected, SourceRefused, SettingMissing, ItemNotFound: somebody must mend something first.
            RateLimited, SourceUnavailable: may be tried again.
        """
        opened = await self._feeds.opened(poll.tenant_id, poll.source, poll.name)
        if opened is None:
            return Polled(wanted=False)
        polled = Polled(
            wanted=True,
            interval_s=opened.feed.interval_s,
            waiting=opened.waiting,
            total=opened.feed.points,
        )
        if opened.waiting >= MAX_WAITING or opened.waiting_bytes >= MAX_WAITING_BYTES:
            log.info("feed.held_back", **_named(poll), waiting=opened.waiting, size=opened.waiting_bytes)
            return polled.model_copy(update={"held_back": True})
        return await self._read_on(poll, opened, polled)

    async def _read_on(self, poll: PollFeed, opened: OpenedFeed, polled: Polled) -> Polled:
        which = (poll.tenant_id, poll.source, poll.name)
        try:
            reader = self._reader_named(poll.source, poll.name)
            pages, more = await self._pages(poll, reader, opened.cursor)
        except (PermanentError, TransientError) as exc:
            await self._feeds.failed(*which, error=str(exc))
            log.warning("feed.failed", **_named(poll), error=type(exc).__name__, reason=str(exc))
            raise
        known = await self._feeds.last_known(*which, reader.subjects(pages))
        # In a thread: 20,000 points are half a second's work, and heartbeats must not wait for it.
        entries = await asyncio.to_thread(reader.entries, pages, known)
        turn = FeedTurn(turn=opened.turn, cursor=pages[-1].cursor, entries=entries)
        if not await self._feeds.take(*which, turn):
            # Stopped meanwhile, or polled by somebody who was taken for dead: the next poll finds out which.
            log.info("feed.overtaken", **_named(poll), turn=opened.turn)
            return polled.model_copy(update={"more": True})
        log.info("feed.polled", **_named(poll), pages=len(pages), entries=len(entries), points=turn.points)
        return polled.model_copy(
            update={
                "points": turn.points,
                "entries": len(entries),
                "more": more,
                "total": opened.feed.points + turn.points,
                "lag_s": _lag_s(entries),
            }
        )

    async def _pages(
        self, poll: PollFeed, reader: FeedReader, cursor: str | None
    ) -> tuple[Sequence[FeedPage], bool]:
        """At least one page; and whether the source has more."""
        pages: list[FeedPage] = []
        points, until = 0, time.monotonic() + MAX_READING_S
        while True:
            try:
                answer = await self._api.get(poll.tenant_id, poll.source, reader.path, reader.query(cursor))
                page = reader.page(answer)
            except TransientError:
                if not pages:
                    raise
                # What was read counts. The next poll meets the failure by itself, and waits where it shows.
                return pages, True
            pages.append(page)
            # A cursor that stands still would be read for ever.
            more = page.more and page.cursor != cursor
            cursor, points = page.cursor, points + page.points
            enough = len(pages) >= MAX_PAGES or points >= MAX_POINTS or time.monotonic() >= until
            if not more or enough:
                return pages, more


def _lag_s(entries: Sequence[FeedEntry]) -> float | None:
    newest = max((entry.last_known.at for entry in entries if entry.last_known), default=None)
    return newest and round((datetime.now(UTC) - newest).total_seconds(), 1)


def _named(poll: PollFeed) -> dict[str, str]:
    return {"tenant_id": poll.tenant_id, "source": poll.source, "feed": poll.name}
