"""A tenant's credentials for a source's own API in, kept; which sources it is connected to, out."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, Response
from pydantic import ConfigDict, Field, ValidationError

from apex_memory.api.auth import Tenant
from apex_memory.api.body import Body, JsonBody
from apex_memory.api.documented import problems
from apex_memory.api.models import Name, ProblemDetail, Text
from apex_memory.api.problems import Refused, body_errors
from apex_memory.api.state import OpenMemory
from apex_memory.domain.connections import Connection, Credentials
from apex_memory.domain.value import Value
from apex_memory.pipeline.intake.accounts import CREDENTIALS_OF, Bases

_MAX_FIELDS: Final = 16


class ConnectionIn(Value):
    """An account at a source: `token` for Samsara and Front; for Turvo what its API profile has."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"base_url": "https://api.samsara.com", "credentials": {"token": "samsara_api_…"}}
        }
    )

    base_url: Name | None = Field(
        default=None, description="one of those that the source is known by; default: the usual one"
    )
    credentials: dict[Name, Text] = Field(
        repr=False,
        max_length=_MAX_FIELDS,
        description="token; or username, password, client_id, client_secret and api_key",
    )


class ConnectionList(Value):
    connections: tuple[Connection, ...]


_CONNECTION: Final = JsonBody(ConnectionIn)

router = APIRouter(prefix="/v1/connections", tags=["webhooks"])

log = structlog.get_logger()


@router.put(
    "/{source}",
    operation_id="putConnection",
    responses=problems(400, 401, 404, 413, 415, 422, 503),
    openapi_extra=_CONNECTION.documented(),
)
async def put_connection(
    tenant_id: Tenant,
    source: str,
    memory: OpenMemory,
    body: Annotated[Body[ConnectionIn], Depends(_CONNECTION)],
    response: Response,
) -> Connection:
    """With it, thin deliveries are completed. The credentials are sealed, and told to nobody any more."""
    response.headers["Cache-Control"] = "no-store"
    if source not in CREDENTIALS_OF:
        known = ", ".join(CREDENTIALS_OF)
        raise Refused(HTTPStatus.NOT_FOUND, f"No such source has an API that is asked; known are {known}.")
    base_url = _base_url(body.value.base_url, source, memory.bases)
    credentials = _credentials(source, body.value.credentials)
    made = await memory.connections.put(tenant_id, source, base_url=base_url, credentials=credentials)
    log.info("connection.put", source=source, base_url=base_url)
    return made


@router.get("", operation_id="listConnections", responses=problems(401, 503))
async def list_connections(tenant_id: Tenant, memory: OpenMemory, response: Response) -> ConnectionList:
    """By the source's name; without their credentials."""
    response.headers["Cache-Control"] = "no-store"
    return ConnectionList(connections=tuple(await memory.connections.listed(tenant_id)))


@router.delete(
    "/{source}",
    operation_id="removeConnection",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(401, 404, 422, 503),
)
async def remove_connection(tenant_id: Tenant, source: str, memory: OpenMemory) -> Response:
    """The credentials are gone. Thin deliveries are mapped as they are from now on."""
    await memory.connections.remove(tenant_id, source)
    log.info("connection.removed", source=source)
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Cache-Control": "no-store"})


def _base_url(wanted: str | None, source: str, bases: Bases) -> str:
    known = bases[source]
    base_url = wanted.rstrip("/") if wanted else known[0]
    if base_url not in known:
        # Whoever may name any URL has our workers ask it, in our network and with what they know.
        raise _refused(ProblemDetail(detail=f"expected one of {', '.join(known)}", pointer="/base_url"))
    return base_url


def _credentials(source: str, told: Mapping[str, str]) -> Credentials:
    try:
        return CREDENTIALS_OF[source].model_validate(told)
    except ValidationError as exc:
        found = body_errors(exc.errors(include_url=False, include_context=False, include_input=False))
        within = [error.model_copy(update={"pointer": f"/credentials{error.pointer}"}) for error in found]
        raise _refused(*within) from None


def _refused(*errors: ProblemDetail) -> Refused:
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "This connection cannot be made.", errors=errors)
