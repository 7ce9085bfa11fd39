"""A root directory in, the service as a process of its own out, for tests that stop and kill it."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self, cast

from apex_memory.devstack.vectors.answers import Json
from apex_memory.domain.errors import TransientError

MODULE: Final = "apex_memory.devstack.vectors"


class ServiceEnded(TransientError):
    """The process ended before it logged what was waited for."""

    def __init__(self, awaited: str) -> None:
        super().__init__(f"the vector service ended without {awaited!r}")


class ServiceProcess:
    """Logs one JSON object a line to its standard output, read here."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.log: list[Json] = []
        self.url = ""

    @classmethod
    async def launch(cls, root: Path, *options: str) -> Self:
        command = (sys.executable, "-m", MODULE, "--root", str(root), "--port", "0", *options)
        return cls(await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE))

    @classmethod
    @asynccontextmanager
    async def started(cls, root: Path, *options: str) -> AsyncGenerator[Self]:
        """On a free port, ready; killed on leaving if it still runs."""
        service = await cls.launch(root, *options)
        try:
            ready = await service.event("vectors.ready")
            service.url = f"http://{ready['host']}:{ready['port']}"
            yield service
        finally:
            await service.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    async def event(self, name: str) -> Json:
        """The next event of this name.

        Raises:
            ServiceEnded: there will be none.
        """
        while (event := await self._next_event()) is not None:
            if event["event"] == name:
                return event
        raise ServiceEnded(name)

    async def stop(self) -> int:
        """End it gracefully; its exit status."""
        self._process.terminate()
        return await self.ended()

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self.ended()

    async def ended(self) -> int:
        """Wait until it ends by itself; its exit status."""
        while await self._next_event() is not None:
            pass
        return await self._process.wait()

    async def _next_event(self) -> Json | None:
        line = await cast("asyncio.StreamReader", self._process.stdout).readline()
        if not line:
            return None
        event = cast("Json", json.loads(line))
        self.log.append(event)
        return event
