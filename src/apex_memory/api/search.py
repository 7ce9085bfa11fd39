"""A question in, the passages and facts that were visible at one snapshot out."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends

from apex_memory.api.auth import Tenant
from apex_memory.api.body import Body, JsonBody
from apex_memory.api.documented import problems
from apex_memory.api.models import SearchIn
from apex_memory.api.state import OpenMemory
from apex_memory.domain.answers import SearchAnswer

_BODY: Final = JsonBody(SearchIn)

router = APIRouter(prefix="/v1/search", tags=["reading"])


@router.post(
    "",
    operation_id="search",
    responses=problems(400, 401, 409, 413, 415, 422, 503),
    openapi_extra=_BODY.documented(),
)
async def search(
    tenant_id: Tenant, memory: OpenMemory, body: Annotated[Body[SearchIn], Depends(_BODY)]
) -> SearchAnswer:
    """Passages that match and facts that join them, all true at the answer's `seq`."""
    asked = body.value
    return await memory.retrieval.search(
        tenant_id, asked.query, limit=asked.limit, min_seq=asked.min_seq, where=asked.where()
    )
