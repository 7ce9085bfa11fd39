"""A specification and a port in, the same port out that fails at its points as specified."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

import structlog

from apex_memory.domain.bundles import VersionedBundle
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.failpoints.halves import half_of_each
from apex_memory.failpoints.points import Action, methods_of, possible_at
from apex_memory.failpoints.specification import Failpoints, Trip

P = TypeVar("P")

log = structlog.get_logger()


def with_failpoints(name: str, port: P, specification: str) -> P:
    """The port itself unless something is specified; hits are counted anew for each port that is wrapped.

    Raises:
        SettingMissing: the specification is not understood.
    """
    if not specification:
        return port
    return cast("P", _Boundary(name, port, Failpoints.parse(specification)))


class _Boundary:
    """Any port: its awaitable methods pass two points, everything else is as it was."""

    def __init__(self, name: str, port: object, failpoints: Failpoints) -> None:
        self._boundary = name
        self._port = port
        self._failpoints = failpoints
        self._hits = Counter[str]()
        self._chances: dict[str, random.Random] = {}

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401 - stands for any port
        attribute = getattr(self._port, method)
        return self._guarded(method, attribute) if method in methods_of(self._boundary) else attribute

    def _guarded(
        self, method: str, call: Callable[..., Awaitable[object]]
    ) -> Callable[..., Awaitable[object]]:
        point = f"{self._boundary}.{method}"

        async def guarded(*args: object, **named: object) -> object:
            before = await self._reach(f"{point}.before")
            if before is Action.PARTLY:
                await call(*map(_some_of, args), **{key: _some_of(value) for key, value in named.items()})
            if before is not None:
                raise StoreUnavailable(self._boundary, f"{before} at a failpoint")
            answer = await call(*args, **named)
            if after := await self._reach(f"{point}.after"):
                raise StoreUnavailable(self._boundary, f"{after} at a failpoint")
            return answer

        return guarded

    async def _reach(self, point: str) -> Action | None:
        """What the caller has to do itself; a delay is over and a kill has killed."""
        self._hits[point] += 1
        trip = self._planned(point) or self._by_chance(point)
        if trip is None:
            return None
        log.warning("failpoint.reached", point=point, action=str(trip.action), hit=self._hits[point])
        if trip.action is Action.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        if trip.action is Action.DELAY:
            await asyncio.sleep(trip.seconds)
            return None
        return trip.action

    def _planned(self, point: str) -> Trip | None:
        hit = self._hits[point]
        return next((t for p, t, hits in self._failpoints.plans if p == point and hit in hits), None)

    def _by_chance(self, point: str) -> Trip | None:
        specified = self._failpoints
        if point not in specified.points or not specified.rate:
            return None
        # One generator a point: what happens there does not depend on how calls of others fall between.
        name = f"{specified.seed}:{specified.life}:{point}"
        chance = self._chances.setdefault(point, random.Random(name))  # noqa: S311 - no secret
        possible = [trip for trip in specified.trips if trip.action in possible_at(point)]
        return chance.choice(possible) if chance.random() < specified.rate and possible else None


def _some_of(argument: object) -> object:
    if not isinstance(argument, list | tuple):
        return argument
    things = cast("Sequence[object]", argument)
    if things and all(isinstance(thing, VersionedBundle) for thing in things):
        return half_of_each(cast("Sequence[VersionedBundle]", things))
    return things[: len(things) // 2]
