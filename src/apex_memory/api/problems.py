"""A refusal's facts in, an `application/problem+json` document (RFC 9457) out."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response

from apex_memory.api.models import Problem, ProblemDetail

MEDIA_TYPE: Final = "application/problem+json"
_UNEXPECTED: Final = "Something broke on our side; the request id finds it in our logs."


class Refused(Exception):
    """A request that the HTTP edge itself turns down."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: Sequence[ProblemDetail] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers
        super().__init__(detail)


def problem_response(
    request: Request,
    status: int,
    detail: str,
    *,
    type_: str = "about:blank",
    title: str | None = None,
    errors: Sequence[ProblemDetail] = (),
    violated_policies: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """With `about:blank` the title is the status's own phrase."""
    problem = Problem(
        type=type_,
        title=title or HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=request.url.path,
        request_id=getattr(request.state, "request_id", None),
        errors=tuple(errors) or None,
    )
    if violated_policies:
        problem = problem.model_copy(update={"violated_policies": tuple(violated_policies)})
    content = problem.model_dump_json(exclude_none=True, by_alias=True)
    return Response(content, status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def unexpected(request: Request) -> Response:
    """The answer to what nobody foresaw: no word of what it was."""
    return problem_response(request, HTTPStatus.INTERNAL_SERVER_ERROR, _UNEXPECTED)


def body_errors(errors: Sequence[Mapping[str, Any]]) -> tuple[ProblemDetail, ...]:
    """What pydantic found, each at its JSON pointer into the body."""
    return tuple(ProblemDetail(detail=_said(error), pointer=pointer(error["loc"])) for error in errors)


def parameter_errors(errors: Sequence[Mapping[str, Any]]) -> tuple[ProblemDetail, ...]:
    """What pydantic found, each with the path, query or header parameter it is about."""
    return tuple(ProblemDetail(detail=_said(error), parameter=str(error["loc"][-1])) for error in errors)


def pointer(location: Sequence[str | int]) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def _said(error: Mapping[str, Any]) -> str:
    return str(error["msg"]).removeprefix("Value error, ")
