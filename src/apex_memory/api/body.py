"""A request in, its body out: read up to a limit, and only after its key was accepted."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Generic, TypeVar

from fastapi import Request
from pydantic import ValidationError

from apex_memory.api.auth import Tenant
from apex_memory.api.documented import inlined_schema
from apex_memory.api.problems import Refused, body_errors
from apex_memory.api.state import OpenMemory
from apex_memory.api.strict_json import parsed
from apex_memory.domain.value import Value

_ValueT = TypeVar("_ValueT", bound=Value)

_JSON_TYPES: Final = ("application/json", "+json")
#: Of a declared length.
_MAX_DIGITS: Final = 18


@dataclass(frozen=True)
class Body(Generic[_ValueT]):
    """A body as it came, and as it was understood."""

    raw: bytes
    value: _ValueT


class JsonBody(Generic[_ValueT]):
    """A dependency: a JSON body of one shape."""

    def __init__(self, shape: type[_ValueT]) -> None:
        self._shape = shape

    async def __call__(self, request: Request, memory: OpenMemory, _tenant: Tenant) -> Body[_ValueT]:
        """Depends on the tenant so that nobody's bytes are read before their key was."""
        if not media_type(request).endswith(_JSON_TYPES):
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json.")
        pieces = capped(request, limit=memory.settings.max_record_bytes)
        raw = b"".join([piece async for piece in pieces])
        try:
            return Body(raw=raw, value=self._shape.model_validate(parsed(raw)))
        except ValidationError as exc:
            detail = "The body is JSON, but not of the shape that is expected here."
            errors = body_errors(exc.errors(include_url=False, include_context=False, include_input=False))
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors) from None

    def documented(self) -> dict[str, Any]:
        """What OpenAPI says of this body."""
        content = {"application/json": {"schema": inlined_schema(self._shape)}}
        return {"requestBody": {"required": True, "content": content}}


async def capped(request: Request, *, limit: int) -> AsyncGenerator[bytes, None]:
    """The body in pieces, at most `limit` bytes together, whether or not its length was declared.

    Raises:
        Refused: 413.
    """
    declared = request.headers.get("content-length", "")
    # Python reads no number of thousands of digits: it raises ValueError.
    if declared.isdecimal() and (len(declared) > _MAX_DIGITS or int(declared) > limit):
        raise too_large(limit)
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        yield piece


def media_type(request: Request) -> str:
    """The content type in lower case, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def too_large(limit: int) -> Refused:
    """413."""
    # What follows of the body is never read, so the connection is of no further use.
    detail = f"The body is larger than the {limit} bytes that are taken here."
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, headers={"Connection": "close"})
