"""How a tenant's own sources are to be read in; what is declared, or made of a record by it, out."""

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends

from apex_memory.api.auth import Tenant
from apex_memory.api.body import Body, JsonBody
from apex_memory.api.documented import problems
from apex_memory.api.models import ProblemDetail
from apex_memory.api.problems import Refused
from apex_memory.api.state import OpenMemory
from apex_memory.bootstrap.sources import is_built_in, names_there_are
from apex_memory.domain.bundles import Bundle, Claim, Mention, Sample
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.mappings import Declaration, DeclaredMapping, RecordMapping, may_be_own
from apex_memory.domain.value import Value
from apex_memory.pipeline.sources.mapped import MappedSource

_NAMELESS: Final = "preview"


class MappingList(Value):
    mappings: tuple[Declaration, ...]


class Trial(Value):
    """A mapping, and a record to try it on. Neither is kept."""

    mapping: RecordMapping
    record: dict[str, Any]


class Preview(Value):
    """What the mapping makes of the record; identifiers in its text will link it to further entities."""

    external_id: str
    title: str
    as_of: datetime
    text: str
    entities: tuple[Mention, ...]
    claims: tuple[Claim, ...]
    samples: tuple[Sample, ...]


_MAPPING: Final = JsonBody(RecordMapping)
_TRIAL: Final = JsonBody(Trial)

router = APIRouter(prefix="/v1/mappings", tags=["intake"])

log = structlog.get_logger()


@router.put(
    "/{source}",
    operation_id="putMapping",
    responses=problems(400, 401, 413, 415, 422, 503),
    response_model_exclude_defaults=True,
    openapi_extra=_MAPPING.documented(),
)
async def put_mapping(
    tenant_id: Tenant,
    source: str,
    memory: OpenMemory,
    body: Annotated[Body[RecordMapping], Depends(_MAPPING)],
) -> DeclaredMapping:
    """Say how the records of a source of yours are read, from now on. What is remembered stays as it is."""
    if is_built_in(source) or not may_be_own(source):
        taken = (
            "this source's records are read by our own rules" if is_built_in(source) else names_there_are()
        )
        error = ProblemDetail(detail=taken, parameter="source")
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "No mapping can have this name.", errors=[error])
    declared = await memory.mappings.put(tenant_id, source, body.value)
    log.info("mapping.declared", source=source, size=len(body.raw))
    return declared


@router.get("", operation_id="listMappings", responses=problems(401, 503))
async def list_mappings(tenant_id: Tenant, memory: OpenMemory) -> MappingList:
    """Which sources have one, by name."""
    return MappingList(mappings=tuple(await memory.mappings.listed(tenant_id)))


@router.get(
    "/{source}",
    operation_id="getMapping",
    responses=problems(401, 404, 422, 503),
    response_model_exclude_defaults=True,
)
async def get_mapping(tenant_id: Tenant, source: str, memory: OpenMemory) -> DeclaredMapping:
    """As it was declared."""
    declared = await memory.mappings.get(tenant_id, _storable(source))
    if declared is None:
        raise ItemNotFound("mapping", source)
    return declared


@router.delete(
    "/{source}",
    operation_id="removeMapping",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(401, 404, 422, 503),
)
async def remove_mapping(tenant_id: Tenant, source: str, memory: OpenMemory) -> None:
    """From now on, records of this source are kept as text. What is remembered already stays as it is."""
    await memory.mappings.remove(tenant_id, _storable(source))
    log.info("mapping.removed", source=source)


@router.post(
    "/preview",
    operation_id="previewMapping",
    responses=problems(400, 401, 413, 415, 422, 503),
    openapi_extra=_TRIAL.documented(),
)
async def preview_mapping(_tenant: Tenant, body: Annotated[Body[Trial], Depends(_TRIAL)]) -> Preview:
    """Try a mapping on a record: what it makes of it, or where and why it cannot."""
    source = MappedSource(_NAMELESS, body.value.mapping)
    bundle = await asyncio.to_thread(source.map_record, body.value.record, received_at=datetime.now(UTC))
    return preview_of(bundle)


def preview_of(bundle: Bundle) -> Preview:
    return Preview(
        external_id=bundle.external_id,
        title=bundle.title,
        as_of=bundle.as_of,
        text="\n".join(passage.text for passage in bundle.passages),
        entities=bundle.mentions,
        claims=bundle.claims,
        samples=bundle.samples,
    )


def _storable(source: str) -> str:
    """Raises ItemNotFound: no mapping can have this name, so none has."""
    if not may_be_own(source):
        raise ItemNotFound("mapping", source)
    return source
