"""An item to forget in, gone for readers at once; how far its erasure has come, and the receipt, out."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID, uuid4

import structlog
from fastapi import APIRouter, Query, Response

from apex_memory.api.auth import Tenant
from apex_memory.api.documented import problems
from apex_memory.api.intake import IdempotencyKey, dedupe_key
from apex_memory.api.links import temporal_url
from apex_memory.api.models import ForgettingAccepted, ForgettingStatus, Name, Text
from apex_memory.api.state import OpenMemory
from apex_memory.bootstrap.memory import Memory
from apex_memory.domain import ids
from apex_memory.domain.forgetting import ItemName

router = APIRouter(prefix="/v1", tags=["forgetting"])

log = structlog.get_logger()


@router.delete(
    "/items/{item_id}",
    operation_id="forgetItem",
    status_code=HTTPStatus.ACCEPTED,
    responses=problems(401, 404, 422, 503),
)
async def forget_item(
    item_id: UUID,
    tenant_id: Tenant,
    memory: OpenMemory,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> ForgettingAccepted:
    """Forget an item and what derives from it. No reader sees it from here on; its text is then erased."""
    return await _forget(memory, tenant_id, item_id, None, idempotency_key, response)


@router.delete(
    "/items",
    operation_id="forgetNamedItem",
    status_code=HTTPStatus.ACCEPTED,
    responses=problems(401, 404, 422, 503),
)
async def forget_named_item(
    tenant_id: Tenant,
    memory: OpenMemory,
    response: Response,
    source: Annotated[Name, Query(description="who sent it")],
    external_id: Annotated[Text, Query(min_length=1, max_length=4096, description="what they call it")],
    idempotency_key: IdempotencyKey = None,
) -> ForgettingAccepted:
    """The same by the item's name; it also forgets what was sent under it and never could be written."""
    item_id = ids.item_id(tenant_id, source, external_id)
    name = ItemName(source=source, external_id=external_id)
    return await _forget(memory, tenant_id, item_id, name, idempotency_key, response)


@router.get("/forgettings/{forget_id}", operation_id="getForgetting", responses=problems(401, 404, 422, 503))
async def get_forgetting(forget_id: UUID, tenant_id: Tenant, memory: OpenMemory) -> ForgettingStatus:
    """How far the erasure has come; once it is `done`, the receipt: two counts that found nothing."""
    forgetting = await memory.forgettings.forgetting(tenant_id, forget_id)
    return ForgettingStatus(
        **forgetting.model_dump(), temporal_url=temporal_url(memory.settings, forgetting.workflow_id)
    )


async def _forget(
    memory: Memory,
    tenant_id: str,
    item_id: UUID,
    name: ItemName | None,
    idempotency_key: str | None,
    response: Response,
) -> ForgettingAccepted:
    request = dedupe_key(idempotency_key, event_id=uuid4())
    forget_id = ids.forget_id(tenant_id, item_id, request)
    forgetting = await memory.forgettings.request(tenant_id, item_id, forget_id=forget_id, name=name)
    url = f"/v1/forgettings/{forget_id}"
    response.headers["Location"] = url
    log.info("item.buried", item_id=str(item_id), forget_id=str(forget_id), seq=forgetting.seq)
    return ForgettingAccepted(
        forget_id=forget_id, item_id=forgetting.item_id, seq=forgetting.seq, status_url=url
    )
