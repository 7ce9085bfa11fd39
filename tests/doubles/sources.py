"""The APIs of Samsara, Turvo and Front on one local port: what a test put there, and every failure on demand.

Put vehicles into `pages`, and objects under their ids into `shipments`, `messages` and `comments`. `plan`
answers that come first, one a request; `calls` and `count` tell what was asked.
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.doubles.serving import listening

Json = dict[str, Any]
#: The usual answer in, what is sent in its place out.
Answer = Callable[[Response], Awaitable[Response]]

TOKEN: Final = "a-token"
LOGIN: Final = ("ops@acme.example", "a password")
API_KEY: Final = "an-api-key"


@dataclass(frozen=True)
class Call:
    """One request, as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


class SourcesDouble:
    """tokens: those that Samsara and Front know. logins: name and password of Turvo's accounts.

    pages: vehicles, one list a page of the feed; a cursor is the number of the page that comes next.
    """

    def __init__(self) -> None:
        self.base_url = ""
        self.calls: list[Call] = []
        self.tokens = {TOKEN}
        self.logins: dict[str, str] = dict([LOGIN])
        self.expires_in: object = 43_198
        self.pages: list[list[Json]] = []
        self.shipments: dict[str, Json] = {}
        self.messages: dict[str, Json] = {}
        self.comments: dict[str, Json] = {}
        self._turvo_tokens: dict[str, str] = {}
        self._planned: list[tuple[str, deque[Answer]]] = []

    def plan(self, *answers: Answer, at: str = "/") -> None:
        """For the next requests whose path begins with `at`."""
        self._planned.append((at, deque(answers)))

    def count(self, at: str = "/") -> int:
        """How many requests there were for what begins with `at`."""
        return sum(call.path.startswith(at) for call in self.calls)

    def revoke(self) -> None:
        """Turvo forgets every token that it gave; passwords stay good."""
        self._turvo_tokens.clear()

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        body = await request.body()
        self.calls.append(Call(request.method, path, dict(request.query_params), dict(request.headers), body))
        usual = self._usual(request, json.loads(body) if path == "/oauth/token" else {})
        for at, answers in self._planned:
            if path.startswith(at) and answers:
                return await answers.popleft()(usual)
        return usual

    def _usual(self, request: Request, login: Json) -> Response:
        path, authorization = request.url.path, request.headers.get("authorization", "")
        kind, _, key = path.strip("/").partition("/")
        token = authorization.removeprefix("Bearer ")
        if path == "/oauth/token":
            return self._token(login, request.headers.get("x-api-key"))
        if kind == "shipments":
            if request.headers.get("x-api-key") != API_KEY or token not in self._turvo_tokens:
                return failure(401)
            return _found(self.shipments, key)
        if token not in self.tokens:
            return failure(401)
        if path == "/fleet/vehicles/stats/feed":
            return self._feed(request.query_params.get("after"))
        return _found({"messages": self.messages, "comments": self.comments}.get(kind, {}), key)

    def _feed(self, after: str | None) -> Response:
        number = int(after) if after else 0
        if number > len(self.pages):
            return failure(400)
        data = self.pages[number] if number < len(self.pages) else []
        following = min(number + 1, len(self.pages))
        pagination = {"endCursor": str(following), "hasNextPage": following < len(self.pages)}
        return JSONResponse({"data": data, "pagination": pagination})

    def _token(self, login: Json, api_key: str | None) -> Response:
        username = login["username"]
        if login["grant_type"] != "password" or self.logins.get(username) != login["password"]:
            return failure(400)
        if api_key != API_KEY:
            return failure(403)
        token = f"turvo-{len(self._turvo_tokens)}-{self.count('/oauth/token')}"
        self._turvo_tokens[token] = username
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": self.expires_in})


@contextlib.asynccontextmanager
async def sources_double() -> AsyncGenerator[SourcesDouble, None]:
    """Listening when it is yielded, gone afterwards, together with requests that were never answered."""
    double = SourcesDouble()
    app = Starlette(routes=[Route("/{path:path}", double.answer, methods=["GET", "POST"])])
    async with listening(app) as double.base_url:
        yield double


def status(code: int, *, headers: Mapping[str, str] | None = None) -> Answer:
    async def answer(_usual: Response) -> Response:
        return failure(code, headers=headers)

    return answer


def rate_limited(retry_after: str | None = "1") -> Answer:
    """In seconds, or a date as HTTP writes it."""
    return status(429, headers={"Retry-After": retry_after} if retry_after is not None else None)


def usual() -> Answer:
    """What would have been answered: to let some requests pass before a failure."""

    async def answer(usual: Response) -> Response:
        return usual

    return answer


def body(content: bytes, *, media_type: str = "application/json") -> Answer:
    """Whatever a proxy says in the API's place, under status 200."""

    async def answer(_usual: Response) -> Response:
        return Response(content, media_type=media_type)

    return answer


def redirect(url: str) -> Answer:
    async def answer(_usual: Response) -> Response:
        return RedirectResponse(url)

    return answer


def endless(piece: bytes = b" " * (1 << 16)) -> Answer:
    """A body that says nothing of its length, and ends only when its reader goes away."""

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield piece
            # Writing does not wait once the reader has gone: let it be seen that they have.
            await asyncio.sleep(0)

    async def answer(_usual: Response) -> Response:
        return StreamingResponse(pieces(), media_type="application/json")

    return answer


def dropped() -> Answer:
    """Acts, begins to answer, and closes the connection in the middle of it."""

    async def answer(usual: Response) -> Response:
        async def half() -> AsyncIterator[bytes]:
            whole = bytes(usual.body)
            yield whole[: len(whole) // 2]
            raise ConnectionAbortedError

        length = {"Content-Length": str(len(usual.body))}
        return StreamingResponse(half(), headers=length, media_type="application/json")

    return answer


def silence() -> Answer:
    """Takes the request and never answers."""

    async def answer(_usual: Response) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    return answer


def failure(code: int, *, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"message": f"status {code}"}, code, headers)


def times(count: int, answer: Answer) -> Sequence[Answer]:
    return [answer] * count


def _found(things: Mapping[str, Json], key: str) -> Response:
    return JSONResponse(things[key]) if key in things else failure(404)
