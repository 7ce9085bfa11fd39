"""A file in, staged durably and noted in the inbox; an ingestion id out."""

import asyncio
import hashlib
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID, uuid4

import orjson
from fastapi import APIRouter, Request, Response

from apex_memory.api.auth import Tenant
from apex_memory.api.documented import problems
from apex_memory.api.intake import WITHIN_ALLOWANCE, IdempotencyKey, answer_for, dedupe_key
from apex_memory.api.models import IngestionAccepted
from apex_memory.api.problems import Refused
from apex_memory.api.state import OpenMemory
from apex_memory.api.upload import DEFAULT_SOURCE, Upload, read_upload
from apex_memory.bootstrap.memory import Memory
from apex_memory.domain.errors import DocumentRejected
from apex_memory.domain.ledger import InboxEvent
from apex_memory.domain.staged import UPLOADED

_FORM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "source": {"type": "string", "default": DEFAULT_SOURCE},
        "external_id": {"type": "string", "description": "its name for good; default: the file's name"},
    },
}

router = APIRouter(prefix="/v1/documents", tags=["intake"])


@router.post(
    "",
    operation_id="ingestDocument",
    status_code=HTTPStatus.ACCEPTED,
    responses={200: {"model": IngestionAccepted}, **problems(400, 401, 413, 415, 422, 429, 503)},
    dependencies=[WITHIN_ALLOWANCE],
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}},
)
async def ingest_document(
    request: Request,
    tenant_id: Tenant,
    memory: OpenMemory,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> IngestionAccepted:
    """Take in one file. It is durable when this answers, and searchable when its ingestion is done."""
    event_id = uuid4()
    dedupe = dedupe_key(idempotency_key, event_id=event_id)
    upload = await read_upload(request, max_bytes=memory.settings.max_document_bytes)
    _refuse_unsupported(upload, memory)
    event = await _staged(upload, memory, tenant_id=tenant_id, event_id=event_id, dedupe=dedupe)
    # When this fails its outcome is unknown: the upload stays, for the event that may be there after all.
    accepted = await memory.inbox.accept(event)
    if accepted.duplicate:
        await memory.staging.remove(_folder(tenant_id, event.source, event_id))
    return answer_for(accepted, event, response)


def _refuse_unsupported(upload: Upload, memory: Memory) -> None:
    try:
        memory.accepts(upload.media_type, upload.name)
    except DocumentRejected as exc:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(exc)) from None


async def _staged(
    upload: Upload, memory: Memory, *, tenant_id: str, event_id: UUID, dedupe: str
) -> InboxEvent:
    """The bytes first: whoever takes the event from the inbox must find them."""
    digest = await asyncio.to_thread(hashlib.sha256, upload.data)
    key = f"{_folder(tenant_id, upload.source, event_id)}/{UPLOADED}"
    await memory.staging.write(key, upload.data)
    described = {
        "staged": key,
        "name": upload.name,
        "media_type": upload.media_type,
        "size": len(upload.data),
        "sha256": digest.hexdigest(),
        "external_id": upload.external_id,
    }
    return InboxEvent(
        event_id=event_id,
        tenant_id=tenant_id,
        source=upload.source,
        kind="document",
        dedupe_key=dedupe,
        label=upload.external_id,
        body=orjson.dumps(described),
        received_at=datetime.now(UTC),
    )


def _folder(tenant_id: str, source: str, event_id: UUID) -> str:
    return f"{tenant_id}/{source}/{event_id}"
