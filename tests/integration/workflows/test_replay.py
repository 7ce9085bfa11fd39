"""What ran on the real server replays: workflows are deterministic in success, rejection, undoing, upkeep."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from tests.doubles.sandbox import sandbox
from tests.doubles.sources import TOKEN, rate_limited, sources_double, usual
from tests.integration.workflows.product import accept_document, accept_record, at_work, settled

from apex_memory.bootstrap.memory import Memory
from apex_memory.bootstrap.schedules import SCHEDULED, schedule_id
from apex_memory.cli.rebuild_run import start_rebuild
from apex_memory.domain import ids
from apex_memory.domain.bundles import VersionedBundle
from apex_memory.domain.connections import BearerCredentials
from apex_memory.domain.errors import EmbedderMismatch, StoreUnavailable
from apex_memory.domain.feeds import Feed
from apex_memory.domain.queues import Queue
from apex_memory.domain.upkeep import UpkeepRun
from apex_memory.ports import Store
from apex_memory.settings import Settings
from apex_memory.testing import Fault, Misbehaving, always
from apex_memory.workflows.registry import WORKFLOWS

pytestmark = pytest.mark.integration

REFUSED = "SHIP-REFUSED"
ONCE_MORE = "SHIP-ONCE-MORE"
_NOON = "2026-11-18T12:00:00Z"
THIN = {
    "eventName": "SHIPMENT_STATUS_UPDATE",
    "eventTime": "2026-11-18T14:05:44.856Z",
    "eventPayload": {"id": 1000324868, "status": {"code": {"key": "2105", "value": "En route"}}},
}


class _RefusesOne(Misbehaving):
    """One item never; another one only the first time."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, always(Fault.NONE))
        self._lost = False

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        await super().prepare(writes)
        if not self._lost and any(w.bundle.external_id == ONCE_MORE for w in writes):
            self._lost = True
            raise StoreUnavailable(self.name, "the answer was lost, as planned")
        if any(w.bundle.external_id == REFUSED for w in writes):
            raise EmbedderMismatch(stored="another", configured="this")


@dataclass(frozen=True)
class Recorded:
    name: str
    history: WorkflowHistory


async def _closed(name: str, handle: WorkflowHandle[Any, Any]) -> Recorded:
    """Until it is closed: what follows the commit belongs to the history too."""
    async for _ in handle.fetch_history_events(wait_new_event=True):
        pass
    return Recorded(name, await handle.fetch_history())


async def _record_histories(
    settings: Settings, temporal: Client, memory: Memory, tenant: str
) -> list[Recorded]:
    """One of each way that an ingestion can end, one run of each kind of upkeep, and one forgetting."""

    def spoil(store: Store) -> Store:
        return _RefusesOne(store) if store.name == "neo4j" else store

    recorded: list[Recorded] = []

    async def record(name: str, event_id: UUID) -> None:
        await keep(name, (await settled(memory, tenant, event_id)).workflow_id or "")

    async def keep(name: str, workflow_id: str) -> None:
        recorded.append(await _closed(name, temporal.get_workflow_handle(workflow_id)))

    shipment = {"shipmentId": "SHIP-1", "status": "in_transit"}
    settings = settings.model_copy(update={"zombie_window_s": 0.5, "relay_small_batch": 0})
    async with at_work(settings, temporal, spoil=spoil):
        # One after the other: sent together they would be one batch.
        for name, record_, label in (
            ("records-committed", shipment, "SHIP-1"),
            ("records-unchanged", shipment, "SHIP-1"),
            ("records-quarantined", b"[]", "not a record"),
            ("records-undone", {"shipmentId": REFUSED}, REFUSED),
            # Thin: what it leaves out is asked for, and without a connection it stays so.
            ("records-completed", THIN, "1000324868"),
        ):
            await record(name, await accept_record(memory, tenant, "turvo", record_, label=label))
        for name, text in (("document-committed", "# A\n\nSome text.\n"), ("document-quarantined", " \n")):
            await record(name, await accept_document(memory, tenant, f"{name}.md", text))
        for kind in SCHEDULED:
            workflow_id = f"{schedule_id(kind, settings)}:recorded"
            queue = Queue.WORKFLOWS.named(settings.queue_prefix)
            await temporal.start_workflow(
                kind.workflow.__name__, UpkeepRun(), id=workflow_id, task_queue=queue
            )
            await keep(f"upkeep-{kind.name}", workflow_id)
        await keep("rebuild", (await start_rebuild(temporal, settings, "qdrant", tenant)).id)
        item, forget_id = ids.item_id(tenant, "turvo", "SHIP-1"), uuid4()
        await memory.forgettings.request(tenant, item, forget_id=forget_id)
        while not (now := await memory.forgettings.forgetting(tenant, forget_id)).completed_at:
            await asyncio.sleep(0.1)
        await keep("forget", now.workflow_id or "")
    return recorded


async def _record_small(settings: Settings, temporal: Client, memory: Memory, tenant: str) -> list[Recorded]:
    """Batches whose steps are local activities: all well, refused for good, and tried a second time."""

    def spoil(store: Store) -> Store:
        return _RefusesOne(store) if store.name == "neo4j" else store

    recorded: list[Recorded] = []
    async with at_work(settings, temporal, spoil=spoil):
        for name, label in (
            ("small-tried-again", ONCE_MORE),
            ("small-undone", REFUSED),
            ("small-committed", "SHIP-2"),
        ):
            record = {"shipmentId": label, "status": "in_transit"}
            event_id = await accept_record(memory, tenant, "turvo", record, label=label)
            workflow_id = (await settled(memory, tenant, event_id)).workflow_id or ""
            recorded.append(await _closed(name, temporal.get_workflow_handle(workflow_id)))
    return recorded


async def _record_feeds(settings: Settings, temporal: Client, memory: Memory, tenant: str) -> list[Recorded]:
    """A feed that is polled, waits, and is stopped; and one that is refused, and cancelled."""
    handle = temporal.get_workflow_handle(ids.feed_workflow_id(tenant, "samsara", "gps"))

    async def told(wanted: Callable[[Feed], object]) -> None:
        while not wanted((await memory.feeds.listed(tenant))[0]):
            await asyncio.sleep(0.1)

    async with sources_double() as sources:
        settings = settings.model_copy(update={"source_api_urls": f"samsara={sources.base_url}"})
        sources.pages = [[{"id": "7", "gps": [{"time": _NOON, "latitude": 41.5, "longitude": -87.6}]}]]
        sources.plan(usual(), rate_limited(), at="/fleet/")
        await memory.feeds.start(tenant, "samsara", "gps", interval_s=1)
        async with at_work(settings, temporal):
            await told(lambda feed: feed.last_error and "connection" in feed.last_error)
            await handle.cancel()
            refused = await _closed("feed-refused", handle)
            credentials = BearerCredentials(token=TOKEN)
            await memory.connections.put(
                tenant, "samsara", base_url=sources.base_url, credentials=credentials
            )
            # A new wish, so that the relay does not wait before it looks.
            await memory.feeds.start(tenant, "samsara", "gps", interval_s=1)
            await told(lambda feed: feed.points and not feed.last_error and sources.count("/fleet/") > 3)
            await memory.feeds.stop(tenant, "samsara", "gps")
            return [refused, await _closed("feed-stopped", handle)]


def _anonymous(history: str) -> str:
    """Without the machine's name and paths, which replay does not read."""
    return re.sub(r'"(identity|stackTrace)": "(?:[^"\\\\]|\\\\.)*"', r'"\1": ""', history)


async def test_every_way_that_a_workflow_ends_replays(
    request: pytest.FixtureRequest, settings: Settings, temporal: Client, memory: Memory, tenant: str
) -> None:
    recorded = await _record_histories(settings, temporal, memory, tenant)

    await _replay(request, recorded)

    [committed] = [one.history.events for one in recorded if one.name == "records-committed"]
    assert not _marks(committed), "with small batches off, each step is an activity"


async def test_every_way_that_a_small_batch_ends_replays(
    request: pytest.FixtureRequest, settings: Settings, temporal: Client, memory: Memory, tenant: str
) -> None:
    recorded = await _record_small(settings, temporal, memory, tenant)

    await _replay(request, recorded)

    events = {one.name: one.history.events for one in recorded}
    assert _marks(events["small-committed"]), "no step was a local activity"
    assert "prepare_neo4j_activity" in _activities(events["small-tried-again"])


def _marks(events: Sequence[HistoryEvent]) -> list[HistoryEvent]:
    """What was run as a local activity."""
    return [event for event in events if event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED]


def _activities(events: Sequence[HistoryEvent]) -> list[str]:
    """What was run as an activity of its own."""
    scheduled = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    return [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in events
        if event.event_type == scheduled
    ]


async def test_every_way_that_a_feed_ends_replays(
    request: pytest.FixtureRequest, settings: Settings, temporal: Client, memory: Memory, tenant: str
) -> None:
    await _replay(request, await _record_feeds(settings, temporal, memory, tenant))


async def _replay(request: pytest.FixtureRequest, recorded: Sequence[Recorded]) -> None:
    if folder := request.config.getoption("--record-histories"):
        for one in recorded:
            Path(folder, f"{one.name}.json").write_text(_anonymous(one.history.to_json()))

    replayer = Replayer(
        workflows=WORKFLOWS, workflow_runner=sandbox(), data_converter=pydantic_data_converter
    )
    for one in recorded:
        result = await replayer.replay_workflow(one.history, raise_on_replay_failure=False)
        assert result.replay_failure is None, one.name
