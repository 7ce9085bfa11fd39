"""An API that comes and goes, and the client that waits for it, within its patience."""

from collections.abc import Awaitable, Callable, Sequence

import httpx
import orjson
import pytest

from apex_memory.cli.client import ApexClient
from apex_memory.cli.failures import ApiRefused, ApiUnavailable

ACCEPTED = httpx.Response(
    202,
    json={"ingestion_id": "0b0a3c52-9d0c-4f6e-8f0e-3a2f6f6f5d11", "status_url": "/x", "duplicate": False},
)
PROBLEM = {"title": "Store unavailable", "status": 503, "detail": "postgres does not answer"}
Answer = httpx.Response | Exception


class Scripted:
    """A server that answers as listed, and keeps what it was asked."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.asked: list[httpx.Request] = []
        self._answers = list(answers)

    def client(self, *, patience_s: float = 5) -> ApexClient:
        transport = httpx.MockTransport(self._answer)
        return ApexClient(
            httpx.AsyncClient(transport=transport, base_url="http://apex"), patience_s=patience_s
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    "passing",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("closed in the middle"),
        httpx.Response(502, text="<html>bad gateway</html>"),
        httpx.Response(503, json=PROBLEM),
        httpx.Response(504),
        httpx.Response(429, headers={"retry-after": "0"}),
    ],
)
async def test_what_passes_is_waited_out_and_the_same_post_is_repeated(passing: Answer) -> None:
    server = Scripted([passing, ACCEPTED])

    answer = await server.client().send_record("turvo", {"shipmentId": "SHIP-1"})

    first, second = server.asked
    assert not answer.duplicate
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert orjson.loads(first.content) == orjson.loads(second.content)


async def test_two_posts_have_two_keys() -> None:
    server = Scripted([ACCEPTED, ACCEPTED])
    client = server.client()

    for _ in range(2):
        await client.send_document("a.md", b"# A")

    assert len({request.headers["idempotency-key"] for request in server.asked}) == 2


async def test_the_senders_own_key_is_kept() -> None:
    server = Scripted([ACCEPTED])

    await server.client().send_record("turvo", {}, idempotency_key="order-77")

    assert server.asked[0].headers["idempotency-key"] == "order-77"


async def test_a_repeated_upload_is_whole() -> None:
    server = Scripted([httpx.ConnectError("refused"), ACCEPTED])

    await server.client().send_document("a.md", b"# A", external_id="notes/a.md", source="wiki")

    assert all(
        part in server.asked[1].content for part in (b"# A", b'filename="a.md"', b"notes/a.md", b"wiki")
    )


async def test_a_refusal_is_told_at_once() -> None:
    problem = {
        "title": "Record rejected",
        "status": 422,
        "detail": "turvo record",
        "errors": [{"detail": "required, and missing", "pointer": "/record/shipmentId"}],
    }
    server = Scripted([httpx.Response(422, json=problem)])

    with pytest.raises(ApiRefused, match="/record/shipmentId: required, and missing"):
        await server.client().send_record("turvo", {})

    assert len(server.asked) == 1


async def test_a_refusal_that_is_no_problem_document_is_told_too() -> None:
    server = Scripted([httpx.Response(404, text="<html>nothing here</html>")])

    with pytest.raises(ApiRefused, match="nothing here"):
        await server.client().search("x")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: httpx.ConnectError("refused"), "refused"),
        (lambda: httpx.Response(503, json=PROBLEM), "postgres does not answer"),
        (lambda: httpx.Response(503, json=PROBLEM, headers={"retry-after": "9999"}), "postgres"),
    ],
)
async def test_when_the_patience_is_over_the_last_reason_is_told(
    answer: Callable[[], Answer], reason: str
) -> None:
    server = Scripted([answer() for _ in range(10)])

    with pytest.raises(ApiUnavailable, match=reason) as caught:
        await server.client(patience_s=0.35).search("x")

    assert "apex dev up" in str(caught.value)
    assert 1 <= len(server.asked) <= 3


@pytest.mark.parametrize("question", [ApexClient.alive, ApexClient.readiness])
async def test_whether_it_serves_is_asked_once(question: Callable[[ApexClient], Awaitable[object]]) -> None:
    server = Scripted([httpx.Response(503, json=PROBLEM)])

    with pytest.raises(ApiUnavailable, match="postgres does not answer"):
        await question(server.client())

    assert len(server.asked) == 1
