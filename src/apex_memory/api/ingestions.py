"""An ingestion's id in, how far it has come out; a caller may wait for its end, or follow it."""

import time
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse

from apex_memory.api.auth import Tenant
from apex_memory.api.documented import problems
from apex_memory.api.links import temporal_url
from apex_memory.api.models import MAX_WAIT_S, IngestionStatus
from apex_memory.api.progress import HEADERS, MEDIA_TYPE, PLACE, OpenStreams
from apex_memory.api.state import Draining, OpenMemory, ProcessDraining
from apex_memory.bootstrap.memory import Memory
from apex_memory.domain.ledger import Ingestion
from apex_memory.ports import Inbox

#: So often a wait looks whether its caller is gone or the process is ending.
_LOOK_UP_S: Final = 1.0

router = APIRouter(prefix="/v1/ingestions", tags=["intake"])


@router.get("/{ingestion_id}", operation_id="getIngestion", responses=problems(401, 404, 422, 503))
async def get_ingestion(
    request: Request,
    ingestion_id: UUID,
    tenant_id: Tenant,
    memory: OpenMemory,
    draining: ProcessDraining,
    wait_s: Annotated[
        float,
        Query(ge=0, le=MAX_WAIT_S, allow_inf_nan=False, description="answer when done, or after this time"),
    ] = 0,
) -> IngestionStatus:
    """How far an accepted event has come. Its outcome is final once `state` is `done`."""
    if wait_s:
        ingestion = await _settled(
            request, memory.inbox, tenant_id, ingestion_id, wait_s=wait_s, draining=draining
        )
    else:
        ingestion = await memory.inbox.ingestion(tenant_id, ingestion_id)
    return _status(ingestion, memory)


@router.get(
    "/{ingestion_id}/events",
    operation_id="followIngestion",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}},
        204: {"description": "All of it was seen, the end included: do not come back."},
        **problems(401, 404, 422, 503),
    },
    dependencies=[PLACE],
)
async def follow_ingestion(
    ingestion_id: UUID,
    tenant_id: Tenant,
    memory: OpenMemory,
    streams: OpenStreams,
    draining: ProcessDraining,
    last_event_id: Annotated[str | None, Header(description="the id of the last event that was seen")] = None,
) -> Response:
    """How an accepted event fares, live: server-sent events named `received`, `running` and `done`.

    The first is the present state; `done` is the last, and ends the stream. Each carries what
    `GET /v1/ingestions/{ingestion_id}` answers. A stream also ends after ten minutes, or when this process
    does: come back with the id of the last event in `Last-Event-ID`, as browsers do by themselves.
    """
    ingestion = await memory.inbox.ingestion(tenant_id, ingestion_id)
    if ingestion.state == last_event_id == "done":
        # The one answer after which a browser does not connect again.
        return Response(status_code=HTTPStatus.NO_CONTENT)
    events = streams.events(
        memory.inbox,
        tenant_id,
        ingestion,
        seen=last_event_id,
        shown=lambda known: _status(known, memory),
        draining=draining,
    )
    return EventSourceResponse(events, headers=HEADERS)


def _status(ingestion: Ingestion, memory: Memory) -> IngestionStatus:
    url = temporal_url(memory.settings, ingestion.workflow_id)
    return IngestionStatus(**ingestion.model_dump(), temporal_url=url)


async def _settled(
    request: Request, inbox: Inbox, tenant_id: str, event_id: UUID, *, wait_s: float, draining: Draining
) -> Ingestion:
    deadline = time.monotonic() + wait_s
    while True:
        remaining = deadline - time.monotonic()
        timeout_s = 0.0 if draining.begun else max(0.0, min(_LOOK_UP_S, remaining))
        ingestion = await inbox.settled(tenant_id, event_id, timeout_s=timeout_s)
        over = ingestion.state == "done" or remaining <= _LOOK_UP_S or draining.begun
        if over or await request.is_disconnected():
            return ingestion
