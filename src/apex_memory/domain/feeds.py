"""A source's feed that is polled: what its tenant wishes, how far it was read, and what one poll came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from apex_memory.domain.value import Value


class Feed(Value):
    """points: all that were taken in. last_error: why the last poll brought nothing; None if it went well."""

    source: str
    name: str
    interval_s: int
    created_at: datetime
    stopped_at: datetime | None = None
    last_polled_at: datetime | None = None
    last_error: str | None = None
    points: int = 0


class OpenedFeed(Value):
    """A feed that is wanted, as a poll finds it. Each poll that takes something in raises `turn` by one.

    waiting, waiting_bytes: what of its tenant and source no relay has claimed yet, counted no further than a
    poll needs to know.
    """

    feed: Feed
    cursor: str | None
    turn: int
    waiting: int
    waiting_bytes: int


class LastKnown(Value):
    """Of one thing that a feed follows: its newest point's time, and a digest of the last claimed place."""

    at: datetime
    place: str


class FeedEntry(Value):
    """What a feed said of one thing in one poll: the inbox event that it becomes.

    subject: the thing, by the source's id; None if it could not be read, and nothing is known of it then.
    """

    subject: str | None
    label: str
    dedupe_key: str
    body: bytes = Field(repr=False)
    points: int
    last_known: LastKnown | None


class FeedTurn(Value):
    """What one poll read: from the `turn` at which it found the feed, up to the cursor that comes next."""

    turn: int
    cursor: str
    entries: tuple[FeedEntry, ...]

    @property
    def points(self) -> int:
        return sum(entry.points for entry in self.entries)


@dataclass(frozen=True)
class FeedPage:
    """One answer of a source's API: what it says of each thing, as it was sent, and where to ask next."""

    rows: tuple[Mapping[str, object], ...]
    points: int
    cursor: str
    more: bool


class PollFeed(Value):
    """What crosses Temporal: which feed."""

    tenant_id: str
    source: str
    name: str


class Polled(Value):
    """What one poll came to.

    wanted: False if the feed was stopped. more: pages are left. held_back: nothing was asked for, because so
    much is `waiting`. total: points since the feed was made. lag_s: how old the newest point was, in seconds.
    """

    wanted: bool
    interval_s: int = 0
    points: int = 0
    entries: int = 0
    more: bool = False
    held_back: bool = False
    waiting: int = 0
    total: int = 0
    lag_s: float | None = None
