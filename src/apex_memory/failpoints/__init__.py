"""Ports in, the same ports out that fail on demand: off unless the setting `failpoints` says what."""

from apex_memory.failpoints.boundary import with_failpoints
from apex_memory.failpoints.halves import half_of_each
from apex_memory.failpoints.points import BOUNDARIES, POINTS, Action, methods_of
from apex_memory.failpoints.specification import Failpoints, Trip

__all__ = [
    "BOUNDARIES",
    "POINTS",
    "Action",
    "Failpoints",
    "Trip",
    "half_of_each",
    "methods_of",
    "with_failpoints",
]
