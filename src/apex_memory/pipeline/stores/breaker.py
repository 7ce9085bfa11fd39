"""Calls to one store in, their answers out; or, while the store is known to be down, CircuitOpen at once."""

import math
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import structlog

from apex_memory.domain.errors import CircuitOpen, StoreUnavailable

T = TypeVar("T")
Call = Callable[[], Awaitable[T]]

log = structlog.get_logger()


class State(StrEnum):
    """Closed: calls go through. Open: none does. Half-open: one does, and decides."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True)
class Limits:
    """When a breaker opens, and for how long."""

    #: Of the last `window` answers not older than `window_s`, at least `least`, this share has failed. The
    #: age spans three calls that each wait out a driver's deadline of 30 s.
    window: int = 20
    window_s: float = 120.0
    least: int = 3
    failing: float = 0.5
    #: Grows twofold with each failed probe. The longest is what a recovery may cost beyond the store's own.
    open_s: float = 0.5
    longest_open_s: float = 5.0
    #: A call that its caller gave up after less says nothing; after more, that the store did not answer.
    patience_s: float = math.inf


class Breaker:
    """One store and one kind of call, in one process.

    Only StoreUnavailable is a failure: whoever says anything else has answered. What a call says counts only
    in the generation it began in, so that one from before an outage does not end it.
    """

    def __init__(
        self,
        store: str,
        kind: str,
        limits: Limits,
        *,
        probe: Call[None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.state = State.CLOSED
        self._store = store
        self._kind = kind
        self._limits = limits
        self._probe = probe
        self._clock = clock
        self._chance = chance
        self._recent: deque[tuple[float, bool]] = deque(maxlen=limits.window)
        self._generation = 0
        self._trips = 0
        self._probing = False
        self._opened_at = 0.0
        self._until = 0.0
        self._reason = ""

    async def call(self, work: Call[T]) -> T:
        """The answer of `work`.

        Raises:
            CircuitOpen: the store is known to be down, or became so by this call; says when to ask again.
            StoreUnavailable: the call failed, for now alone.
        """
        probing = self._enter()
        generation, began = self._generation, self._clock()
        try:
            if probing and self._probe:
                # Cheap, and over within its own short deadline: a write would find out in 30 s.
                await self._probe()
            answer = await work()
        except StoreUnavailable as exc:
            self._failed(generation, exc.reason)
            if self.state is State.CLOSED:
                raise
            raise self._open_for_now(exc.reason) from exc
        except Exception:
            self._answered(generation)
            raise
        except BaseException:
            self._gave_up(generation, after_s=self._clock() - began)
            raise
        self._answered(generation)
        return answer

    def _enter(self) -> bool:
        """Whether the call is the probe."""
        if self.state is State.OPEN and self._clock() >= self._until:
            self._become(State.HALF_OPEN)
        if self.state is State.CLOSED:
            return False
        if self.state is State.OPEN or self._probing:
            raise self._open_for_now(self._reason)
        self._probing = True
        return True

    def _answered(self, generation: int) -> None:
        if generation != self._generation:
            return
        if self.state is State.CLOSED:
            self._recent.append((self._clock(), True))
            return
        self._trips = 0
        self._become(State.CLOSED)
        down_s = round(self._clock() - self._opened_at, 1)
        log.info("breaker.closed", store=self._store, kind=self._kind, open_s=down_s)

    def _failed(self, generation: int, reason: str) -> None:
        if generation != self._generation:
            return
        self._reason = reason
        if self.state is State.HALF_OPEN:
            self._trip()
            return
        now = self._clock()
        self._recent.append((now, False))
        recent = [answered for at, answered in self._recent if now - at <= self._limits.window_s]
        enough = len(recent) >= self._limits.least
        if enough and recent.count(False) >= self._limits.failing * len(recent):
            self._opened_at = now
            self._trip()
            log.warning("breaker.opened", store=self._store, kind=self._kind, reason=reason)

    def _gave_up(self, generation: int, *, after_s: float) -> None:
        if after_s >= self._limits.patience_s:
            self._failed(generation, f"no answer within {after_s:.1f} s")
        elif generation == self._generation:
            self._probing = False

    def _trip(self) -> None:
        # An outage of hours trips thousands of times: 2 to the power of that is no float.
        growing = self._limits.open_s * 2 ** min(self._trips, 16)
        self._trips += 1
        self._until = self._clock() + min(growing, self._limits.longest_open_s) * self._jitter()
        self._become(State.OPEN)

    def _become(self, state: State) -> None:
        self.state = state
        self._generation += 1
        self._probing = False
        self._recent.clear()

    def _open_for_now(self, reason: str) -> CircuitOpen:
        left = self._until - self._clock()
        # The probe is under way: it decides soon.
        wait_s = left if left > 0 else self._limits.open_s * self._jitter()
        return CircuitOpen(self._store, reason, retry_after_s=wait_s)

    def _jitter(self) -> float:
        return 0.5 + 0.5 * self._chance()
