"""A tenant's wishes for its webhook endpoints in; endpoints, what came to them, and its replay out."""

import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID, uuid4

import structlog
from fastapi import APIRouter, Depends, Query, Response

from apex_memory.api.auth import Tenant
from apex_memory.api.body import Body, JsonBody
from apex_memory.api.documented import problems
from apex_memory.api.hook_models import (
    DeliveryPage,
    EndpointIn,
    EndpointList,
    EndpointMade,
    PingKept,
    ReplayAccepted,
    ReplayIn,
    RotationIn,
)
from apex_memory.api.models import ProblemDetail
from apex_memory.api.problems import Refused
from apex_memory.api.state import OpenMemory
from apex_memory.bootstrap.memory import Memory
from apex_memory.domain.errors import DeliveryRefused, ItemNotFound, RecordRejected
from apex_memory.domain.hooks import Endpoint, HmacRule, Selection
from apex_memory.pipeline.intake.schemes import HMAC, NAMES, new_endpoint_id, new_secret, usual_scheme
from apex_memory.pipeline.intake.verification.hmac import hmac_scheme

_MAX_PAGE: Final = 200
_NEW: Final = JsonBody(EndpointIn)
_ROTATION: Final = JsonBody(RotationIn)
_REPLAY: Final = JsonBody(ReplayIn)

router = APIRouter(prefix="/v1/endpoints", tags=["webhooks"])

log = structlog.get_logger()


@router.post(
    "",
    operation_id="createEndpoint",
    status_code=HTTPStatus.CREATED,
    responses=problems(400, 401, 413, 415, 422, 503),
    openapi_extra=_NEW.documented(),
)
async def create_endpoint(
    tenant_id: Tenant,
    memory: OpenMemory,
    body: Annotated[Body[EndpointIn], Depends(_NEW)],
    response: Response,
) -> EndpointMade:
    """A place for one sender to post to. Its URL and its secret go into the sender's settings."""
    wanted = body.value
    scheme = wanted.scheme or usual_scheme(wanted.source)
    await _check(wanted, scheme, tenant_id, memory)
    endpoint = Endpoint(
        endpoint_id=new_endpoint_id(),
        source=wanted.source,
        scheme=scheme,
        rule=wanted.rule,
        label=wanted.label,
        created_at=datetime.now(UTC),
    )
    secret = wanted.secret or new_secret(scheme)
    await memory.endpoints.create(tenant_id, endpoint, secret=secret)
    log.info("endpoint.created", endpoint_id=endpoint.endpoint_id, source=endpoint.source, scheme=scheme)
    return _made(endpoint, secret, memory, response)


@router.get("", operation_id="listEndpoints", responses=problems(401, 503))
async def list_endpoints(tenant_id: Tenant, memory: OpenMemory) -> EndpointList:
    """In the order in which they were made; without their secrets."""
    return EndpointList(endpoints=tuple(await memory.endpoints.listed(tenant_id)))


@router.post(
    "/{endpoint_id}/rotate",
    operation_id="rotateSecret",
    responses=problems(400, 401, 404, 413, 415, 422, 503),
    openapi_extra=_ROTATION.documented(),
)
async def rotate_secret(
    tenant_id: Tenant,
    endpoint_id: str,
    memory: OpenMemory,
    body: Annotated[Body[RotationIn], Depends(_ROTATION)],
    response: Response,
) -> EndpointMade:
    """From now on both secrets are good; after the overlap only the new one is."""
    known = await _known(memory, tenant_id, endpoint_id)
    secret = body.value.secret or new_secret(known.scheme)
    endpoint = await memory.endpoints.rotate(
        tenant_id, endpoint_id, secret=secret, overlap_s=body.value.overlap_s
    )
    log.info("endpoint.rotated", endpoint_id=endpoint_id, overlap_s=body.value.overlap_s)
    return _made(endpoint, secret, memory, response)


@router.post("/{endpoint_id}/disable", operation_id="disableEndpoint", responses=problems(401, 404, 422, 503))
async def disable_endpoint(tenant_id: Tenant, endpoint_id: str, memory: OpenMemory) -> Endpoint:
    """Deliveries are answered with 410 from now on; senders of good manners stop."""
    log.info("endpoint.disabled", endpoint_id=endpoint_id)
    return await memory.endpoints.enable(tenant_id, endpoint_id, enabled=False)


@router.post("/{endpoint_id}/enable", operation_id="enableEndpoint", responses=problems(401, 404, 422, 503))
async def enable_endpoint(tenant_id: Tenant, endpoint_id: str, memory: OpenMemory) -> Endpoint:
    """Deliveries are taken in again."""
    log.info("endpoint.enabled", endpoint_id=endpoint_id)
    return await memory.endpoints.enable(tenant_id, endpoint_id, enabled=True)


@router.post(
    "/{endpoint_id}/ping", operation_id="pingEndpoint", responses=problems(401, 404, 409, 410, 422, 429, 503)
)
async def ping_endpoint(tenant_id: Tenant, endpoint_id: str, memory: OpenMemory) -> PingKept:
    """Try it out: a test message, signed as its sender would, goes the way of every delivery.

    It proves all but the network: the endpoint, its secret and its rule, the source, and that the inbox is
    durable. Nothing is remembered of it; among the deliveries it stands as `unchanged`.
    """
    began = time.perf_counter()
    try:
        event_id = await memory.gateway.ping(tenant_id, endpoint_id, now=datetime.now(UTC))
    except DeliveryRefused as exc:
        # Not 401: it is the endpoint that is at fault, not who asks.
        detail = f"This endpoint cannot take anything in: {exc.problem}. Rotate its secret, or make another."
        raise Refused(HTTPStatus.CONFLICT, detail) from None
    took_ms = round(1000 * (time.perf_counter() - began), 1)
    log.info("endpoint.pinged", endpoint_id=endpoint_id, event_id=str(event_id), took_ms=took_ms)
    return PingKept(event_id=event_id, took_ms=took_ms)


@router.get(
    "/{endpoint_id}/deliveries", operation_id="listDeliveries", responses=problems(401, 404, 422, 503)
)
async def list_deliveries(
    tenant_id: Tenant,
    endpoint_id: str,
    memory: OpenMemory,
    after: Annotated[UUID | None, Query(description="`next_after` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=_MAX_PAGE)] = 50,
    *,
    failed: Annotated[bool, Query(description="only those that were given up and not mended since")] = False,
) -> DeliveryPage:
    """What came to this endpoint and became of it, the newest first."""
    await _known(memory, tenant_id, endpoint_id)
    found = await memory.deliveries.listed(
        tenant_id, endpoint_id, Selection(failed=failed), after=after, limit=limit
    )
    more = found[-1].event_id if len(found) == limit else None
    return DeliveryPage(deliveries=tuple(found), next_after=more)


@router.post(
    "/{endpoint_id}/replay",
    operation_id="replayDeliveries",
    status_code=HTTPStatus.ACCEPTED,
    responses=problems(400, 401, 404, 413, 415, 422, 503),
    openapi_extra=_REPLAY.documented(),
)
async def replay_deliveries(
    tenant_id: Tenant, endpoint_id: str, memory: OpenMemory, body: Annotated[Body[ReplayIn], Depends(_REPLAY)]
) -> ReplayAccepted:
    """Take deliveries in once more, as they came: by their ids, by time, or whatever was given up."""
    selection = body.value.selection()
    if selection is None:
        error = ProblemDetail(detail="set event_ids, since, until or failed", pointer="")
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "This would replay everything.", errors=[error])
    await _known(memory, tenant_id, endpoint_id)
    replay_id = uuid4()
    taken = await memory.deliveries.replay(
        tenant_id, endpoint_id, selection, replay_id=replay_id, dry_run=body.value.dry_run
    )
    log.info("deliveries.replayed", endpoint_id=endpoint_id, taken=taken, dry_run=body.value.dry_run)
    return ReplayAccepted(replay_id=replay_id, taken=taken, at=datetime.now(UTC))


async def _check(wanted: EndpointIn, scheme: str, tenant_id: str, memory: Memory) -> None:
    errors: list[ProblemDetail] = []
    try:
        await memory.source_of(tenant_id, wanted.source)
    except RecordRejected as exc:
        errors.append(ProblemDetail(detail=exc.problem, pointer="/source"))
    if scheme not in NAMES:
        known = ", ".join(NAMES)
        errors.append(ProblemDetail(detail=f"no such scheme; known are {known}", pointer="/scheme"))
    if problem := _rule_problem(wanted.rule, scheme):
        errors.append(ProblemDetail(detail=problem, pointer="/rule"))
    if errors:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "This endpoint cannot be made.", errors=errors)


def _rule_problem(rule: HmacRule | None, scheme: str) -> str | None:
    if (rule is None) == (scheme == HMAC):
        return "the scheme hmac needs a rule, and no other takes one"
    try:
        if rule:
            hmac_scheme(rule)
    except DeliveryRefused as exc:
        return exc.problem
    return None


async def _known(memory: Memory, tenant_id: str, endpoint_id: str) -> Endpoint:
    """Raises ItemNotFound: unknown, or another tenant's."""
    # Not `opened`: that unseals secrets, and an endpoint whose key was lost must still get a new one.
    for endpoint in await memory.endpoints.listed(tenant_id):
        if endpoint.endpoint_id == endpoint_id:
            return endpoint
    raise ItemNotFound("endpoint", endpoint_id)


def _made(endpoint: Endpoint, secret: str, memory: Memory, response: Response) -> EndpointMade:
    response.headers["Cache-Control"] = "no-store"
    url = f"{memory.settings.api_url.rstrip('/')}/v1/hooks/{endpoint.source}/{endpoint.endpoint_id}"
    return EndpointMade(endpoint=endpoint, url=url, secret=secret)
