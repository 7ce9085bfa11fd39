"""A directory in, a Redis out that a test may kill, freeze, fill, lock and lie with; nobody else uses it."""

import asyncio
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from redis.asyncio import Redis

from apex_memory.devstack.installation import Installation
from apex_memory.devstack.loopback import HOST, assign_ports
from apex_memory.devstack.probes import redis_answers
from apex_memory.domain.errors import StoreUnavailable


class RedisServer:
    """Keeps its port over kill and start; keeps no data, so that it comes back empty."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: Process | None = None
        self.port = assign_ports(["redis"], kept={})["redis"]
        self.url = f"redis://{HOST}:{self.port}/0"

    async def start(self) -> None:
        # fmt: off
        command = (
            str(Installation(self._directory).redis()),
            "--bind", HOST, "--port", str(self.port), "--dir", str(self._directory),
            "--save", "", "--appendonly", "no",
        )
        # fmt: on
        self._process = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=DEVNULL)
        await self.answers()

    async def answers(self) -> None:
        """Wait until it answers whoever knows no password."""
        while True:
            try:
                return await redis_answers(self.url)
            except StoreUnavailable:
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """kill -9, also of a frozen one."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def freeze(self) -> None:
        """From now on the kernel takes connections and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    async def do(self, *command: str | bytes | int, password: str | None = None) -> object:
        """One command, over a connection of its own and with patience."""
        client = Redis.from_url(self.url, password=password, socket_timeout=10.0)  # pyright: ignore[reportUnknownMemberType] - untyped options
        async with client:
            return cast("object", await client.execute_command(*command))  # pyright: ignore[reportUnknownMemberType] - as above

    @asynccontextmanager
    async def to_itself(self) -> AsyncGenerator[None, None]:
        """Cut every connection, and let nobody in: the only one that it allows is held here."""
        answers, ask = await asyncio.open_connection(HOST, self.port)
        try:
            for command in (b"CLIENT KILL TYPE normal SKIPME yes", b"CONFIG SET maxclients 1"):
                ask.write(command + b"\r\n")
                assert not (await answers.readline()).startswith(b"-")
            yield
            ask.write(b"CONFIG SET maxclients 1000\r\n")
            await answers.readline()
        finally:
            ask.close()
            await ask.wait_closed()

    async def keys(self, tenant_id: str) -> Sequence[bytes]:
        """Every key of a tenant."""
        return cast("Sequence[bytes]", await self.do("KEYS", f"t:{tenant_id}:*"))

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)


@asynccontextmanager
async def redis_server(directory: Path) -> AsyncGenerator[RedisServer, None]:
    """A server that runs until the test ends it, and at the latest until the end of the body."""
    server = RedisServer(directory)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()
