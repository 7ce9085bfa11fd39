"""Anything at all, sent to every door: refused or taken, and never an error of ours."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.unit.api.world import World

JSON = {"content-type": "application/json"}
TEXT = st.text(max_size=20)
PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(TEXT, children, max_size=4),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    ["shipmentId", "status", "origin", "message_id", "body", "sender", "vehicle_id", "latitude", "timestamp"]
)
RECORDS = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["turvo", "samsara", "frontapp"]) | VALUES,
        "record": st.dictionaries(FIELDS | TEXT, VALUES, max_size=6) | VALUES,
    }
)
QUESTIONS = st.fixed_dictionaries(
    {"query": TEXT | VALUES},
    optional={
        "limit": st.integers(-1, 200) | VALUES,
        "min_seq": st.sampled_from([0, None]) | TEXT | st.integers(max_value=0),
        "sources": st.lists(TEXT) | VALUES,
        "kinds": st.lists(st.sampled_from(["record", "document"]) | TEXT) | VALUES,
        "entity": st.fixed_dictionaries({"type": TEXT, "key": TEXT}) | VALUES,
    },
)
# The application is the same for all examples of a test: what it kept of one cannot make another fail.
FEW = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def dumped(value: object) -> bytes:
    """As a careless sender would: NaN, lone surrogates and all."""
    return json.dumps(value).encode()


async def status_of(world: World, path: str, content: bytes, headers: dict[str, str]) -> int:
    with capture_logs():
        return (await world.alice.post(path, content=content, headers=headers)).status_code


@FEW
@given(body=RECORDS | VALUES)
async def test_any_json_is_taken_as_a_record_or_refused(world: World, body: object) -> None:
    assert await status_of(world, "/v1/records", dumped(body), JSON) in {202, 400, 413, 422}


@FEW
@given(body=QUESTIONS | VALUES)
async def test_any_json_is_answered_as_a_question_or_refused(world: World, body: object) -> None:
    assert await status_of(world, "/v1/search", dumped(body), JSON) in {200, 400, 413, 422}


@FEW
@given(path=st.sampled_from(["/v1/records", "/v1/search"]), body=st.binary(max_size=200))
async def test_any_bytes_are_refused(world: World, path: str, body: bytes) -> None:
    assert await status_of(world, path, body, JSON) in {400, 422}


@FEW
@given(body=st.binary(max_size=300), boundary=st.text(PRINTABLE, max_size=20))
async def test_any_multipart_body_is_refused(world: World, body: bytes, boundary: str) -> None:
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}

    assert await status_of(world, "/v1/documents", body, headers) in {400, 422}


@FEW
@given(data=st.binary(min_size=1, max_size=200), name=TEXT, source=TEXT)
async def test_any_file_under_any_name_is_taken_or_refused(
    world: World, data: bytes, name: str, source: str
) -> None:
    files = {"file": (name or "x", data)}

    with capture_logs():
        response = await world.alice.post("/v1/documents", files=files, data={"source": source})

    assert response.status_code in {202, 400, 415, 422}


@FEW
@given(key=st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=40))
async def test_any_key_is_refused(world: World, key: str) -> None:
    headers = [(b"x-api-key", key.encode("latin-1"))]

    assert (await world.anonymous.get("/v1/items/1", headers=headers)).status_code == 401
