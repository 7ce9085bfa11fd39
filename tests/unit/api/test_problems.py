"""Everything that can go wrong behind the API, against the problem document that a caller reads."""

from typing import Any, Never
from uuid import uuid4

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs
from tests.unit.api.fakes import ALICE
from tests.unit.api.world import SHIPMENT, World, problem

from apex_memory.domain.errors import (
    DocumentRejected,
    EmbedderMismatch,
    ItemNotFound,
    ProviderRefused,
    QueryRejected,
    RateLimited,
    RecordRejected,
    SnapshotBehind,
    StoreUnavailable,
)

SECRET = "password=hunter2 host=10.0.0.7"
RECORD = {"source": "turvo", "record": SHIPMENT}


def failing(exc: Exception) -> Any:
    async def fail(*_: object, **__: object) -> Never:
        raise exc

    return fail


@pytest.mark.parametrize(
    ("exc", "status", "retry_after"),
    [
        (RecordRejected("turvo", "/a", "expected b"), 422, None),
        (DocumentRejected("a.pdf", "is encrypted"), 422, None),
        (QueryRejected("it is empty"), 422, None),
        (ItemNotFound("item", "x"), 404, None),
        (SnapshotBehind(wanted=9, found=3), 409, None),
        (StoreUnavailable("postgres", SECRET), 503, "1"),
        (RateLimited("openai", 17.4), 503, "17"),
        (RateLimited("openai", 0.2), 503, "1"),
        (ProviderRefused("openai", SECRET), 502, None),
        (EmbedderMismatch(stored="a", configured=SECRET), 500, None),
        (ZeroDivisionError(SECRET), 500, None),
    ],
)
async def test_an_error_behind_the_api_becomes_its_problem(
    world: World, exc: Exception, status: int, retry_after: str | None
) -> None:
    world.inbox.accept = failing(exc)

    with capture_logs():
        response = await world.alice.post("/v1/records", json=RECORD)

    problem(response, status)
    assert response.headers.get("retry-after") == retry_after
    assert "hunter2" not in response.text
    assert "10.0.0.7" not in response.text


@pytest.mark.parametrize("exc", [StoreUnavailable("neo4j", SECRET), ZeroDivisionError(SECRET)])
async def test_what_the_caller_is_not_told_is_logged_under_the_same_id(world: World, exc: Exception) -> None:
    world.inbox.ingestion = failing(exc)

    with capture_logs(processors=[merge_contextvars]) as logs:
        response = await world.alice.get(f"/v1/ingestions/{uuid4()}")

    told = [line for line in logs if line["log_level"] in {"warning", "error"}]
    assert [line["request_id"] for line in told] == [response.headers["x-request-id"]]
    assert [line["tenant_id"] for line in told] == [ALICE]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/records/", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/records", 405),
        ("DELETE", "/v1/search", 405),
        ("POST", "/livez", 405),
    ],
)
async def test_a_path_or_method_that_is_not_there_is_a_problem_too(
    world: World, method: str, path: str, status: int
) -> None:
    response = await world.alice.request(method, path)

    problem(response, status)
    assert ("allow" in response.headers) == (status == 405)


@pytest.mark.parametrize("given", ["req-1", "A.b_c:D/e+f=g@h", "x" * 128])
async def test_a_callers_own_request_id_is_kept(world: World, given: str) -> None:
    response = await world.alice.get("/livez", headers={"X-Request-Id": given})

    assert response.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", 'quote"', "{json}"])
async def test_a_request_id_that_could_forge_a_log_line_is_replaced(world: World, given: str) -> None:
    response = await world.alice.get("/livez", headers={"X-Request-Id": given})

    assert response.headers["x-request-id"] != given
    assert len(response.headers["x-request-id"]) == 32
