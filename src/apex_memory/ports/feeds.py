"""Feeds that tenants want to be read in; which are due, how far each was read, and what was read, out."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from apex_memory.domain.feeds import Feed, FeedTurn, LastKnown, OpenedFeed, PollFeed


class Feeds(Protocol):
    """The polled feeds of tenants. What is read goes into the inbox while the cursor moves, or not at all."""

    async def start(self, tenant_id: str, source: str, name: str, *, interval_s: int) -> Feed:
        """Have it read, or read it at another interval. One that was stopped goes on where it was."""
        ...

    async def stop(self, tenant_id: str, source: str, name: str) -> Feed:
        """Nothing more is taken in once this returns. Raises ItemNotFound."""
        ...

    async def listed(self, tenant_id: str) -> Sequence[Feed]:
        """By source and name; stopped ones too."""
        ...

    async def due(self, *, after_s: float) -> PollFeed | None:
        """A wanted feed that was just started, or neither polled nor named here for `after_s`; or None."""
        ...

    async def opened(self, tenant_id: str, source: str, name: str) -> OpenedFeed | None:
        """None: it is not wanted."""
        ...

    async def last_known(
        self, tenant_id: str, source: str, name: str, subjects: Sequence[str]
    ) -> Mapping[str, LastKnown]:
        """Of those that the feed has ever told a place of."""
        ...

    async def take(self, tenant_id: str, source: str, name: str, turn: FeedTurn) -> bool:
        """Put the entries into the inbox, each once, and move the cursor, in one transaction.

        False: the feed was stopped, or is at another turn, and nothing was written.
        """
        ...

    async def failed(self, tenant_id: str, source: str, name: str, *, error: str) -> None:
        """Note why a poll brought nothing; the next one that is taken in clears it."""
        ...
