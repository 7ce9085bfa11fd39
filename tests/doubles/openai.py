"""OpenAI's embeddings API on a local port: deterministic unit vectors, and every failure on demand."""

import asyncio
import base64
import contextlib
import hashlib
import re
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.doubles.serving import listening

DEFAULT_DIM: Final = 1536

Answer = Callable[[Mapping[str, Any]], Awaitable[Response]]


class OpenAIDouble:
    """Answers with vectors, unless answers were planned: those come first, one a request."""

    def __init__(self) -> None:
        self.base_url = ""
        self.requests: list[Mapping[str, Any]] = []
        self.authorizations: list[str] = []
        self._planned: deque[Answer] = deque()

    def plan(self, *answers: Answer) -> None:
        self._planned.extend(answers)

    async def embeddings(self, request: Request) -> Response:
        body = await request.json()
        self.requests.append(body)
        self.authorizations.append(request.headers.get("authorization", ""))
        answer = self._planned.popleft() if self._planned else vectors()
        return await answer(body)


@contextlib.asynccontextmanager
async def openai_double() -> AsyncGenerator[OpenAIDouble, None]:
    """Listening when it is yielded, gone afterwards, together with requests that were never answered."""
    double = OpenAIDouble()
    app = Starlette(routes=[Route("/v1/embeddings", double.embeddings, methods=["POST"])])
    async with listening(app) as url:
        double.base_url = f"{url}/v1"
        yield double


def unit_vector(text: str, dim: int = DEFAULT_DIM) -> NDArray[np.float32]:
    """The same text has the same vector in every process, and texts that share words have similar ones."""
    words = re.findall(r"\w+", text.lower()) or [text]
    vector = np.sum([_word_vector(word, dim) for word in words], axis=0)
    return vector / np.float32(np.linalg.norm(vector))


def _word_vector(word: str, dim: int) -> NDArray[np.float32]:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8])
    return np.random.default_rng(seed).standard_normal(dim).astype(np.float32)


def vectors(
    *, dim: int | None = None, scale: float = 1.0, as_numbers: bool = False, shuffled: bool = False
) -> Answer:
    """The right answer; or of another dimension, not normalised, as JSON numbers, out of order."""

    async def answer(body: Mapping[str, Any]) -> Response:
        size: int = dim or body.get("dimensions") or DEFAULT_DIM
        rows = [unit_vector(text, size) * np.float32(scale) for text in body["input"]]
        data = [
            {"object": "embedding", "index": n, "embedding": row.tolist() if as_numbers else _base64(row)}
            for n, row in enumerate(rows)
        ]
        return _embeddings(body, data[::-1] if shuffled else data)

    return answer


def vectors_for_the_first(count: int) -> Answer:
    async def answer(body: Mapping[str, Any]) -> Response:
        return await vectors()({**body, "input": body["input"][:count]})

    return answer


def rate_limited(headers: Mapping[str, str]) -> Answer:
    return failure(429, "Rate limit reached", code="rate_limit_exceeded", kind="requests", headers=headers)


def out_of_quota() -> Answer:
    message = "You exceeded your current quota"
    return failure(429, message, code="insufficient_quota", kind="insufficient_quota")


def server_error(status: int = 500) -> Answer:
    return failure(status, "The server had an error", code=None, kind="server_error")


def wrong_key() -> Answer:
    message = "Incorrect API key provided"
    return failure(401, message, code="invalid_api_key", kind="invalid_request_error")


def bad_request(message: str) -> Answer:
    return failure(400, message, code=None, kind="invalid_request_error")


def failure(
    status: int, message: str, *, code: str | None, kind: str, headers: Mapping[str, str] | None = None
) -> Answer:
    async def answer(_body: Mapping[str, Any]) -> Response:
        error = {"message": message, "type": kind, "param": None, "code": code}
        return JSONResponse({"error": error}, status, {"x-request-id": "req_1", **(headers or {})})

    return answer


def page(html: str) -> Answer:
    """What a proxy says in the API's place, under status 200."""

    async def answer(_body: Mapping[str, Any]) -> Response:
        return Response(html, media_type="text/html")

    return answer


def silence() -> Answer:
    """Takes the request and never answers."""

    async def answer(_body: Mapping[str, Any]) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    return answer


def _base64(row: NDArray[np.float32]) -> str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode()


def _embeddings(body: Mapping[str, Any], data: Sequence[Mapping[str, Any]]) -> Response:
    usage = {"prompt_tokens": len(data), "total_tokens": len(data)}
    return JSONResponse({"object": "list", "model": body["model"], "data": list(data), "usage": usage})
