"""Deliveries in, batches for workflows out; and what is staged on the way."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol
from uuid import UUID

from apex_memory.domain.ledger import (
    Accepted,
    AcceptedBatch,
    Announcement,
    Batch,
    Conclusion,
    InboxEvent,
    Ingestion,
)


class StagingArea(Protocol):
    """Named bytes, durable once `write` returns. Keys are `tenant/source/data_id/name`."""

    async def write(self, key: str, data: bytes) -> None: ...

    async def read(self, key: str) -> bytes:
        """Raises StagedObjectMissing."""
        ...

    async def remove(self, prefix: str) -> None:
        """Remove everything under `prefix`; nothing there is fine."""
        ...

    async def folders(self, *, older_than_s: float, after: str | None, limit: int) -> Sequence[str]:
        """Prefixes `tenant/source/data_id` into which nothing was written for so long, in their order."""
        ...


class Inbox(Protocol):
    """Deliveries, each kept once, until a workflow has taken them in."""

    async def accept(self, event: InboxEvent) -> Accepted: ...

    async def accept_batch(self, batch: Batch, events: Sequence[InboxEvent]) -> AcceptedBatch:
        """All of them as this one batch, claimed by the caller, or nothing.

        If there is a batch by this id, it stays as it is. One that is not started in time is claimed like any
        batch whose claimer died.
        """
        ...

    async def claim(self, *, batch_size: int, in_flight: int, at_once: int = 1_000) -> Batch | None:
        """Take up to `batch_size` events of one tenant and source, or a batch whose claimer died.

        At most `in_flight` batches of a tenant and source are open at a time, and at most `at_once` of those
        that were claimed lately. None: nothing to take.
        """
        ...

    async def started(self, batch: Batch, *, workflow_id: str) -> None: ...

    async def events(self, tenant_id: str, batch_id: UUID) -> Sequence[InboxEvent]: ...

    async def conclude(self, tenant_id: str, conclusions: Sequence[Conclusion]) -> None:
        """Record outcomes of events that end without a commit; an outcome already there stays."""
        ...

    async def close(self, tenant_id: str, batch_id: UUID, *, reason: str | None = None) -> None:
        """The batch's workflow is over; with a reason, its events without an outcome are quarantined."""
        ...

    async def release(self, tenant_id: str, batch_id: UUID) -> None:
        """Its workflow is lost: any relay starts the batch again. A closed batch stays closed."""
        ...

    async def ingestion(self, tenant_id: str, event_id: UUID) -> Ingestion:
        """Raises ItemNotFound."""
        ...

    async def settled(self, tenant_id: str, event_id: UUID, *, timeout_s: float) -> Ingestion:
        """The ingestion as soon as it is done, or as it is when the time is up. Raises ItemNotFound."""
        ...


class Outbox(Protocol):
    """What became visible, for those who must hear of it."""

    async def deliver(self, to: Callable[[Sequence[Announcement]], Awaitable[None]], *, limit: int) -> int:
        """Hand up to `limit` announcements over; if that fails they all stay. How many were handed over."""
        ...


class ApiKeys(Protocol):
    """Who may call, and whose data they see: the key alone decides the tenant."""

    async def issue(self, tenant_id: str, *, label: str) -> str:
        """A new key, shown once; only its hash is kept."""
        ...

    async def tenant_of(self, key: str) -> str | None:
        """None: malformed, unknown, expired or revoked."""
        ...
