"""A Redis in, an address before it out where replies are late, cut off in the middle, or no Redis at all."""

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

from apex_memory.devstack.loopback import HOST

Mangle = Callable[[bytes], Awaitable[bytes | None]]
"""A piece of a reply in, what the client gets for it out; None: the connection breaks."""


async def unchanged(reply: bytes) -> bytes:
    return reply


async def cut_in_the_middle(_reply: bytes) -> None:
    return


def late(seconds: float) -> Mangle:
    async def wait(reply: bytes) -> bytes:
        await asyncio.sleep(seconds)
        return reply

    return wait


def instead(answer: bytes) -> Mangle:
    async def replace(_reply: bytes) -> bytes:
        return answer

    return replace


class Wire:
    """`mangle` may be set at any time; it applies to every reply from then on, also of open connections."""

    def __init__(self, port: int) -> None:
        self.mangle: Mangle = unchanged
        self.mangled = 0
        self.url = ""
        self._port = port

    async def serve(self, from_client: StreamReader, to_client: StreamWriter) -> None:
        with suppress(OSError):
            from_redis, to_redis = await asyncio.open_connection(HOST, self._port)
            asking = asyncio.create_task(self._ask(from_client, to_redis))
            try:
                await self._reply(from_redis, to_client)
            finally:
                asking.cancel()
                to_redis.close()
        to_client.close()

    async def _ask(self, from_client: StreamReader, to_redis: StreamWriter) -> None:
        with suppress(OSError):
            while asked := await from_client.read(65_536):
                to_redis.write(asked)
                await to_redis.drain()
        to_redis.close()

    async def _reply(self, from_redis: StreamReader, to_client: StreamWriter) -> None:
        while reply := await from_redis.read(65_536):
            self.mangled += self.mangle is not unchanged
            mangled = await self.mangle(reply)
            if mangled is None:
                to_client.write(reply[: len(reply) // 2])
                await asyncio.sleep(0.01)
                # A reset, not an orderly end: first half a reply, then an error.
                raw = cast("socket.socket", to_client.get_extra_info("socket"))
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                to_client.transport.abort()
                return
            to_client.write(mangled)
            await to_client.drain()


@asynccontextmanager
async def wire_to(port: int) -> AsyncGenerator[Wire, None]:
    wire = Wire(port)
    server = await asyncio.start_server(wire.serve, HOST, 0)
    wire.url = f"redis://{HOST}:{server.sockets[0].getsockname()[1]}/0"
    async with server:
        yield wire
