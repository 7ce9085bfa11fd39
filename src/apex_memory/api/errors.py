"""Errors in, problem documents out: the one place that knows which status an error of the domain has."""

import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from apex_memory.api.models import ProblemDetail
from apex_memory.api.problems import Refused, parameter_errors, problem_response, unexpected
from apex_memory.domain.errors import (
    AllowanceSpent,
    ApexError,
    DeliveryRefused,
    DocumentRejected,
    EndpointDisabled,
    ItemNotFound,
    ProviderRefused,
    QueryRejected,
    RateLimited,
    RecordRejected,
    SettingMissing,
    SnapshotBehind,
    StoreUnavailable,
)

_RETRY_AFTER_S: Final = 1
_TYPE_PREFIX: Final = "urn:apex-memory:problem:"
#: draft-ietf-httpapi-ratelimit-headers, as are the headers of the same answer.
_QUOTA_EXCEEDED: Final = "https://iana.org/assignments/http-problem-types#quota-exceeded"

_STATUS: Final[Mapping[type[ApexError], HTTPStatus]] = {
    RecordRejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    DocumentRejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    QueryRejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    ItemNotFound: HTTPStatus.NOT_FOUND,
    DeliveryRefused: HTTPStatus.UNAUTHORIZED,
    EndpointDisabled: HTTPStatus.GONE,
    SettingMissing: HTTPStatus.SERVICE_UNAVAILABLE,
    # Not 503: the database that numbers the commits is the one that answers, so a token ahead of it was never
    # given to this tenant, and no waiting mends that.
    SnapshotBehind: HTTPStatus.CONFLICT,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    AllowanceSpent: HTTPStatus.TOO_MANY_REQUESTS,
    # Not 429: a provider limits us; the caller did nothing wrong.
    RateLimited: HTTPStatus.SERVICE_UNAVAILABLE,
    ProviderRefused: HTTPStatus.BAD_GATEWAY,
}

_HTTP_DETAILS: Final[Mapping[int, str]] = {
    HTTPStatus.NOT_FOUND: "There is nothing at this path; /docs lists what there is.",
    HTTPStatus.METHOD_NOT_ALLOWED: "The Allow header names the methods that this path answers to.",
}

log = structlog.get_logger()


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(ApexError, _on_apex_error)
    app.add_exception_handler(Refused, _on_refused)
    app.add_exception_handler(RequestValidationError, _on_malformed_parameters)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_apex_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, ApexError)  # noqa: S101 - Starlette types every handler's argument as Exception
    status = next((status for kind, status in _STATUS.items() if isinstance(exc, kind)), None)
    if status is None:
        log.error("request.failed", exc_info=exc)
        return unexpected(request)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request.unavailable", error=type(exc).__name__, reason=str(exc))
    policies = (exc.policy,) if isinstance(exc, AllowanceSpent) else ()
    words = re.findall(r"[A-Z][a-z]+", type(exc).__name__)
    return problem_response(
        request,
        status,
        _detail(exc),
        type_=_QUOTA_EXCEEDED if policies else _TYPE_PREFIX + "-".join(words).lower(),
        title=" ".join(words).capitalize(),
        errors=_errors(exc),
        violated_policies=policies,
        headers=_headers(exc),
    )


async def _on_refused(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, Refused)  # noqa: S101 - as above
    return problem_response(request, exc.status, exc.detail, errors=exc.errors, headers=exc.headers)


async def _on_malformed_parameters(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)  # noqa: S101 - as above
    detail = "A parameter of this request is malformed."
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return problem_response(request, status, detail, errors=parameter_errors(exc.errors()))


async def _on_http_exception(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)  # noqa: S101 - as above
    detail = _HTTP_DETAILS.get(exc.status_code, str(exc.detail))
    return problem_response(request, exc.status_code, detail, headers=exc.headers)


def _detail(exc: ApexError) -> str:
    # The reasons that stores and providers give name hosts, users and quotas: they go to the log only.
    match exc:
        case StoreUnavailable():
            return f"{exc.store} does not answer at the moment; try again. A POST may repeat its key."
        case ProviderRefused():
            return f"{exc.provider} refused to serve this request; our log says why."
        case _:
            return str(exc)


def _errors(exc: ApexError) -> tuple[ProblemDetail, ...]:
    if isinstance(exc, RecordRejected):
        return (ProblemDetail(detail=exc.problem, pointer=f"/record{exc.pointer}"),)
    return ()


def _headers(exc: ApexError) -> Mapping[str, str]:
    match exc:
        case RateLimited():
            return {"Retry-After": str(max(_RETRY_AFTER_S, round(exc.retry_after_s)))}
        case AllowanceSpent():
            return _quota(exc)
        case StoreUnavailable():
            return {"Retry-After": str(_RETRY_AFTER_S)}
        case DeliveryRefused():
            return {"WWW-Authenticate": 'Signature realm="apex"'}
        case _:
            return {}


def _quota(exc: AllowanceSpent) -> Mapping[str, str]:
    """Whole seconds, rounded up: who comes back then is not too early."""
    again_s, window_s = math.ceil(exc.retry_after_s), math.ceil(exc.burst / exc.per_s)
    return {
        "Retry-After": str(max(_RETRY_AFTER_S, again_s)),
        "RateLimit-Policy": f'"{exc.policy}";q={math.floor(exc.burst)};w={max(1, window_s)}',
        "RateLimit": f'"{exc.policy}";r=0;t={max(_RETRY_AFTER_S, again_s)}',
    }
