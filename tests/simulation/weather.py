"""A call to a store or to the ledger in, its answer out: in time, lost, late, twice or half."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final, Protocol, TypeVar

from apex_memory.domain.errors import StoreUnavailable

T = TypeVar("T")

#: After this long (seconds) a client gives up on a call.
PATIENCE_S: Final = 5.0
#: What was sent before may still land until then.
ZOMBIE_S: Final = 40.0


class Fate(StrEnum):
    FINE = "fine"
    #: Nothing happens, and the caller is told so.
    REFUSED = "refused"
    #: It happens, and the answer is lost.
    LOST = "lost"
    #: The caller gives up, and it happens afterwards.
    LATE = "late"
    #: It happens, is answered, and happens again afterwards.
    TWICE = "twice"
    #: Half of it happens.
    HALF = "half"
    #: Half of it happens, and the caller is told that all of it has.
    LIED = "lied"


@dataclass(frozen=True)
class Weather:
    """How likely each fate is, and how slow an answer may be (seconds)."""

    fates: tuple[tuple[Fate, float], ...] = ()
    slowest_s: float = 0.05

    def fate(self, random: Random) -> Fate:
        drawn = random.random()
        for fate, share in self.fates:
            if drawn < share:
                return fate
            drawn -= share
        return Fate.FINE


CALM: Final = Weather()
STORMY: Final = Weather(
    fates=(
        (Fate.REFUSED, 0.08),
        (Fate.LOST, 0.08),
        (Fate.LATE, 0.12),
        (Fate.TWICE, 0.12),
        (Fate.HALF, 0.06),
        (Fate.LIED, 0.04),
    ),
    slowest_s=2.0,
)


class Caller(Protocol):
    """The process that a call is made from."""

    async def thawed(self) -> None:
        """Returns at once, unless the process is frozen."""
        ...


#: Set by whoever runs an attempt of an activity; what the attempt starts inherits it.
CALLER: ContextVar[Caller | None] = ContextVar("CALLER", default=None)


class Network:
    """Between callers and servers. `applied` is told which server has changed something."""

    def __init__(self, random: Random, *, clock: Callable[[], float], applied: Callable[[str], None]) -> None:
        self.weather = STORMY
        self.counts: dict[str, int] = {}
        self._random = random
        self._clock = clock
        self._applied = applied
        self._down_until: dict[str, float] = {}

    def down(self, server: str, *, for_s: float) -> None:
        self._down_until[server] = self._clock() + for_s

    def calm(self) -> None:
        """From now on all goes well; what is still under way lands."""
        self.weather = CALM
        self._down_until.clear()

    async def read(self, server: str, do: Callable[[], Awaitable[T]]) -> T:
        """A call that changes nothing: no harm if it happens twice or late."""
        return await self._call(server, do, self._drawn({Fate.REFUSED, Fate.LOST}), changes=False)

    async def write(
        self, server: str, do: Callable[[], Awaitable[T]], *, half: Callable[[], Awaitable[T]] | None = None
    ) -> T:
        """A call that changes something; `half` is what it does if it breaks off.

        Raises:
            StoreUnavailable: the outcome is unknown to the caller.
        """
        fate = self._drawn(set(Fate) if half else {*Fate} - {Fate.HALF, Fate.LIED})
        return await self._call(
            server, half if half and fate in {Fate.HALF, Fate.LIED} else do, fate, changes=True
        )

    async def _call(self, server: str, do: Callable[[], Awaitable[T]], fate: Fate, *, changes: bool) -> T:
        await _thawed()
        self.counts[fate] = self.counts.get(fate, 0) + 1
        if fate is Fate.REFUSED:
            await self._pass()
            raise StoreUnavailable(server, fate)
        if fate is Fate.LATE:
            _spawn(self._serve(server, do, self._random.uniform(PATIENCE_S, ZOMBIE_S), changes=changes))
            await asyncio.sleep(PATIENCE_S)
            raise StoreUnavailable(server, fate)
        # Shielded: what was sent happens, also if the sender dies meanwhile.
        answer = await asyncio.shield(_spawn(self._serve(server, do, self._latency(), changes=changes)))
        if fate is Fate.TWICE:
            _spawn(self._serve(server, do, self._random.uniform(0.0, ZOMBIE_S), changes=changes))
        await self._pass()
        await _thawed()
        if fate in {Fate.LOST, Fate.HALF}:
            raise StoreUnavailable(server, fate)
        return answer

    async def _serve(
        self, server: str, do: Callable[[], Awaitable[T]], after_s: float, *, changes: bool
    ) -> T:
        await asyncio.sleep(after_s)
        if self._clock() < self._down_until.get(server, 0.0):
            raise StoreUnavailable(server, "down")
        try:
            return await do()
        finally:
            if changes:
                self._applied(server)

    async def _pass(self) -> None:
        await asyncio.sleep(self._latency())

    def _latency(self) -> float:
        # Most answers are quick; cubed, one in five takes more than half of the slowest.
        return self.weather.slowest_s * self._random.random() ** 3

    def _drawn(self, possible: set[Fate]) -> Fate:
        fate = self.weather.fate(self._random)
        return fate if fate in possible else Fate.FINE


async def _thawed() -> None:
    caller = CALLER.get()
    if caller is not None:
        await caller.thawed()


def _spawn(work: Awaitable[T]) -> "asyncio.Future[T]":
    return asyncio.ensure_future(work)
