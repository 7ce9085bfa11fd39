"""A URL in, a client without retries out; what goes wrong on the way gets its name here."""

from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import httpx
from pydantic import SecretStr
from qdrant_client import AsyncQdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from apex_memory.domain.errors import RateLimited, StoreUnavailable

NAME: Final = "qdrant"
# 256 points of 1,536 dimensions are 8 MB of JSON.
TIMEOUT_S: Final = 20

# Of the client's own faults, those that an operator mends while the work waits: a key that is wrong, a
# collection that was lost. Every other one is a bug of ours, and is not hidden.
_MENDED_OUTSIDE: Final = frozenset({
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
})  # fmt: skip


def open_qdrant(
    url: str, *, api_key: SecretStr | None = None, timeout_s: int = TIMEOUT_S
) -> AsyncQdrantClient:
    """A client that has not connected yet; close it. `timeout_s` bounds each wait of a request."""
    return AsyncQdrantClient(
        url=url,
        api_key=api_key.get_secret_value() if api_key else None,
        timeout=timeout_s,
        # By default the client opens a connection for every request to this host: 0.7 ms each. A server may
        # close an idle one after 5 s, and a request that is under way just then would fail.
        limits=httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=3.0),
        # It would ask the server in a thread of its own, before anybody uses the client.
        check_compatibility=False,
    )


@contextmanager
def outages_named() -> Generator[None]:
    """Raises StoreUnavailable or RateLimited in place of what the client raises for them."""
    try:
        yield
    except ResourceExhaustedResponse as exc:
        raise RateLimited(NAME, exc.retry_after_s) from exc
    except UnexpectedResponse as exc:
        if not _may_pass(exc.status_code):
            raise
        raise StoreUnavailable(NAME, str(exc)) from exc
    except ResponseHandlingException as exc:
        # The client also wraps what is no outage, such as an answer that it cannot read.
        if not (isinstance(exc.source, httpx.TransportError) or _cut_while_connecting(exc.source)):
            raise
        raise StoreUnavailable(NAME, repr(exc.source)) from exc
    except TimeoutError as exc:
        raise StoreUnavailable(NAME, "no answer in time") from exc


def _cut_while_connecting(source: Exception) -> bool:
    """The client asks a connection for its peer's name, and is given none if the peer has just reset it."""
    return isinstance(source, AttributeError) and source.name == "getpeername"


def _may_pass(status: int | None) -> bool:
    if status is None or status == HTTPStatus.NOT_IMPLEMENTED:
        return False
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _MENDED_OUTSIDE
