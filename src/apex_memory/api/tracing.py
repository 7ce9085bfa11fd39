"""A request in, the same request under an id out: in its logs, in its answer, and in what breaks."""

import re
import time
from typing import Final
from uuid import uuid4

import structlog
from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apex_memory.api.problems import unexpected

_HEADER: Final = "x-request-id"
_PROBES: Final = frozenset({"/livez", "/readyz"})
#: A caller's own id ends up in our logs: nothing that could forge a line or a field.
_SHAPE: Final = re.compile(r"[A-Za-z0-9._:@/+=-]{1,128}")

log = structlog.get_logger()


class RequestTracing:
    """The outermost layer: nothing leaves without a request id, and no exception leaves at all."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._answer(scope, receive, _Answer(send, request_id))

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        started = time.perf_counter()
        try:
            await self._app(scope, receive, answer.send)
        except ClientDisconnect:
            log.info("request.abandoned", path=scope["path"])
            return
        except Exception:  # the edge: whatever nobody foresaw becomes one problem document
            log.exception("request.failed", path=scope["path"])
            if answer.status is None:
                await unexpected(Request(scope))(scope, receive, answer.send)
        took_ms = round((time.perf_counter() - started) * 1000, 1)
        # Supervisors ask every second: that is no news.
        note = log.debug if scope["path"] in _PROBES else log.info
        note(
            "request.answered",
            method=scope["method"],
            path=scope["path"],
            status=answer.status,
            took_ms=took_ms,
        )


class _Answer:
    """Notes the status of what is sent, and adds the request id."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            MutableHeaders(scope=message)[_HEADER] = self._request_id
        await self._send(message)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(_HEADER, "")
    return given if _SHAPE.fullmatch(given) else uuid4().hex
