"""Shapes in, the parts of the OpenAPI description out that FastAPI does not derive by itself."""

from http import HTTPStatus
from typing import Any, Final, cast

from pydantic import BaseModel

from apex_memory.api.models import Problem
from apex_memory.api.problems import MEDIA_TYPE

_MEANING: Final = {
    400: "The body cannot be read.",
    401: "No API key, or none that is known; at a webhook, a delivery that does not prove itself.",
    404: "No such thing, or not this tenant's.",
    410: "The endpoint is disabled.",
    409: "The snapshot that is demanded does not exist; or an endpoint cannot take anything in as it is.",
    413: "The body is too large.",
    415: "The body is of a kind that is not taken here.",
    429: "More was sent than is taken from one sender; again after Retry-After.",
    422: "What was sent is not of the shape or meaning that is expected; `errors` says where.",
    503: "A store does not answer; repeat the request after Retry-After.",
}


def inlined_schema(shape: type[BaseModel]) -> dict[str, Any]:
    """A JSON schema without references: pydantic's point to a place that OpenAPI does not have."""
    schema = shape.model_json_schema()
    definitions = schema.pop("$defs", {})
    return cast("dict[str, Any]", _inlined(schema, definitions))


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem documents that a route may answer with, for its `responses`."""
    content = {MEDIA_TYPE: {"schema": inlined_schema(Problem)}}
    return {
        status: {"description": _MEANING.get(status, HTTPStatus(status).phrase), "content": content}
        for status in statuses
    }


def _inlined(node: object, definitions: dict[str, Any]) -> object:
    match node:
        case {"$ref": str() as reference}:
            return _inlined(definitions[reference.rpartition("/")[2]], definitions)
        case dict():
            members = cast("dict[str, object]", node)
            return {key: _inlined(value, definitions) for key, value in members.items()}
        case list():
            return [_inlined(value, definitions) for value in cast("list[object]", node)]
        case _:
            return node
