"""What a source's own API answers in, one JSON object or the error that it stands for out."""

import email.utils
import math
import time
from collections.abc import Mapping
from datetime import UTC
from http import HTTPStatus
from typing import Any, Final, cast

import httpx
import orjson

from apex_memory.domain.errors import (
    AnswerTooLarge,
    ItemNotFound,
    RateLimited,
    SourceRefused,
    SourceUnavailable,
)
from apex_memory.domain.nesting import MAX_DEPTH, too_deep

#: Of one answer, unpacked.
MAX_BYTES: Final = 8 << 20
#: What is waited if a source does not say how long, and what at least and at most if it does.
RETRY_AFTER_S: Final = 10.0
SHORTEST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 3600.0
_PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_GONE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


async def answer_of(source: str, response: httpx.Response) -> Mapping[str, object]:
    """Raises what `ports.SourceApi.get` does; httpx.HTTPError if the connection breaks in the middle."""
    _refuse(source, response)
    body = bytearray()
    # A piece of 64 KiB unpacks to 64 MiB at worst, and is let go before the next.
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > MAX_BYTES:
            raise AnswerTooLarge(source, f"{MAX_BYTES} bytes")
    try:
        answer: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        # A proxy's page under status 200. Without the cause, which quotes it.
        raise SourceUnavailable(source, f"{len(body)} bytes that are no JSON") from None
    if not isinstance(answer, dict):
        raise SourceUnavailable(source, "JSON, but no object")
    if too_deep(cast("object", answer)):
        raise AnswerTooLarge(source, f"{MAX_DEPTH} levels")
    return cast("dict[str, Any]", answer)


def _refuse(source: str, response: httpx.Response) -> None:
    status = response.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise RateLimited(source, retry_after_s(response.headers.get("retry-after")))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _PASSING:
        raise SourceUnavailable(source, f"status {status}")
    if status in _GONE:
        raise ItemNotFound(f"{source} resource", response.request.url.path)
    if status != HTTPStatus.OK:
        raise SourceRefused(source, status)


def retry_after_s(value: str | None) -> float:
    """Of `Retry-After`, in seconds or as a date; within bounds, whatever the source says."""
    seconds = _seconds(value) if value else RETRY_AFTER_S
    return min(max(seconds, SHORTEST_WAIT_S), LONGEST_WAIT_S)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
        return seconds if math.isfinite(seconds) else RETRY_AFTER_S
    except ValueError:
        pass
    try:
        at = email.utils.parsedate_to_datetime(value)
        # "-0000" and a missing zone parse as naive; HTTP dates are in UTC.
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - time.time()
    except (ValueError, OverflowError):
        return RETRY_AFTER_S
