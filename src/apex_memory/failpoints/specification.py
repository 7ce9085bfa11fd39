"""The setting `failpoints` in, what is to happen at which hit of which point out."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from apex_memory.domain.errors import SettingMissing
from apex_memory.failpoints.points import BOUNDARIES, POINTS, Action, possible_at

_DELAY_S: Final = 1.0


@dataclass(frozen=True)
class Trip:
    """An action, with the seconds of a delay."""

    action: Action
    seconds: float = 0.0


@dataclass(frozen=True)
class Failpoints:
    """What was specified. Exact plans come first; chance decides the hits that they leave.

    `seed` and `life` repeat what chance decides at each hit of each point. `life` is the process id unless
    it is given: a process that chance killed must not be killed at the same hit for ever.
    """

    plans: tuple[tuple[str, Trip, range], ...] = ()
    rate: float = 0.0
    trips: tuple[Trip, ...] = ()
    points: frozenset[str] = frozenset()
    seed: int | None = None
    life: int = 0

    @classmethod
    def parse(cls, specification: str) -> "Failpoints":
        """Read `seed=7;rate=0.02;actions=refuse,kill;points=ledger.*` and `ledger.commit.after=kill@3`.

        Raises:
            SettingMissing: names the clause that is not understood and what could stand there.
        """
        read = cls(trips=tuple(map(_trip, ("refuse", "lose"))), points=frozenset(POINTS), life=os.getpid())
        for clause in filter(None, map(str.strip, specification.split(";"))):
            key, _, value = clause.partition("=")
            read = read._with(key.strip(), value.strip(), clause)
        if read.rate and read.seed is None:
            raise _malformed("rate= wants a seed=")
        return read

    def _with(self, key: str, value: str, clause: str) -> "Failpoints":
        try:
            match key:
                case "seed":
                    return replace(self, seed=int(value))
                case "life":
                    return replace(self, life=int(value))
                case "rate":
                    return replace(self, rate=float(value))
                case "actions":
                    return replace(self, trips=tuple(map(_trip, value.split(","))))
                case "points":
                    return replace(self, points=frozenset(_matching(value)))
                case _:
                    return replace(self, plans=(*self.plans, _plan(key, value)))
        except ValueError as exc:
            raise _malformed(f"{clause!r}: {exc}") from exc


def _matching(patterns: str) -> Iterator[str]:
    for pattern in map(str.strip, patterns.split(",")):
        matched = [point for point in POINTS if fnmatchcase(point, pattern)]
        if not matched:
            raise ValueError(_unknown(pattern))
        yield from matched


def _plan(point: str, planned: str) -> tuple[str, Trip, range]:
    """`kill@3`: the third hit; `refuse@2-5`: the second to the fifth; `refuse`: the first."""
    if point not in POINTS:
        raise ValueError(_unknown(point))
    action, _, hits = planned.partition("@")
    trip = _trip(action)
    if trip.action not in possible_at(point):
        raise ValueError(f"at this point there is {', '.join(sorted(possible_at(point)))}")
    first, _, last = (hits or "1").partition("-")
    return point, trip, range(int(first), int(last or first) + 1)


def _trip(text: str) -> Trip:
    action, _, seconds = text.strip().partition(":")
    return Trip(Action(action), float(seconds or _DELAY_S))


def _unknown(point: str) -> str:
    boundary = point.partition(".")[0]
    near = [known for known in POINTS if known.startswith(f"{boundary}.")]
    return f"no such point; there is {', '.join(near or BOUNDARIES)}"


def _malformed(problem: str) -> SettingMissing:
    return SettingMissing([f"APEX_FAILPOINTS: {problem}"], env_file="apex.env")
