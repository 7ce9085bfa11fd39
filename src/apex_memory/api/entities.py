"""The id of an entity or an item in, what is visible of it out."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from apex_memory.api.auth import Tenant
from apex_memory.api.documented import problems
from apex_memory.api.models import Seq
from apex_memory.api.state import OpenMemory
from apex_memory.domain.answers import ItemView, Neighbourhood

router = APIRouter(prefix="/v1", tags=["reading"])


@router.get("/entities/{entity_id}", operation_id="getEntity", responses=problems(401, 404, 409, 422, 503))
async def get_entity(
    entity_id: UUID,
    tenant_id: Tenant,
    memory: OpenMemory,
    min_seq: Annotated[Seq | None, Query(description="answer no older than this commit")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="of facts, and of each predicate's past")] = 50,
) -> Neighbourhood:
    """An entity, how it stands and stood under any of its names, and the facts within two steps of it."""
    return await memory.retrieval.neighbourhood(tenant_id, entity_id, min_seq=min_seq, limit=limit)


@router.get("/items/{item_id}", operation_id="getItem", responses=problems(401, 404, 422, 503))
async def get_item(item_id: UUID, tenant_id: Tenant, memory: OpenMemory) -> ItemView:
    """The visible version of a record or document."""
    return await memory.retrieval.item(tenant_id, item_id)
