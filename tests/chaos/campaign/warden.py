"""Services in; one that runs and yet does not answer, though nothing is being done to it, is restarted."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

from tests.chaos.campaign.fleet import Fleet

from apex_memory.domain.errors import ApexError
from apex_memory.process import beside

#: What an operator's liveness probe would allow. Seen to need it: Temporal's development server, whose SQLite
#: driver can answer "interrupted (9)" for good once a request was cancelled (as in gotosocial#2731).
PATIENCE_S: Final = 20.0
#: Services only: of the product, nobody restarts what ought to mend itself.
WATCHED: Final = ("postgres", "vectors", "neo4j", "redis", "temporal")
_LOOK_S: Final = 2.0


class Warden:
    """`rescued`: how often each service was restarted."""

    def __init__(self, fleet: Fleet, *, say: Callable[[str], None]) -> None:
        self._fleet = fleet
        self._say = say
        self._touched: dict[str, int] = {}
        self._well: dict[str, float] = {}
        self._starts: dict[str, int] = {}
        self.rescued: dict[str, int] = {}

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None, None]:
        async with beside(self._watch(), name="warden"):
            yield

    def begin(self, target: str) -> None:
        """A fault is done to it: it need not answer."""
        self._touched[target] = self._touched.get(target, 0) + 1

    def end(self, target: str) -> None:
        self._touched[target] -= 1
        self._well.pop(target, None)

    async def _watch(self) -> None:
        while True:
            await asyncio.gather(*map(self._look_at, WATCHED))
            await asyncio.sleep(_LOOK_S)

    async def _look_at(self, name: str) -> None:
        member = self._fleet[name]
        if self._touched.get(name) or self._starts.get(name) != member.starts:
            # From its start on it has all the time that it needs to answer for the first time.
            self._starts[name] = member.starts
            self._well.pop(name, None)
        try:
            await member.service.ready()
        except ApexError as exc:
            silent_s = time.monotonic() - self._well.get(name, time.monotonic())
            if silent_s > PATIENCE_S and member.tell(signal.SIGKILL):
                self.rescued[name] = self.rescued.get(name, 0) + 1
                self._well.pop(name, None)
                self._say(f"{name} has not answered for {silent_s:.0f} s and is restarted: {exc}")
        else:
            self._well[name] = time.monotonic()
