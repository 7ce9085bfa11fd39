"""Feeds to be read in, what was read of them as inbox events out: Feeds without a service."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.feeds import Feed, FeedEntry, FeedTurn, LastKnown, OpenedFeed, PollFeed

_Key = tuple[str, str, str]


@dataclass
class _Row:
    feed: Feed
    cursor: str | None = None
    turn: int = 0
    looked_at: float | None = None
    polled_at: float = float("-inf")
    known: dict[str, LastKnown] = field(default_factory=dict[str, LastKnown])


class MemoryFeeds:
    """Keeps the contract of `ports.Feeds`. The events in `inbox` wait until they are `claimed`."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rows: dict[_Key, _Row] = {}
        self.inbox: dict[tuple[str, str, str], FeedEntry] = {}
        self._waiting: dict[tuple[str, str], list[FeedEntry]] = {}

    def claimed(self, tenant_id: str, source: str) -> None:
        """A relay has taken all that waited."""
        self._waiting.pop((tenant_id, source), None)

    def entries(self, tenant_id: str) -> Sequence[FeedEntry]:
        """The inbox events of a tenant, in the order in which they came."""
        return [entry for (owner, _, _), entry in self.inbox.items() if owner == tenant_id]

    async def start(self, tenant_id: str, source: str, name: str, *, interval_s: int) -> Feed:
        new = Feed(source=source, name=name, interval_s=interval_s, created_at=datetime.now(UTC))
        row = self._rows.setdefault((tenant_id, source, name), _Row(new))
        row.feed = row.feed.model_copy(update={"interval_s": interval_s, "stopped_at": None})
        row.looked_at = None
        return row.feed

    async def stop(self, tenant_id: str, source: str, name: str) -> Feed:
        row = self._rows.get((tenant_id, source, name))
        if row is None:
            raise ItemNotFound("feed", f"{source}/{name}")
        stopped_at = row.feed.stopped_at or datetime.now(UTC)
        row.feed = row.feed.model_copy(update={"stopped_at": stopped_at})
        return row.feed

    async def listed(self, tenant_id: str) -> Sequence[Feed]:
        return [row.feed for key, row in sorted(self._rows.items()) if key[0] == tenant_id]

    async def due(self, *, after_s: float) -> PollFeed | None:
        now = self._clock()
        for (tenant_id, source, name), row in self._rows.items():
            seen = None if row.looked_at is None else max(row.looked_at, row.polled_at)
            if row.feed.stopped_at is None and (seen is None or seen < now - after_s):
                row.looked_at = now
                return PollFeed(tenant_id=tenant_id, source=source, name=name)
        return None

    async def opened(self, tenant_id: str, source: str, name: str) -> OpenedFeed | None:
        row = self._wanted(tenant_id, source, name)
        if row is None:
            return None
        waiting = self._waiting.get((tenant_id, source), [])
        return OpenedFeed(
            feed=row.feed,
            cursor=row.cursor,
            turn=row.turn,
            waiting=len(waiting),
            waiting_bytes=sum(len(entry.body) for entry in waiting),
        )

    async def last_known(
        self, tenant_id: str, source: str, name: str, subjects: Sequence[str]
    ) -> Mapping[str, LastKnown]:
        row = self._rows.get((tenant_id, source, name))
        known = row.known if row else {}
        return {subject: known[subject] for subject in subjects if subject in known}

    async def take(self, tenant_id: str, source: str, name: str, turn: FeedTurn) -> bool:
        row = self._wanted(tenant_id, source, name)
        if row is None or row.turn != turn.turn:
            return False
        row.cursor, row.turn = turn.cursor, row.turn + 1
        self._note(row, last_error=None, points=row.feed.points + turn.points)
        for entry in turn.entries:
            if (key := (tenant_id, source, entry.dedupe_key)) not in self.inbox:
                self.inbox[key] = entry
                self._waiting.setdefault((tenant_id, source), []).append(entry)
            if entry.subject is not None and entry.last_known:
                row.known[entry.subject] = entry.last_known
        return True

    async def failed(self, tenant_id: str, source: str, name: str, *, error: str) -> None:
        if row := self._rows.get((tenant_id, source, name)):
            self._note(row, last_error=error)

    def _wanted(self, tenant_id: str, source: str, name: str) -> _Row | None:
        row = self._rows.get((tenant_id, source, name))
        return row if row and row.feed.stopped_at is None else None

    def _note(self, row: _Row, **changes: object) -> None:
        row.polled_at = self._clock()
        row.feed = row.feed.model_copy(update={"last_polled_at": datetime.now(UTC), **changes})
