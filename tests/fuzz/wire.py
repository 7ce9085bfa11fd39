"""A request as it would come over the wire in, what the application answers out: without a socket."""

import asyncio
import time
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp

Pair = tuple[bytes, bytes]
#: An answer that takes longer is none. Far above what a loaded machine needs.
BOUND_S = 60.0
#: So long a client listens to a stream, or waits for an ingestion, before it goes away.
PATIENCE_S = 0.02
NO_ANSWER = 0


@dataclass(frozen=True)
class Request:
    """`target` as in the request line: ASCII, percent-encoded."""

    method: str
    target: str
    headers: tuple[Pair, ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Of the headers by this name, as a server hands them over: without the blanks around them."""
        wanted = name.lower().encode()
        return [v.strip(b" \t").decode("latin-1") for n, v in self.headers if n.lower() == wanted]

    def path(self) -> str:
        return unquote(self.target.partition("?")[0])

    def shown(self) -> str:
        """Whole but for a long body."""
        lines = [f"{name.decode('latin-1')}: {_short(value)}" for name, value in self.headers]
        return "\n".join(
            [f"{self.method} {self.target}", *lines, f"body[{len(self.body)}]: {_short(self.body)}"]
        )


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[Pair, ...]
    body: bytes

    def header(self, name: str) -> str:
        return next((v.decode("latin-1") for n, v in self.headers if n == name.encode()), "")


async def answered(app: ASGIApp, request: Request) -> Answer:
    """`NO_ANSWER` for a status: nothing was said within the bound."""
    path, _, query = request.target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower(), value.strip(b" \t")) for name, value in request.headers],
        "client": ("127.0.0.1", 1),
        "server": ("apex", 80),
        "state": {},
    }
    exchange = _Exchange(request.body)
    try:
        async with asyncio.timeout(BOUND_S):
            await app(scope, exchange.receive, exchange.send)
    except TimeoutError:
        return Answer(NO_ANSWER, (), b"")
    return Answer(exchange.status, tuple(exchange.headers), b"".join(exchange.said))


class _Exchange:
    """The two channels of one request."""

    def __init__(self, body: bytes) -> None:
        self._pieces = _pieces(body)
        self._leaves_at = time.monotonic() + PATIENCE_S
        self.status = NO_ANSWER
        self.headers: list[Pair] = []
        self.said: list[bytes] = []

    async def receive(self) -> dict[str, Any]:
        for piece, more in self._pieces:
            return {"type": "http.request", "body": piece, "more_body": more}
        # Who only asks whether the client is gone does not wait for an answer.
        if (left_s := self._leaves_at - time.monotonic()) > 0:
            await asyncio.sleep(left_s)
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(bytes(name), bytes(value)) for name, value in message["headers"]]
        else:
            self.said.append(message.get("body", b""))


def _pieces(body: bytes) -> Iterator[tuple[bytes, bool]]:
    """In two, as it comes when it is longer than a packet."""
    half = len(body) // 2
    yield body[:half], True
    yield body[half:], False


def _short(value: bytes) -> str:
    return repr(value) if len(value) <= 400 else f"{value[:200]!r}…{value[-100:]!r}"
