"""What the vector client raises: an outage is told from a fault of ours."""

import httpx
import pytest
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from apex_memory.domain.errors import RateLimited, StoreUnavailable
from apex_memory.pipeline.stores.qdrant.connection import outages_named


def answered(status: int) -> UnexpectedResponse:
    return UnexpectedResponse(status, "reason", b"{}", httpx.Headers())


@pytest.mark.parametrize(
    "raised",
    [
        *(answered(status) for status in (401, 403, 404, 408, 429, 500, 502, 503, 504)),
        ResponseHandlingException(httpx.ConnectError("refused")),
        ResponseHandlingException(httpx.ReadTimeout("silence")),
        ResponseHandlingException(AttributeError("reset while connecting", name="getpeername")),
        TimeoutError(),
    ],
    ids=repr,
)
def test_an_outage_is_store_unavailable(raised: Exception) -> None:
    with pytest.raises(StoreUnavailable, match="qdrant") as caught, outages_named():
        raise raised

    assert caught.value.__cause__ is raised


@pytest.mark.parametrize(
    "raised",
    [
        *(answered(status) for status in (400, 409, 422, 501)),
        ResponseHandlingException(ValueError()),
        ResponseHandlingException(AttributeError("a bug", name="payload")),
    ],
    ids=repr,
)
def test_a_fault_of_ours_is_not_hidden(raised: Exception) -> None:
    with pytest.raises(type(raised)) as caught, outages_named():
        raise raised

    assert caught.value is raised


def test_a_server_that_names_a_time_is_obeyed() -> None:
    with pytest.raises(RateLimited) as caught, outages_named():
        raise ResourceExhaustedResponse("slow down", 7)

    assert caught.value.retry_after_s == 7.0
