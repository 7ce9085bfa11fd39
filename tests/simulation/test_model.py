"""Every state of a small protocol: its rules keep every promise, and none of them can be left out."""

from typing import Final

import pytest
from tests.simulation.model import ALL, Rule, Size, explore

OVERTAKEN: Final = Size(writers=2, rounds=2, deletion=False, reader=False, zombies=False)
LATE: Final = Size(writers=1, rounds=2, deletion=True, reader=False, zombies=True)
READ: Final = Size(writers=1, rounds=1, deletion=False, reader=True, zombies=True)
READ_WHILE_DELETED: Final = Size(writers=1, rounds=1, deletion=True, reader=True, zombies=False)

#: How many states there are: more or fewer is another protocol.
STATES: Final = {OVERTAKEN: 41_677, LATE: 6_865, READ: 4_499, READ_WHILE_DELETED: 22_539}

#: What goes wrong first without a rule, and where.
WITHOUT: Final = {
    Rule.READ_FILTER: (READ, "I2"),
    Rule.SNAPSHOT: (READ, "I2"),
    Rule.VERIFY: (LATE, "I4"),
    Rule.ONLY_PREPARING: (LATE, "I4"),
    Rule.VERIFIED_ONLY: (LATE, "I4"),
    Rule.DECIDE_BEFORE_CLEANING: (LATE, "I4"),
    Rule.MONOTONE: (OVERTAKEN, "I6"),
    Rule.TOMBSTONE: (LATE, "I5"),
    Rule.GRACE: (READ, "I2"),
    Rule.EXACT_GARBAGE: (LATE, "I4"),
}


@pytest.mark.parametrize("size", STATES, ids=str)
def test_the_protocol_keeps_its_promises_in_every_state(size: Size) -> None:
    explored = explore(size)

    assert (explored.violation, explored.trace) == (None, ())
    assert explored.states == STATES[size]
    assert explored.at_rest > 0


def test_every_rule_is_tried() -> None:
    assert set(WITHOUT) == ALL


@pytest.mark.parametrize("rule", Rule, ids=lambda rule: rule.name.lower())
def test_without_a_rule_a_promise_is_broken(rule: Rule) -> None:
    size, promise = WITHOUT[rule]

    explored = explore(size, ALL - {rule})

    assert (explored.violation or "").startswith(promise), explored
