"""Bodies that are too large, too deep, or no JSON at all, against the answers they get."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tests.unit.api.world import MAX_RECORD_BYTES, World, pointers, problem

from apex_memory.domain.nesting import MAX_DEPTH

JSON = {"content-type": "application/json"}
PATHS = pytest.mark.parametrize("path", ["/v1/records", "/v1/search"])


def nested(depth: int) -> bytes:
    """A body of `depth` levels: the envelope, the record, and arrays."""
    arrays = depth - 2
    return b'{"source":"turvo","record":{"shipmentId":"SHIP-1","x":' + b"[" * arrays + b"]" * arrays + b"}}"


@PATHS
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":"\xff\xfe"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\x01"}',
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        b"[" * 1_900 + b"]" * 1_900,
    ],
)
async def test_what_is_no_json_is_refused_as_unreadable(world: World, path: str, body: bytes) -> None:
    response = await world.alice.post(path, content=body, headers=JSON)

    problem(response, 400)


async def test_a_body_may_be_nested_up_to_the_limit_and_no_deeper(world: World) -> None:
    at_limit = await world.alice.post("/v1/records", content=nested(MAX_DEPTH), headers=JSON)
    beyond = await world.alice.post("/v1/records", content=nested(MAX_DEPTH + 1), headers=JSON)

    assert at_limit.status_code == 202
    assert str(MAX_DEPTH) in problem(beyond, 400)["detail"]


@PATHS
@pytest.mark.parametrize("length", [str(MAX_RECORD_BYTES + 1), "9" * 19, "9" * 5_000])
async def test_a_body_that_declares_too_much_is_refused_before_it_is_read(
    world: World, path: str, length: str
) -> None:
    read: list[bytes] = []

    async def body() -> AsyncGenerator[bytes, None]:
        read.append(b" ")
        yield b" "

    headers = {**JSON, "content-length": length}
    response = await world.alice.post(path, content=body(), headers=headers)

    problem(response, 413)
    assert response.headers["connection"] == "close"
    assert not read


@PATHS
async def test_a_body_that_declares_nothing_is_read_up_to_the_limit(world: World, path: str) -> None:
    read: list[int] = []

    async def endless() -> AsyncGenerator[bytes, None]:
        while True:
            read.append(1024)
            yield b" " * 1024

    response = await world.alice.post(path, content=endless(), headers=JSON)

    problem(response, 413)
    assert sum(read) <= MAX_RECORD_BYTES + 2 * 1024


@PATHS
@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "multipart/form-data", "json", ""])
async def test_another_content_type_is_not_taken(world: World, path: str, media_type: str) -> None:
    response = await world.alice.post(path, content=b"{}", headers={"content-type": media_type})

    problem(response, 415)


async def test_an_integer_of_a_thousand_digits_costs_no_error(world: World) -> None:
    digits = b"9" * 3_000
    body = b'{"source":"turvo","record":{"shipmentId":"SHIP-1","x":1' + digits + b".0e-3000}}"

    response = await world.alice.post("/v1/records", content=body, headers=JSON)

    assert response.status_code in {202, 400}


@pytest.mark.parametrize(
    ("path", "body", "at"),
    [
        ("/v1/search", {"query": "x", "min_seq": False}, "/min_seq"),
        ("/v1/search", {"query": "x", "min_seq": "1"}, "/min_seq"),
        ("/v1/search", {"query": "x", "limit": True}, "/limit"),
        ("/v1/search", {"query": "x", "limit": "5"}, "/limit"),
        ("/v1/endpoints/e/rotate", {"overlap_s": "60"}, "/overlap_s"),
        ("/v1/endpoints/e/replay", {"failed": "yes"}, "/failed"),
        ("/v1/endpoints/e/replay", {"failed": True, "dry_run": 1}, "/dry_run"),
        ("/v1/endpoints/e/replay", {"since": 1_795_010_700}, "/since"),
        ("/v1/endpoints/e/replay", {"until": "1795010700"}, "/until"),
        (
            "/v1/endpoints",
            {"source": "turvo", "label": "a", "rule": {"header": "x", "tolerance_s": True}},
            "/rule/tolerance_s",
        ),
    ],
)
async def test_nothing_is_taken_for_what_the_description_says_it_is_not(
    world: World, path: str, body: dict[str, Any], at: str
) -> None:
    response = await world.alice.post(path, json=body)

    assert pointers(problem(response, 422)) == [at]


async def test_the_interval_of_a_feed_is_not_read_out_of_a_text(world: World) -> None:
    response = await world.alice.put("/v1/feeds/samsara/gps", json={"interval_s": "60"})

    assert pointers(problem(response, 422)) == ["/interval_s"]
