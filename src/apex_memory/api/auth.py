"""A key in, the tenant it speaks for out; nothing else in a request can name a tenant."""

from http import HTTPStatus
from typing import Annotated, Final

import structlog
from fastapi import Depends
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from apex_memory.api.problems import Refused
from apex_memory.api.state import OpenMemory

_MAX_KEY_CHARS: Final = 256
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="apex"'}
_REFUSED_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="apex", error="invalid_token"'}

_BEARER: Final = HTTPBearer(auto_error=False, scheme_name="bearer", description="an API key")
_HEADER: Final = APIKeyHeader(
    name="X-Api-Key", auto_error=False, scheme_name="api_key", description="an API key"
)


async def _tenant(
    memory: OpenMemory,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    header: Annotated[str | None, Depends(_HEADER)],
) -> str:
    key = bearer.credentials if bearer else header
    if not key:
        detail = "Send an API key, as `Authorization: Bearer <key>` or as `X-Api-Key: <key>`."
        raise Refused(HTTPStatus.UNAUTHORIZED, detail, headers=_CHALLENGE)
    plausible = len(key) <= _MAX_KEY_CHARS and key.isascii()
    tenant_id = await memory.keys.tenant_of(key) if plausible else None
    if tenant_id is None:
        detail = "This API key is malformed, unknown, expired or revoked."
        raise Refused(HTTPStatus.UNAUTHORIZED, detail, headers=_REFUSED_CHALLENGE)
    structlog.contextvars.bind_contextvars(tenant_id=tenant_id)
    return tenant_id


Tenant = Annotated[str, Depends(_tenant)]
