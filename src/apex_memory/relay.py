"""Inbox rows and requests to forget in, started workflows out; committed versions in, warmed caches out."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final
from uuid import UUID

import structlog
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy

from apex_memory.bootstrap.clients import connect_temporal
from apex_memory.bootstrap.feeding import Feeder
from apex_memory.bootstrap.starting import fair, start_batch, started_once
from apex_memory.database import Listener, open_database, open_listener
from apex_memory.domain import ids
from apex_memory.domain.errors import StoreUnavailable, TransientError
from apex_memory.domain.forgetting import ForgetItem, Forgetting
from apex_memory.domain.ledger import Announcement
from apex_memory.domain.queues import Queue
from apex_memory.failpoints import with_failpoints
from apex_memory.observability import configure_logging
from apex_memory.pipeline.intake.feeds import PostgresFeeds
from apex_memory.pipeline.intake.inbox import PostgresInbox
from apex_memory.pipeline.intake.outbox import PostgresOutbox
from apex_memory.pipeline.ledger.forgettings import PostgresForgettings
from apex_memory.pipeline.retrieval.cards import Cards
from apex_memory.pipeline.stores.archive import PostgresArchive
from apex_memory.pipeline.stores.registry import open_cache
from apex_memory.ports import Archive, Forgettings, Inbox, Outbox
from apex_memory.process import beside, termination
from apex_memory.settings import Settings
from apex_memory.workflows.attributes import ITEM_ID, STAGE, TENANT_ID, Stage
from apex_memory.workflows.forget import ForgetWorkflow

#: Notifications are lost while a listener reconnects: look again this often, found nothing or not.
_LOOK_AGAIN_S: Final = 1.0
_BACK_OFF_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
_ANNOUNCEMENTS: Final = 500

log = structlog.get_logger()


async def run_relay(settings: Settings) -> None:
    """Relay and deliver until SIGTERM.

    Raises:
        StoreUnavailable: Temporal does not answer at the start; the supervisor starts the process again.
    """
    configure_logging(settings, process="relay")
    stop = termination()
    async with relaying(settings, await connect_temporal(settings)) as loops:
        told = asyncio.create_task(stop.wait())
        ended, _ = await asyncio.wait([*loops, told], return_when=asyncio.FIRST_COMPLETED)
        for task in ended - {told}:
            task.result()  # a loop ends only by a bug: say which


@asynccontextmanager
async def relaying(
    settings: Settings, temporal: Client
) -> AsyncGenerator[Sequence[asyncio.Task[None]], None]:
    """Beside the body, start workflows for what arrives and warm the cache with what commits."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.postgres_url))
        arrivals = await stack.enter_async_context(open_listener(settings.postgres_url, "apex_inbox"))
        commits = await stack.enter_async_context(open_listener(settings.postgres_url, "apex_outbox"))
        relay = Relay(
            inbox=with_failpoints("inbox", PostgresInbox(database), settings.failpoints),
            temporal=with_failpoints("temporal", temporal, settings.failpoints),
            queue_prefix=settings.queue_prefix,
            batch_size=settings.relay_batch_size,
            in_flight=settings.relay_in_flight,
            at_once=settings.relay_at_once,
            small_batch=settings.relay_small_batch,
        )
        courier = Courier(
            outbox=with_failpoints("outbox", PostgresOutbox(database), settings.failpoints),
            archive=with_failpoints("archive", PostgresArchive(database), settings.failpoints),
            cards=Cards(await stack.enter_async_context(open_cache(settings))),
        )
        requests = await stack.enter_async_context(open_listener(settings.postgres_url, "apex_forget"))
        forgetter = Forgetter(
            forgettings=with_failpoints("forgettings", PostgresForgettings(database), settings.failpoints),
            temporal=with_failpoints("temporal", temporal, settings.failpoints),
            queue_prefix=settings.queue_prefix,
            zombie_window_s=settings.zombie_window_s,
        )
        wishes = await stack.enter_async_context(open_listener(settings.postgres_url, "apex_feed"))
        feeder = Feeder(
            feeds=with_failpoints("feeds", PostgresFeeds(database), settings.failpoints),
            temporal=with_failpoints("temporal", temporal, settings.failpoints),
            queue_prefix=settings.queue_prefix,
        )
        log.info("relay.ready", queue_prefix=settings.queue_prefix)
        yield [
            await stack.enter_async_context(beside(repeat(step, listener, name=name), name=name))
            for name, step, listener in (
                ("inbox", relay.step, arrivals),
                ("outbox", courier.step, commits),
                ("forget", forgetter.step, requests),
                ("feed", feeder.step, wishes),
            )
        ]


class Relay:
    """Starts one workflow a batch. Any number of relays may run: a batch is claimed by one, started once."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        temporal: Client,
        queue_prefix: str,
        batch_size: int,
        in_flight: int,
        at_once: int,
        small_batch: int,
    ) -> None:
        self._inbox = inbox
        self._temporal = temporal
        self._queue_prefix = queue_prefix
        self._batch_size = batch_size
        self._in_flight = in_flight
        self._at_once = at_once
        self._small_batch = small_batch

    async def step(self) -> bool:
        """Claim and start one batch; False: there was none."""
        batch = await self._inbox.claim(
            batch_size=self._batch_size, in_flight=self._in_flight, at_once=self._at_once
        )
        if batch is None:
            return False
        # Claimed and not started is mended by any relay: the id is the batch's, so it starts once.
        workflow_id = await start_batch(
            self._temporal, batch, queue_prefix=self._queue_prefix, small=self._small_batch
        )
        await self._inbox.started(batch, workflow_id=workflow_id)
        log.info("batch.started", tenant_id=batch.tenant_id, workflow_id=workflow_id, size=batch.size)
        return True


class Forgetter:
    """Starts one workflow a request to forget, under an id of its own; a repetition changes nothing."""

    def __init__(
        self, *, forgettings: Forgettings, temporal: Client, queue_prefix: str, zombie_window_s: float
    ) -> None:
        self._forgettings = forgettings
        self._temporal = temporal
        self._queue = Queue.WORKFLOWS.named(queue_prefix)
        self._zombie_window_s = zombie_window_s

    async def step(self) -> bool:
        """Start one; False: none waits."""
        return await self._forgettings.hand_over(self._start)

    async def _start(self, tenant_id: str, forgetting: Forgetting) -> str:
        workflow_id = ids.forgetting_workflow_id(tenant_id, forgetting.item_id, forgetting.forget_id)
        forget = ForgetItem(
            tenant_id=tenant_id,
            forget_id=forgetting.forget_id,
            item_id=forgetting.item_id,
            seq=forgetting.seq,
            zombie_window_s=self._zombie_window_s,
        )
        attributes = [
            SearchAttributePair(TENANT_ID, tenant_id),
            SearchAttributePair(ITEM_ID, str(forgetting.item_id)),
            SearchAttributePair(STAGE, Stage.ERASING),
        ]
        with started_once():
            await self._temporal.start_workflow(
                ForgetWorkflow.__name__,
                forget,
                id=workflow_id,
                task_queue=self._queue,
                # One that was cancelled may be started again: whatever it does, it may do twice.
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                search_attributes=TypedSearchAttributes(attributes),
                priority=fair(tenant_id),
            )
        log.info("forgetting.started", tenant_id=tenant_id, workflow_id=workflow_id)
        return workflow_id


class Courier:
    """Empties the outbox: after a commit the item's card is in the cache. Redis down delays only this."""

    def __init__(self, *, outbox: Outbox, archive: Archive, cards: Cards) -> None:
        self._outbox = outbox
        self._archive = archive
        self._cards = cards

    async def step(self) -> bool:
        """Deliver some announcements; False: there were none."""
        return await self._outbox.deliver(self._announce, limit=_ANNOUNCEMENTS) > 0

    async def _announce(self, announcements: Sequence[Announcement]) -> None:
        commits: defaultdict[tuple[str, int], list[UUID]] = defaultdict(list)
        for each in announcements:
            commits[each.tenant_id, each.commit_seq].append(each.item_id)
        for (tenant_id, seq), item_ids in commits.items():
            # Without late history, which no reader will ask for.
            cards = await self._archive.items(tenant_id, item_ids, seq=seq)
            if not await self._cards.put(tenant_id, cards):
                raise StoreUnavailable("redis", "the cards were not kept")


async def repeat(step: Callable[[], Awaitable[bool]], listener: Listener, *, name: str) -> None:
    """Take steps while there is work, then wait for a notification. An outage is waited out, ever slower."""
    failures = 0
    with listener.waiting_for("") as wakened:
        while True:
            wakened.clear()
            try:
                while await step():
                    failures = 0
                failures = 0
                delay = _LOOK_AGAIN_S
            except TransientError as exc:
                delay = _BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)]
                failures += 1
                log.warning("relay.waiting", loop=name, error=str(exc), retry_in_s=delay)
                await asyncio.sleep(delay)
                continue
            # Not wait_for: before Python 3.12 it swallows a cancel that meets the notification.
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await wakened.wait()
