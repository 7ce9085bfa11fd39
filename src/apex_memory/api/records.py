"""A JSON record in, checked by its source's own rules, and kept in the inbox; an ingestion id out."""

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final
from uuid import uuid4

from fastapi import APIRouter, Depends, Response

from apex_memory.api.auth import Tenant
from apex_memory.api.body import Body, JsonBody
from apex_memory.api.documented import problems
from apex_memory.api.intake import WITHIN_ALLOWANCE, IdempotencyKey, answer_for, dedupe_key
from apex_memory.api.models import IngestionAccepted, ProblemDetail, RecordIn
from apex_memory.api.problems import Refused
from apex_memory.api.state import OpenMemory
from apex_memory.api.strict_json import raw_member
from apex_memory.bootstrap.memory import Memory
from apex_memory.domain.errors import RecordRejected
from apex_memory.domain.ledger import InboxEvent
from apex_memory.ports import Source

_BODY: Final = JsonBody(RecordIn)

router = APIRouter(prefix="/v1/records", tags=["intake"])


@router.post(
    "",
    operation_id="ingestRecord",
    status_code=HTTPStatus.ACCEPTED,
    responses={200: {"model": IngestionAccepted}, **problems(400, 401, 413, 415, 422, 429, 503)},
    dependencies=[WITHIN_ALLOWANCE],
    openapi_extra=_BODY.documented(),
)
async def ingest_record(
    tenant_id: Tenant,
    memory: OpenMemory,
    body: Annotated[Body[RecordIn], Depends(_BODY)],
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> IngestionAccepted:
    """Take in one JSON object. It is durable when this answers, and searchable when its ingestion is done."""
    now = datetime.now(UTC)
    source = await _source_named(body.value.source, tenant_id, memory)
    # Mapped here only to refuse, while the sender listens, what could not be processed as things stand. In a
    # thread: a hostile megabyte takes half a second, and other requests must not wait for it.
    bundle = await asyncio.to_thread(source.map_record, body.value.record, received_at=now)
    event_id = uuid4()
    event = InboxEvent(
        event_id=event_id,
        tenant_id=tenant_id,
        source=source.name,
        kind="record",
        dedupe_key=dedupe_key(idempotency_key, event_id=event_id),
        label=bundle.external_id,
        body=raw_member(body.raw, "record"),
        received_at=now,
    )
    return answer_for(await memory.inbox.accept(event), event, response)


async def _source_named(name: str, tenant_id: str, memory: Memory) -> Source:
    try:
        return await memory.source_of(tenant_id, name)
    except RecordRejected as exc:
        error = ProblemDetail(detail=exc.problem, pointer="/source")
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "The source is not known.", errors=[error]) from None
