"""Records of a producer that holds a Temporal client in, the workflow that takes them in out."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter

from apex_memory.bootstrap.sources import sources_with
from apex_memory.bootstrap.starting import start_batch, workflow_of
from apex_memory.database import open_database
from apex_memory.domain import ids
from apex_memory.domain.errors import RecordRejected
from apex_memory.domain.ledger import Batch, InboxEvent
from apex_memory.domain.messages import IngestResult
from apex_memory.domain.nesting import MAX_DEPTH, too_deep
from apex_memory.pipeline.intake.inbox import PostgresInbox
from apex_memory.pipeline.intake.mappings import PostgresMappings
from apex_memory.ports import Inbox, Source, SourceOf

#: As many as a relay puts into one workflow, and as large as the API takes them.
MOST_RECORDS: Final = 200
MOST_RECORD_BYTES: Final = 1 << 20
#: Of all together: they are sent to PostgreSQL in one transaction.
MOST_BYTES: Final = 16 << 20

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


class Direct:
    """Takes records in beside the API: its caller is trusted to say whose they are."""

    def __init__(self, *, inbox: Inbox, source_of: SourceOf, temporal: Client, queue_prefix: str) -> None:
        self._inbox = inbox
        self._source_of = source_of
        self._temporal = temporal
        self._queue_prefix = queue_prefix

    async def ingest_records(
        self,
        tenant_id: str,
        source: str,
        records: Sequence[Mapping[str, object]],
        *,
        idempotency_key: str,
    ) -> WorkflowHandle[Any, IngestResult]:
        """Keep 1 to 200 records durably, as one batch, and start its workflow without a wait for the relay.

        The content goes to PostgreSQL, and only references to Temporal: a history could not be forgotten.
        The same key of a tenant and source is the same workflow, and adds nothing, whatever comes with it.

        Raises:
            RecordRejected: a record cannot be mapped, or is too large, or there is no such source; none of
                them was kept. Its pointer begins with the place of the record.
            StoreUnavailable: call again, with the same key. If it is `temporal`, they are kept, and any relay
                starts their workflow after 15 seconds; else they may or may not be kept.
            ValueError: no records or too many; a key that is not 1 to 255 visible ASCII characters.
        """
        if not 1 <= len(records) <= MOST_RECORDS:
            raise ValueError(f"{len(records)} records: expected 1 to {MOST_RECORDS}")
        if not _KEY.fullmatch(idempotency_key):
            raise ValueError("the idempotency key: expected 1 to 255 visible ASCII characters")
        rules = await self._source_of(tenant_id, source)
        # In a thread: a hostile megabyte takes half a second, and the caller has other work.
        batch, events = await asyncio.to_thread(_batch, tenant_id, rules, records, key=idempotency_key)
        accepted = await self._inbox.accept_batch(batch, events)
        if not accepted.started:
            # Who dies here has only lost time: what was not noted as started is any relay's to start.
            workflow_id = await start_batch(self._temporal, accepted.batch, queue_prefix=self._queue_prefix)
            await self._inbox.started(accepted.batch, workflow_id=workflow_id)
        return self._temporal.get_workflow_handle(workflow_of(accepted.batch), result_type=IngestResult)


@asynccontextmanager
async def open_direct(
    temporal: Client, *, postgres_url: str, queue_prefix: str = "apex"
) -> AsyncGenerator[Direct, None]:
    """Over the caller's connection to Temporal, and two of its own to PostgreSQL.

    Messages are written as the workers read them, whatever data converter or codec the client has.
    """
    config = temporal.config()
    ours = Client(
        temporal.service_client,
        namespace=temporal.namespace,
        data_converter=pydantic_data_converter,
        interceptors=config["interceptors"],
    )
    async with open_database(postgres_url, max_size=2) as database:
        yield Direct(
            inbox=PostgresInbox(database),
            source_of=sources_with(PostgresMappings(database)),
            temporal=ours,
            queue_prefix=queue_prefix,
        )


def _batch(
    tenant_id: str, source: Source, records: Sequence[Mapping[str, object]], *, key: str
) -> tuple[Batch, list[InboxEvent]]:
    batch_id, now = ids.batch_id(tenant_id, source.name, key), datetime.now(UTC)
    bodies = [_body(source.name, place, dict(record)) for place, record in enumerate(records)]
    if sum(map(len, bodies)) > MOST_BYTES:
        raise RecordRejected(
            source.name, "", f"more than {MOST_BYTES} bytes in one batch; send fewer at once"
        )
    events = [
        InboxEvent(
            event_id=ids.event_id(batch_id, place),
            tenant_id=tenant_id,
            source=source.name,
            kind="record",
            dedupe_key=f"direct:{batch_id}:{place}",
            label=_label(source, place, body, received_at=now),
            body=body,
            # Of two that speak of one item and tell no time, the later one is the newer.
            received_at=now + timedelta(microseconds=place),
        )
        for place, body in enumerate(bodies)
    ]
    label = events[0].label if len(events) == 1 else f"{len(events)} records"
    batch = Batch(
        tenant_id=tenant_id,
        source=source.name,
        kind="record",
        batch_id=batch_id,
        label=label,
        size=len(events),
    )
    return batch, events


def _body(source: str, place: int, record: dict[str, object]) -> bytes:
    try:
        body = orjson.dumps(record)
    except orjson.JSONEncodeError:
        raise RecordRejected(source, f"/{place}", "it cannot be written as JSON") from None
    if len(body) > MOST_RECORD_BYTES:
        raise RecordRejected(source, f"/{place}", f"larger than {MOST_RECORD_BYTES} bytes")
    if too_deep(record):
        raise RecordRejected(source, f"/{place}", f"nested deeper than {MAX_DEPTH} levels")
    return body


def _label(source: Source, place: int, body: bytes, *, received_at: datetime) -> str:
    """Its external id. Mapped as it was written, to refuse at once what could never be processed."""
    try:
        return source.map_record(orjson.loads(body), received_at=received_at).external_id
    except RecordRejected as exc:
        raise RecordRejected(source.name, f"/{place}{exc.pointer}", exc.problem) from None
