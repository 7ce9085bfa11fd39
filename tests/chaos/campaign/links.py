"""A port in, the same service behind a wire that misbehaves on command out."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

Mode = Literal[
    "ok", "refuse", "reset_reply", "drop_reply", "blackhole", "slow", "cut_reply", "cut_request", "kill"
]
Direction = Literal["request", "reply"]

HOST: Final = "127.0.0.1"
PIECE_BYTES: Final = 1 << 16
_NO_LINGER: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Fault:
    """What a link does to what passes through it.

    refuse: nobody listens, open connections are reset. reset_reply: the request arrives, a reset comes back.
    drop_reply: the request arrives, the answer never does (a lost acknowledgement). blackhole: nothing passes
    until the end of the fault; then it all does, as TCP would send it again. slow: each piece waits
    `delay_s`. cut_reply, cut_request: `after` bytes pass, then a reset (a partial answer, a partial batch).
    kill: no lasting fault; connections that are open now are reset.
    """

    mode: Mode = "ok"
    delay_s: float = 0.0
    after: int = 0


class _Cut(Exception):
    """The connection is to be reset."""


class _Connection:
    """One client's connection and the one that was opened for it."""

    def __init__(self) -> None:
        self.writers: list[asyncio.StreamWriter] = []
        self.spoilt = False

    def abort(self) -> None:
        for writer in self.writers:
            _reset(writer)


class Link:
    """One proxied service. `become` changes what it does, for open connections too."""

    def __init__(self, name: str, *, listen: int, upstream: int) -> None:
        self.name = name
        self._listen = listen
        self._upstream = upstream
        self._fault = Fault()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self._listen, backlog=512)

    async def become(self, fault: Fault) -> None:
        """From now on; a connection whose bytes were thrown away is reset when its fault ends."""
        self._fault = fault
        self._changed.set()
        self._changed = asyncio.Event()
        if fault.mode in {"refuse", "kill"}:
            self._abort(lambda _: True)
        self._abort(lambda connection: connection.spoilt)
        if fault.mode == "refuse":
            await self.close()
        elif self._server is None:
            await self.open()

    async def close(self) -> None:
        """Stop listening; what is open stays."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _abort(self, which: Callable[[_Connection], bool]) -> None:
        for connection in tuple(self._connections):
            if which(connection):
                connection.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection()
        connection.writers.append(writer)
        self._connections.add(connection)
        try:
            await self._pass_unless_black()
            up_reader, up_writer = await asyncio.open_connection(HOST, self._upstream)
            connection.writers.append(up_writer)
            await self._both_ways((reader, writer), (up_reader, up_writer), connection)
        except (OSError, RuntimeError, _Cut):
            pass  # RuntimeError: uvloop's word for a connection that is cut between two writes
        finally:
            self._connections.discard(connection)
            connection.abort()

    async def _both_ways(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        connection: _Connection,
    ) -> None:
        pumps = [
            asyncio.ensure_future(self._pump(client[0], server[1], "request", connection)),
            asyncio.ensure_future(self._pump(server[0], client[1], "reply", connection)),
        ]
        try:
            await asyncio.gather(*pumps)
        finally:
            for pump in pumps:
                pump.cancel()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        direction: Direction,
        connection: _Connection,
    ) -> None:
        fault, passed = self._fault, 0
        while piece := await reader.read(PIECE_BYTES):
            await self._pass_unless_black()
            if fault is not self._fault:
                fault, passed = self._fault, 0
            allowed = self._allowed(piece, direction, passed=passed)
            if fault.mode == "slow":
                await asyncio.sleep(fault.delay_s)
            if allowed is None:
                connection.spoilt = True
                continue
            passed += len(allowed)
            writer.write(allowed)
            await writer.drain()
            if len(allowed) < len(piece):
                raise _Cut
        # Its own end of the stream, and no more: the other direction may still have much to say.
        with suppress(OSError, RuntimeError):
            writer.write_eof()

    def _allowed(self, piece: bytes, direction: Direction, *, passed: int) -> bytes | None:
        """What may pass of a piece; less than all of it ends the connection, None loses it in silence."""
        fault = self._fault
        match fault.mode, direction:
            case "reset_reply", "reply":
                return b""
            case "drop_reply", "reply":
                return None
            case ("cut_reply", "reply") | ("cut_request", "request"):
                return piece[: max(0, fault.after - passed)]
            case _:
                return piece

    async def _pass_unless_black(self) -> None:
        while self._fault.mode == "blackhole":
            await self._changed.wait()


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST, not FIN."""
    raw = writer.get_extra_info("socket")
    with suppress(OSError, ValueError):  # closed already
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()
