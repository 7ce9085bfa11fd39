"""Activities by name in, attempts of them on workers that crash, freeze and go silent out."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from random import Random
from typing import Any, Final, TypeVar, cast

from temporalio.exceptions import ActivityError, CancelledError, RetryState
from tests.simulation.weather import CALLER

from apex_memory.activities.failures import failure_of
from apex_memory.domain.errors import PermanentError, TransientError
from apex_memory.domain.queues import Queue
from apex_memory.domain.value import Value
from apex_memory.workflows.attributes import Stage

T = TypeVar("T")
Activities = Mapping[str, Callable[[Any], Awaitable[Any]]]

HEARTBEAT_S: Final = 5.0
_BEAT_S: Final = HEARTBEAT_S / 3
_FIRST_BACKOFF_S: Final = 0.2
_LONGEST_BACKOFF_S: Final = 20.0


class Terminated(Exception):
    """Somebody terminated the workflow: not a line of it runs any more, no undo either."""


class Lost(Exception):
    """Nobody has heard of an attempt for a heartbeat time-out. It may still be running."""


class Worker:
    """One process. What its attempts have sent lands, whatever becomes of it."""

    def __init__(self, open_activities: Callable[[], Activities], *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.activities = open_activities()
        self.silent_until = 0.0
        self._open = open_activities
        self._frozen_until = 0.0
        # In order: a set of tasks is walked by their addresses, which no seed repeats.
        self._attempts: dict[asyncio.Task[Any], None] = {}

    async def thawed(self) -> None:
        while self._clock() < self._frozen_until:
            await asyncio.sleep(self._frozen_until - self._clock())

    def begin(self, name: str, argument: Value) -> asyncio.Task[Any]:
        context = copy_context()
        context.run(CALLER.set, self)
        work = cast("Callable[[], Any]", lambda: self.activities[name](argument))
        attempt: asyncio.Task[Any] = asyncio.get_running_loop().create_task(
            context.run(work), context=context
        )
        self._attempts[attempt] = None
        attempt.add_done_callback(lambda done: self._attempts.pop(done, None))
        return attempt

    def crash(self, *, for_s: float) -> None:
        """Every attempt vanishes in the middle of its line. The process that comes next remembers nothing."""
        for attempt in tuple(self._attempts):
            attempt.cancel()
        self._attempts.clear()
        self.activities = self._open()
        self.freeze(for_s=for_s)

    def freeze(self, *, for_s: float) -> None:
        """It goes on later, as if nothing had been: a zombie, if that takes longer than a heartbeat."""
        until = self._clock() + for_s
        self._frozen_until = max(self._frozen_until, until)
        self.silent_until = max(self.silent_until, until)

    def silence(self, *, for_s: float) -> None:
        """Its heartbeats and results are lost on their way to Temporal; it works on."""
        self.silent_until = max(self.silent_until, self._clock() + for_s)

    def recover(self) -> None:
        self._frozen_until = self.silent_until = 0.0


class SimulatedSteps:
    """One workflow run's `Steps`: each activity is tried until it succeeds, as Temporal would try it."""

    def __init__(self, workers: tuple[Worker, ...], random: Random) -> None:
        self._workers = workers
        self._random = random
        self._cancelled: str | None = None
        self.cancelled_at: float | None = None
        #: The activities that are under way.
        self.at: list[str] = []
        self._terminated = asyncio.Event()

    @property
    def cancelled(self) -> str | None:
        return self._cancelled

    def cancel(self, reason: str, *, at: float) -> None:
        """What is said; the workflow's own task has to be cancelled too."""
        if self._cancelled is None:
            self._cancelled, self.cancelled_at = reason, at

    def terminate(self) -> None:
        self._terminated.set()

    async def run(
        self, name: str, queue: Queue, argument: Value, result: type[T], *, summary: str | None = None
    ) -> T:
        del queue, summary
        cancel = asyncio.Event()
        execution = asyncio.ensure_future(self._execute(name, argument, cancel))
        self.at.append(name)
        execution.add_done_callback(lambda _: self.at.remove(name))
        while True:
            try:
                answer = await asyncio.shield(execution)
            except asyncio.CancelledError:
                if execution.cancelled():
                    raise
                cancel.set()
            else:
                assert isinstance(answer, result)
                return answer

    def show(self, stage: Stage) -> None:
        del stage

    def say(self, details: str) -> None:
        del details

    async def _execute(self, name: str, argument: Value, cancel: asyncio.Event) -> object:
        backoff_s = _FIRST_BACKOFF_S
        while True:
            await self._go_on(cancel, name)
            worker = self._random.choice(self._workers)
            attempt = worker.begin(name, argument)
            try:
                return await self._outcome(worker, attempt, cancel)
            except PermanentError as exc:
                raise _failure(name, RetryState.NON_RETRYABLE_FAILURE) from failure_of(exc)
            except TransientError as exc:
                if cancel.is_set():
                    # Not tried again because of the cancel; the server passes on what the attempt said.
                    raise _failure(name, RetryState.CANCEL_REQUESTED) from failure_of(exc)
            except Lost:
                pass
            await self._wait(backoff_s, cancel)
            backoff_s = min(backoff_s * 2, _LONGEST_BACKOFF_S)

    async def _go_on(self, cancel: asyncio.Event, name: str) -> None:
        if self._terminated.is_set():
            raise Terminated
        if cancel.is_set():
            raise _failure(name, RetryState.CANCEL_REQUESTED) from CancelledError()

    async def _outcome(self, worker: Worker, attempt: asyncio.Task[Any], cancel: asyncio.Event) -> object:
        """Of an attempt, as the server hears of it. Raises Lost: it does not."""
        loop = asyncio.get_running_loop()
        heard, told = loop.time(), False
        while True:
            await self._beat(attempt, silent=loop.time() < worker.silent_until)
            if self._terminated.is_set():
                if self._random.random() < 0.5:
                    attempt.cancel()
                raise Terminated
            if loop.time() >= worker.silent_until:
                heard = loop.time()
                if attempt.done() and not attempt.cancelled():
                    return attempt.result()
                if attempt.cancelled() and told:
                    raise _failure("", RetryState.CANCEL_REQUESTED) from CancelledError()
                if attempt.cancelled():
                    raise Lost
                if cancel.is_set():
                    told = True
                    attempt.cancel()
            elif loop.time() - heard > HEARTBEAT_S:
                raise Lost

    async def _beat(self, attempt: asyncio.Task[Any], *, silent: bool) -> None:
        """Until the next heartbeat, or until the attempt is over and can say so."""
        beat_s = _BEAT_S * self._random.uniform(0.5, 1.0)
        if silent:
            await asyncio.sleep(beat_s)
        else:
            await asyncio.wait({attempt}, timeout=beat_s)

    async def _wait(self, seconds: float, cancel: asyncio.Event) -> None:
        """A back-off that a cancel or a termination ends."""
        ends = [asyncio.ensure_future(event.wait()) for event in (cancel, self._terminated)]
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()


def _failure(name: str, state: RetryState) -> ActivityError:
    return ActivityError(
        "Activity task failed",
        scheduled_event_id=0,
        started_event_id=0,
        identity="",
        activity_type=name,
        activity_id="",
        retry_state=state,
    )
