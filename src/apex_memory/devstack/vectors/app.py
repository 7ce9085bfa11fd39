"""HTTP requests in, Qdrant's envelopes out: `result` with status ok, or an error within the status."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Final, cast

import orjson
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from apex_memory.devstack.vectors import writes
from apex_memory.devstack.vectors.answers import Json
from apex_memory.devstack.vectors.errors import BadRequest, NotSupported, Refusal, refusals
from apex_memory.devstack.vectors.reads import READS, Read
from apex_memory.devstack.vectors.root import Root
from apex_memory.devstack.vectors.values import Schema
from apex_memory.devstack.vectors.writes import Write

Operation = Callable[[Root, Request], Awaitable[object]]

_WRITES: Final[dict[tuple[str, str], Callable[[object, Schema], Write]]] = {
    ("PUT", "/points"): writes.upsert,
    ("POST", "/points/delete"): writes.delete,
    ("POST", "/points/payload"): writes.set_payload,
    ("PUT", "/index"): writes.create_index,
}
_COLLECTION: Final = "/collections/{collection}"
_ALIVE: Final = ("/healthz", "/livez")
# Without effect on one node that answers when a write is durable, whether asked to wait or not.
_HARMLESS: Final = frozenset({"wait", "ordering", "consistency", "timeout"})
_NOT_ROUTED: Final = (404, 405)
_FAILED: Final = 500
_log = structlog.get_logger()


def create_app(opened: Callable[[], AbstractAsyncContextManager[Root]], *, version: str) -> Starlette:
    """`opened` is entered at the server's start and left at its end; clients check `version`."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with opened() as root:
            app.state.root = root
            yield

    about = {"title": "qdrant - vector search engine", "version": version}
    return Starlette(
        routes=_routes(about),
        lifespan=lifespan,
        exception_handlers={Refusal: _refused, HTTPException: _not_routed, Exception: _failed},
    )


def _routes(about: Mapping[str, str]) -> list[Route]:
    operations: list[tuple[str, str, Operation]] = [
        ("GET", "/collections", _list_collections),
        ("GET", f"{_COLLECTION}/exists", _exists),
        ("GET", _COLLECTION, _describe),
        ("PUT", _COLLECTION, _create),
        ("DELETE", _COLLECTION, _drop),
        ("DELETE", f"{_COLLECTION}/index/{{field:path}}", _delete_index),
        *((method, _COLLECTION + path, partial(_write, parse)) for (method, path), parse in _WRITES.items()),
        *(("POST", _COLLECTION + path, partial(_read, read)) for path, read in READS.items()),
    ]
    return [
        Route("/", partial(_fixed, _json(about))),
        *(Route(path, partial(_fixed, PlainTextResponse("ok"))) for path in _ALIVE),
        Route("/readyz", _ready),
        *(Route(path, _endpoint(operation), methods=[method]) for method, path, operation in operations),
    ]


def _endpoint(operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        began = time.perf_counter()
        if unknown := set(request.query_params) - _HARMLESS:
            raise NotSupported(f"query parameter `{min(unknown)}`")
        result = await operation(cast("Root", request.app.state.root), request)
        return _json({"time": time.perf_counter() - began, "status": "ok", "result": result})

    return endpoint


async def _fixed(response: Response, _: Request) -> Response:
    return response


async def _ready(request: Request) -> Response:
    """Not green while writes are refused, though reads are answered."""
    if stopped := cast("Root", request.app.state.root).stopped():
        return PlainTextResponse(
            f"no writes until a restart: {', '.join(stopped)}", status_code=HTTPStatus.SERVICE_UNAVAILABLE
        )
    return PlainTextResponse("ok")


async def _list_collections(root: Root, _: Request) -> Json:
    return {"collections": [{"name": name} for name in root.names()]}


async def _exists(root: Root, request: Request) -> Json:
    return {"exists": request.path_params["collection"] in root}


async def _describe(root: Root, request: Request) -> Json:
    return root.collection(request.path_params["collection"]).describe()


async def _create(root: Root, request: Request) -> bool:
    config = await _body(request)
    if not isinstance(config, dict):
        raise BadRequest("body must be an object")
    await root.create(request.path_params["collection"], cast("Json", config))
    return True


async def _drop(root: Root, request: Request) -> bool:
    return await root.drop(request.path_params["collection"])


async def _delete_index(root: Root, request: Request) -> Json:
    return await _apply(root, request, writes.delete_index(request.path_params["field"]))


async def _write(parse: Callable[[object, Schema], Write], root: Root, request: Request) -> Json:
    schema = root.collection(request.path_params["collection"]).schema
    body = await _body(request)
    with refusals():
        write = parse(body, schema)
    return await _apply(root, request, write)


async def _apply(root: Root, request: Request, write: Write) -> Json:
    number = await root.collection(request.path_params["collection"]).write(write)
    return {"operation_id": number, "status": "completed"}


async def _read(read: Read, root: Root, request: Request) -> object:
    body = await _body(request)
    with refusals():
        return read(root.collection(request.path_params["collection"]), body)


async def _body(request: Request) -> object:
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as exc:
        raise BadRequest(f"the body is not JSON: {exc}") from exc


async def _refused(request: Request, refusal: Exception) -> Response:
    status = refusal.status if isinstance(refusal, Refusal) else _FAILED
    if status == _FAILED:
        _log.error("request.failed", method=request.method, path=request.url.path, reason=str(refusal))
    return _error(status, str(refusal))


async def _not_routed(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code not in _NOT_ROUTED:
        return _error(error.status_code, error.detail)
    return await _refused(request, NotSupported(f"{request.method} {request.url.path}"))


async def _failed(request: Request, error: Exception) -> Response:
    """A bug of this service. Starlette raises it again after the answer, which logs the traceback."""
    _log.error("request.failed", method=request.method, path=request.url.path, reason=repr(error))
    return _error(_FAILED, f"Service internal error: {error!r}")


def _error(status: int, problem: str) -> Response:
    return _json({"time": 0.0, "status": {"error": problem}, "result": None}, status=status)


def _json(content: object, *, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status_code=status, media_type="application/json")
