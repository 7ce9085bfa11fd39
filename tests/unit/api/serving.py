"""An application in, the same application behind a real socket of this machine out."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NamedTuple

from tests.unit.api.world import World

from apex_memory.api.serve import server_of


class Served(NamedTuple):
    """Where it listens, and the task that ends when the server has ended."""

    url: str
    ended: asyncio.Task[None]


@asynccontextmanager
async def served(world: World) -> AsyncGenerator[Served, None]:
    # Listening from the start: who connects before the server is up waits for it.
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    server = server_of(world.app, world.draining, host=host, port=port, graceful_s=5)
    ended = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield Served(f"http://{host}:{port}", ended)
    finally:
        server.should_exit = True
        await ended
