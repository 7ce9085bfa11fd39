"""A settings object and a way to spoil a store in, the product at work in this process out."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from temporalio.client import Client
from tests.doubles.sandbox import sandbox

from apex_memory.activities.maintain import MaintainActivities
from apex_memory.activities.write import WriteActivities
from apex_memory.bootstrap.activities import Activities, activities_of, at_hand
from apex_memory.bootstrap.clients import open_embedder, open_staging
from apex_memory.bootstrap.memory import Memory
from apex_memory.database import Database, open_database
from apex_memory.domain.bundles import ItemKind
from apex_memory.domain.ledger import InboxEvent, Ingestion
from apex_memory.domain.queues import Queue
from apex_memory.pipeline.ledger.ledger import PostgresLedger
from apex_memory.pipeline.stores.registry import open_stores
from apex_memory.ports import Ledger, Store
from apex_memory.relay import relaying
from apex_memory.settings import Settings
from apex_memory.worker import worker_with

SpoilStore = Callable[[Store], Store]
SpoilLedger = Callable[[Ledger], Ledger]


def unspoilt_store(store: Store) -> Store:
    return store


def unspoilt_ledger(ledger: Ledger) -> Ledger:
    return ledger


@asynccontextmanager
async def at_work(
    settings: Settings,
    temporal: Client,
    *,
    spoil: SpoilStore = unspoilt_store,
    spoil_ledger: SpoilLedger = unspoilt_ledger,
    spoil_undo: SpoilStore | None = None,
) -> AsyncGenerator[None, None]:
    """Workers of every queue and a relay; what writes gets stores and ledger as they are left by `spoil`.

    With `spoil_undo`, what undoes gets such stores, and the maintain queue does nothing else.
    """
    async with AsyncExitStack() as stack:
        activities: dict[Queue, Activities] = {}
        for queue in Queue:
            if queue is Queue.WRITE:
                activities[queue] = await _write_activities(settings, stack, spoil, spoil_ledger)
            elif queue is Queue.MAINTAIN and spoil_undo:
                activities[queue] = await _undo_activities(settings, stack, spoil_undo)
            elif queue is not Queue.WORKFLOWS:
                activities |= await activities_of([queue], settings, stack)
        activities[Queue.WORKFLOWS] = at_hand(activities)
        for queue in Queue:
            worker = worker_with(activities[queue], queue, settings, temporal, runner=sandbox())
            await stack.enter_async_context(worker)
        await stack.enter_async_context(relaying(settings, temporal))
        yield


async def _write_activities(
    settings: Settings, stack: AsyncExitStack, spoil: SpoilStore, spoil_ledger: SpoilLedger
) -> list[Callable[..., Any]]:
    database = await stack.enter_async_context(open_database(settings.postgres_url))
    embedder = await stack.enter_async_context(open_embedder(settings, database))
    stores = await stack.enter_async_context(open_stores(settings, database, embedder))
    write = WriteActivities(
        ledger=spoil_ledger(PostgresLedger(database)),
        staging=open_staging(settings),
        stores=[spoil(store) for store in stores.participants()],
        embedder_id=embedder.id,
    )
    return [write.allocate_versions_activity, *write.prepare_activities(), write.commit_versions_activity]


async def _undo_activities(settings: Settings, stack: AsyncExitStack, spoil: SpoilStore) -> Activities:
    database = await stack.enter_async_context(open_database(settings.postgres_url))
    embedder = await stack.enter_async_context(open_embedder(settings, database))
    stores = await stack.enter_async_context(open_stores(settings, database, embedder))
    maintain = MaintainActivities(
        ledger=PostgresLedger(database), stores=[spoil(store) for store in stores.participants()]
    )
    return [
        maintain.abort_versions_activity,
        *maintain.discard_activities(),
        maintain.confirm_discarded_activity,
    ]


async def accept_record(
    memory: Memory, tenant: str, source: str, record: Mapping[str, Any] | bytes, *, label: str
) -> UUID:
    body = record if isinstance(record, bytes) else json.dumps(record).encode()
    return await _accept(memory, tenant, source, "record", body, label)


async def accept_document(memory: Memory, tenant: str, name: str, text: str) -> UUID:
    staged = f"{tenant}/local_upload/{uuid4()}/upload"
    await memory.staging.write(staged, text.encode())
    body = {
        "staged": staged,
        "name": name,
        "media_type": "text/markdown",
        "size": len(text),
        "sha256": "",
        "external_id": name,
    }
    return await _accept(memory, tenant, "local_upload", "document", json.dumps(body).encode(), name)


async def settled(memory: Memory, tenant: str, event_id: UUID) -> Ingestion:
    return await memory.inbox.settled(tenant, event_id, timeout_s=60)


async def at_rest(database: Database) -> None:
    """Until no batch is open: an ingestion is told as aborted before the stores are clean of it."""
    while True:
        async with database.connection() as connection:
            cursor = await connection.execute("SELECT FROM batch WHERE closed_at IS NULL LIMIT 1")
            if await cursor.fetchone() is None:
                return
        await asyncio.sleep(0.1)


async def _accept(memory: Memory, tenant: str, source: str, kind: ItemKind, body: bytes, label: str) -> UUID:
    event_id = uuid4()
    event = InboxEvent(
        event_id=event_id,
        tenant_id=tenant,
        source=source,
        kind=kind,
        dedupe_key=str(event_id),
        label=label,
        body=body,
        received_at=datetime.now(UTC),
    )
    return (await memory.inbox.accept(event)).event_id
