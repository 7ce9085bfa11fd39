"""An ASGI application in, it listening on a local port out: the URL, until the test is done with it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator

import uvicorn
from starlette.applications import Starlette


@contextlib.asynccontextmanager
async def listening(app: Starlette) -> AsyncGenerator[str, None]:
    """Its URL, without a slash. Requests that were never answered are gone with it."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=0, ws="none")
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """The test runner keeps its signals."""
        yield
