"""The stack's settings in, the product behind wires that a test can cut out, and what to look at it with."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client, WorkflowHandle
from tests.chaos.campaign.links import Fault, Link
from tests.integration.workflows.product import accept_record

from apex_memory.bootstrap.clients import open_embedder
from apex_memory.bootstrap.memory import Memory, open_memory
from apex_memory.database import open_database
from apex_memory.devstack.loopback import HOST, assign_ports
from apex_memory.domain import ids
from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.pipeline.stores.registry import Stores, open_stores
from apex_memory.ports import Store
from apex_memory.settings import Settings
from apex_memory.testing import Fault as StoreFault
from apex_memory.testing import Misbehaving, always

STORES: Final = ("postgres", "qdrant", "neo4j")
OK: Final = Fault()
REFUSED: Final = Fault("refuse")
BLACKHOLED: Final = Fault("blackhole")
#: The request arrives and is carried out; in place of the answer comes a reset.
RESET: Final = Fault("reset_reply")

SOURCE: Final = "turvo"


@dataclass(frozen=True)
class Scene:
    """`memory` and `stores` look past the wires; `wired` is what the product is to run with."""

    memory: Memory
    stores: Stores
    wired: Settings
    links: Mapping[str, Link]
    temporal: Client

    async def cut(self, store: str, how: Fault) -> None:
        await self.links[store].become(how)

    async def mend(self) -> None:
        for link in self.links.values():
            await link.become(OK)

    async def send(self, tenant: str, key: str, *, status: str = "in_transit") -> UUID:
        record = {"shipmentId": key, "customerName": "Acme", "status": status}
        return await accept_record(self.memory, tenant, SOURCE, record, label=key)

    async def workflow(self, tenant: str, event_id: UUID) -> WorkflowHandle[Any, Any]:
        """The ingestion's workflow, once it has one."""
        async with asyncio.timeout(90):
            while True:
                ingestion = await self.memory.inbox.ingestion(tenant, event_id)
                if ingestion.workflow_id:
                    return self.temporal.get_workflow_handle(ingestion.workflow_id)
                await asyncio.sleep(0.02)

    async def held(self, tenant: str, key: str, version: int = 1) -> Mapping[str, int]:
        """How many parts of a version each store holds, read from the store."""
        ref = VersionRef(item_id=ids.item_id(tenant, SOURCE, key), version=version)
        found: dict[str, int] = {}
        for store in self.stores.participants():
            manifest: Manifest = (await store.read_back(tenant, [ref]))[ref]
            found[store.name] = manifest.count
        return found


@asynccontextmanager
async def scene(settings: Settings, temporal: Client) -> AsyncGenerator[Scene, None]:
    """Whole wires to begin with, and whole again before the product is ended."""
    upstream = {"postgres": settings.postgres_url, "qdrant": settings.qdrant_url, "neo4j": settings.neo4j_url}
    ports = assign_ports(STORES, kept={})
    links = {n: Link(n, listen=ports[n], upstream=urlsplit(upstream[n]).port or 0) for n in STORES}
    wired = settings.model_copy(update={f"{n}_url": _at(ports[n], upstream[n]) for n in STORES})
    async with AsyncExitStack() as stack:
        for link in links.values():
            await link.open()
            stack.push_async_callback(link.close)
        memory = await stack.enter_async_context(open_memory(settings))
        database = await stack.enter_async_context(open_database(settings.postgres_url))
        embedder = await stack.enter_async_context(open_embedder(settings, database))
        stores = await stack.enter_async_context(open_stores(settings, database, embedder))
        yield Scene(memory=memory, stores=stores, wired=wired, links=links, temporal=temporal)
    gc.collect()


class Interrupted(Misbehaving):
    """The first call of one kind is made just after something else has happened."""

    def __init__(self, store: Store, kind: str, happens: Callable[[], Awaitable[None]]) -> None:
        super().__init__(store, always(StoreFault.NONE))
        self.begun = asyncio.Event()
        self._kind = kind
        self._happens = happens

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        await self._at_first("prepare")
        await super().prepare(writes)

    async def read_back(self, tenant_id: str, refs: Sequence[VersionRef]) -> Mapping[VersionRef, Manifest]:
        await self._at_first("read_back")
        return await super().read_back(tenant_id, refs)

    async def _at_first(self, kind: str) -> None:
        if kind == self._kind and not self.begun.is_set():
            self.begun.set()
            await self._happens()


async def failing(handle: WorkflowHandle[Any, Any], activity: str, *, attempts: int = 1) -> Failure:
    """The last failure of a pending activity, once it has failed that often."""
    async with asyncio.timeout(90):
        while True:
            description = await handle.describe()
            for pending in description.raw_description.pending_activities:
                if pending.activity_type.name == activity and pending.attempt > attempts:
                    return pending.last_failure
            await asyncio.sleep(0.05)


async def pending(handle: WorkflowHandle[Any, Any]) -> set[str]:
    """The activities that a workflow waits for."""
    description = await handle.describe()
    return {a.activity_type.name for a in description.raw_description.pending_activities}


async def failures_in_history(handle: WorkflowHandle[Any, Any]) -> Sequence[Failure]:
    """The last failure of each activity that needed more than one attempt."""
    return [
        event.activity_task_started_event_attributes.last_failure
        async for event in handle.fetch_history_events()
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
        and event.activity_task_started_event_attributes.attempt > 1
    ]


def _at(port: int, url: str) -> str:
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}{HOST}:{port}"))
