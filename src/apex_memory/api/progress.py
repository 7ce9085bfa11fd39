"""An ingestion in, each change of it out as it happens, as server-sent events, until it is done."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Final

import structlog
from fastapi import Depends, Request
from fastapi.sse import format_sse_event

from apex_memory.api.auth import Tenant
from apex_memory.api.models import IngestionStatus
from apex_memory.api.problems import Refused
from apex_memory.api.state import Draining
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.ledger import Ingestion
from apex_memory.ports import Inbox
from apex_memory.process import beside

MEDIA_TYPE: Final = "text/event-stream"
#: No store keeps it, and no proxy holds it back: nginx would wait for 4 KB of it.
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
#: A client that lost its stream, or whose time was up, asks again after so long.
_RETRY_MS: Final = 1_000

log = structlog.get_logger()


@dataclass(frozen=True)
class Streams:
    """The open streams of this process, in all and by tenant, and the bounds of each.

    heartbeat_s: after so much silence a comment says that the connection lives; many proxies cut one that is
    silent for 15 s. look_s: the start of a workflow notifies nobody.
    """

    most: int = 128
    most_of_a_tenant: int = 32
    lifetime_s: float = 600.0
    heartbeat_s: float = 10.0
    look_s: float = 1.0
    open: Counter[str] = field(default_factory=Counter[str], init=False)

    @contextmanager
    def one_of(self, tenant_id: str) -> Generator[None]:
        """Raises Refused: 503, all are taken."""
        if self.open.total() >= self.most or self.open[tenant_id] >= self.most_of_a_tenant:
            detail = "As many streams are open as this process has; ask without /events, or again later."
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "5"})
        self.open[tenant_id] += 1
        try:
            yield
        finally:
            self.open[tenant_id] -= 1
            if not self.open[tenant_id]:
                del self.open[tenant_id]

    async def events(
        self,
        inbox: Inbox,
        tenant_id: str,
        ingestion: Ingestion,
        *,
        seen: str | None,
        shown: Callable[[Ingestion], IngestionStatus],
        draining: Draining,
    ) -> AsyncGenerator[bytes, None]:
        """The present state unless it was seen, each later one, and the end: done, or time to come back.

        An event's id is its state: who reconnects under it is told only what is new. An outage of the inbox
        is waited out.
        """
        ends = time.monotonic() + self.lifetime_s
        spoke = time.monotonic()
        changes: asyncio.Queue[Ingestion] = asyncio.Queue()
        if ingestion.state != seen:
            yield _event(shown(ingestion))
        # Beside it: a look at a store that is frozen takes as long as it likes, and the client wants to hear.
        async with beside(self._watch(inbox, tenant_id, ingestion, changes), name="follow") as watch:
            while ingestion.state != "done" and not draining.begun and time.monotonic() < ends:
                try:
                    async with asyncio.timeout(self.look_s):
                        ingestion = await changes.get()
                except TimeoutError:
                    if watch.done():
                        watch.result()  # it ends early only by a bug: say which
                    if time.monotonic() - spoke >= self.heartbeat_s:
                        yield format_sse_event(comment="waiting")
                        spoke = time.monotonic()
                    continue
                yield _event(shown(ingestion))
                spoke = time.monotonic()

    async def _watch(
        self, inbox: Inbox, tenant_id: str, ingestion: Ingestion, changes: asyncio.Queue[Ingestion]
    ) -> None:
        """Each state that follows, until it is done."""
        while ingestion.state != "done":
            known = await self._look(inbox, tenant_id, ingestion)
            if known.state != ingestion.state:
                changes.put_nowait(known)
            ingestion = known

    async def _look(self, inbox: Inbox, tenant_id: str, known: Ingestion) -> Ingestion:
        """As it is after `look_s`, or as soon as it is done."""
        try:
            return await inbox.settled(tenant_id, known.ingestion_id, timeout_s=self.look_s)
        except StoreUnavailable as exc:
            log.warning("progress.waiting", event_id=str(known.ingestion_id), error=str(exc))
            await asyncio.sleep(self.look_s)
            return known


async def _streams(request: Request) -> Streams:
    return request.app.state.streams


OpenStreams = Annotated[Streams, Depends(_streams)]


async def _place(tenant_id: Tenant, streams: OpenStreams) -> AsyncGenerator[None, None]:
    # Ended by the framework after the last byte, or when the client is gone: a stream that never began its
    # first event would not give its place back by itself.
    with streams.one_of(tenant_id):
        yield


PLACE: Final = Depends(_place)


def _event(status: IngestionStatus) -> bytes:
    return format_sse_event(
        data_str=status.model_dump_json(), event=status.state, id=status.state, retry=_RETRY_MS
    )
