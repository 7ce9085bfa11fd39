"""An error of the OpenAI client in, one of ours out: who may try again, and when."""

import email.utils
import math
import time
from collections.abc import Mapping
from datetime import UTC
from http import HTTPStatus
from typing import Final

from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

from apex_memory.domain.errors import ApexError, ProviderRefused, RateLimited, StoreUnavailable

PROVIDER: Final = "openai"
RETRY_AFTER_S: Final = 10.0
# Sent with status 429, but no waiting helps: somebody must pay.
NO_QUOTA: Final = "insufficient_quota"
WORTH_ANOTHER_TRY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT})


def translated(error: APIError) -> ApexError:
    """RateLimited for a 429, StoreUnavailable for outages, ProviderRefused for everything else."""
    match error:
        case APITimeoutError():
            return StoreUnavailable(PROVIDER, "no answer in time")
        case APIConnectionError():
            return StoreUnavailable(PROVIDER, str(error.__cause__ or error))
        case APIStatusError(status_code=HTTPStatus.TOO_MANY_REQUESTS) if NO_QUOTA not in {
            error.code,
            error.type,
        }:
            return RateLimited(PROVIDER, retry_after_s(error.response.headers))
        case APIStatusError(status_code=status) if (
            status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in WORTH_ANOTHER_TRY
        ):
            return StoreUnavailable(PROVIDER, error.message)
        case _:
            return ProviderRefused(PROVIDER, error.message)


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds: `retry-after-ms`, else `retry-after` in seconds or as a date, else ten."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None:
        return seconds
    return _seconds_until(value) if value else RETRY_AFTER_S


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return max(number, 0.0) if math.isfinite(number) else None


def _seconds_until(date: str) -> float:
    try:
        at = email.utils.parsedate_to_datetime(date)
    except ValueError:
        return RETRY_AFTER_S
    # "-0000" and a missing zone parse as naive; HTTP dates are in UTC.
    return max((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - time.time(), 0.0)
