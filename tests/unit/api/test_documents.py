"""Files through the API: what is staged, what is kept, and what is refused."""

import hashlib
from collections.abc import AsyncGenerator
from typing import Never

import httpx
import orjson
import pytest
from tests.unit.api.fakes import ALICE
from tests.unit.api.world import MAX_DOCUMENT_BYTES, World, pointers, problem, staged

from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.ledger import InboxEvent

NOTES = b"# Notes\n\nTRUCK-6520 waits at door 7.\n"


async def upload(
    client: httpx.AsyncClient,
    data: bytes = NOTES,
    *,
    name: str = "notes.md",
    media_type: str = "text/markdown",
    key: str | None = None,
    fields: dict[str, str] | None = None,
) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    files = {"file": (name, data, media_type)}
    return await client.post("/v1/documents", files=files, data=fields or {}, headers=headers)


async def test_a_document_is_staged_then_kept(world: World) -> None:
    response = await upload(world.alice)

    (event,) = world.inbox.events.values()
    body = orjson.loads(event.body)
    assert response.status_code == 202
    assert response.headers["location"] == f"/v1/ingestions/{event.event_id}"
    assert (event.source, event.kind, event.label) == ("local_upload", "document", "notes.md")
    assert body == {
        "staged": f"{ALICE}/local_upload/{event.event_id}/upload",
        "name": "notes.md",
        "media_type": "text/markdown",
        "size": len(NOTES),
        "sha256": hashlib.sha256(NOTES).hexdigest(),
        "external_id": "notes.md",
    }
    assert await world.staging.read(body["staged"]) == NOTES


async def test_its_sender_may_name_it_and_its_source(world: World) -> None:
    await upload(world.alice, fields={"source": "sharepoint", "external_id": "wiki/Notes (2025)"})

    (event,) = world.inbox.events.values()
    assert (event.source, event.label) == ("sharepoint", "wiki/Notes (2025)")


async def test_a_repeated_upload_adds_nothing_and_leaves_nothing_staged(world: World) -> None:
    first = await upload(world.alice, key="upload-1")
    again = await upload(world.alice, b"other bytes", key="upload-1")

    (event,) = world.inbox.events.values()
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == {**first.json(), "duplicate": True}
    assert staged(world) == {orjson.loads(event.body)["staged"]: NOTES}


async def test_an_upload_whose_end_is_unknown_stays_staged(world: World) -> None:
    async def lost(event: InboxEvent) -> Never:  # noqa: ARG001 - the port's
        raise StoreUnavailable("postgres", "connection lost at commit")

    world.inbox.accept = lost

    response = await upload(world.alice)

    problem(response, 503)
    assert list(staged(world).values()) == [NOTES]


async def test_a_format_that_nobody_reads_is_told_which_there_are(world: World) -> None:
    response = await upload(world.alice, name="scan.tiff", media_type="image/tiff")

    detail = problem(response, 415)["detail"]
    assert ".md" in detail
    assert ".txt" in detail
    assert not staged(world)


async def test_the_name_says_the_format_where_the_sender_does_not(world: World) -> None:
    response = await upload(world.alice, media_type="application/octet-stream")

    (event,) = world.inbox.events.values()
    assert response.status_code == 202
    assert orjson.loads(event.body)["media_type"] == "text/markdown"


async def test_an_empty_file_is_refused(world: World) -> None:
    response = await upload(world.alice, b"")

    assert pointers(problem(response, 422)) == ["/file"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"source": "../../etc"}, "/source"),
        ({"source": "Capital"}, "/source"),
        ({"source": ""}, "/source"),
        ({"external_id": ""}, "/external_id"),
        ({"external_id": "x" * 256}, "/external_id"),
        ({"external_id": "line\nbreak"}, "/external_id"),
        ({"external_id": "nul\0"}, "/external_id"),
    ],
)
async def test_a_malformed_field_is_pointed_at(world: World, fields: dict[str, str], pointer: str) -> None:
    response = await upload(world.alice, fields=fields)

    assert pointers(problem(response, 422)) == [pointer]
    assert not staged(world)


async def test_a_path_in_a_file_name_is_only_its_last_part(world: World) -> None:
    await upload(world.alice, name="..\\..\\etc/notes.md")

    (event,) = world.inbox.events.values()
    assert event.label == "notes.md"


async def test_a_file_of_the_limit_is_taken_and_a_byte_more_is_not(world: World) -> None:
    at_limit = await upload(world.alice, b"x" * MAX_DOCUMENT_BYTES)
    beyond = await upload(world.alice, b"x" * (MAX_DOCUMENT_BYTES + 1))

    assert at_limit.status_code == 202
    problem(beyond, 413)
    assert len(world.inbox.events) == 1


async def test_an_endless_upload_is_cut_off(world: World) -> None:
    sent: list[int] = []

    async def endless() -> AsyncGenerator[bytes, None]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n\r\n'
        while True:
            sent.append(4096)
            yield b"x" * 4096

    headers = {"content-type": "multipart/form-data; boundary=b"}
    response = await world.alice.post("/v1/documents", content=endless(), headers=headers)

    problem(response, 413)
    assert sum(sent) < MAX_DOCUMENT_BYTES + (128 << 10)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=other", 400),
    ],
)
async def test_what_is_no_multipart_is_refused(world: World, content_type: str, status: int) -> None:
    response = await world.alice.post(
        "/v1/documents", content=b"--b\r\nnonsense", headers={"content-type": content_type}
    )

    problem(response, status)


async def test_an_upload_that_was_cut_off_is_no_document(world: World) -> None:
    begun = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n\r\n# Half of'

    response = await world.alice.post(
        "/v1/documents", content=begun, headers={"content-type": "multipart/form-data; boundary=b"}
    )

    assert pointers(problem(response, 422)) == ["/file"]
    assert not staged(world)


async def test_a_form_without_a_file_is_refused(world: World) -> None:
    response = await world.alice.post("/v1/documents", data={"file": "text"}, files={"other": b"x"})

    assert pointers(problem(response, 422)) == ["/file"]


async def test_two_files_at_once_are_refused(world: World) -> None:
    files = [("file", ("a.md", NOTES)), ("file", ("b.md", NOTES))]

    problem(await world.alice.post("/v1/documents", files=files), 400)
