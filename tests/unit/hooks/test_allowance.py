"""Buckets of tokens under a clock that stands until it is moved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_memory.domain.errors import AllowanceSpent
from apex_memory.pipeline.intake.allowance import Allowance, Allowances

PER_S = 10.0
AT_ONCE = 20


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def let_in(allowance: Allowance, times: int, *key: str) -> int:
    return sum(not refused(allowance, *key) for _ in range(times))


def refused(allowance: Allowance, *key: str) -> AllowanceSpent | None:
    try:
        allowance.spend(*(key or ("acme",)))
    except AllowanceSpent as exc:
        return exc
    return None


def test_twice_as_much_as_a_second_brings_is_let_in_at_once_and_no_more() -> None:
    allowance = Allowance("tenant", PER_S, clock=Clock())

    assert let_in(allowance, 100) == AT_ONCE


def test_who_waits_as_long_as_it_says_is_let_in_once() -> None:
    clock = Clock()
    allowance = Allowance("tenant", PER_S, clock=clock)
    let_in(allowance, AT_ONCE)

    told = refused(allowance)
    assert told
    clock.now += told.retry_after_s

    assert (told.policy, told.per_s, told.burst) == ("tenant", PER_S, AT_ONCE)
    assert let_in(allowance, 10) == 1


def test_what_is_refused_costs_nothing() -> None:
    clock = Clock()
    allowance = Allowance("tenant", PER_S, clock=clock)
    let_in(allowance, 1_000)

    clock.now += 1

    assert let_in(allowance, 1_000) == PER_S


def test_a_long_rest_fills_the_bucket_and_does_not_overflow_it() -> None:
    clock = Clock()
    allowance = Allowance("tenant", PER_S, clock=clock)
    let_in(allowance, AT_ONCE)

    clock.now += 3_600

    assert let_in(allowance, 100) == AT_ONCE


def test_one_senders_flood_is_nothing_to_another() -> None:
    allowance = Allowance("endpoint", PER_S, clock=Clock())

    let_in(allowance, 100, "acme", "endpoint-1")

    assert let_in(allowance, 100, "acme", "endpoint-2") == AT_ONCE
    assert let_in(allowance, 100, "other", "endpoint-1") == AT_ONCE


def test_of_more_keys_than_there_is_room_for_the_longest_idle_is_forgotten() -> None:
    allowance = Allowance("tenant", PER_S, clock=Clock(), most_keys=3)
    for name in ("a", "b", "c"):
        let_in(allowance, AT_ONCE, name)
    refused(allowance, "a")

    allowance.spend("d")

    assert [let_in(allowance, 1, name) for name in ("a", "c")] == [0, 0]
    assert let_in(allowance, 1, "b") == 1


def test_nothing_is_no_limit() -> None:
    allowances = Allowances.of(0, clock=Clock())

    for allowance in (allowances.tenants, allowances.endpoints, allowances.refusals):
        assert let_in(allowance, 10_000) == 10_000


def test_less_than_one_a_second_is_still_one_at_a_time() -> None:
    clock = Clock()
    allowance = Allowance("tenant", 0.1, clock=clock)

    first, second = refused(allowance), refused(allowance)

    assert first is None
    assert second
    assert second.retry_after_s == pytest.approx(10)


@given(
    per_s=st.floats(0.01, 10_000),
    pauses=st.lists(st.floats(0, 5, allow_nan=False), min_size=1, max_size=200),
)
def test_over_any_time_no_more_than_the_burst_and_the_rate_is_let_in(
    per_s: float, pauses: list[float]
) -> None:
    clock = Clock()
    allowance = Allowance("tenant", per_s, clock=clock)

    taken = 0
    for pause in pauses:
        clock.now += pause
        taken += let_in(allowance, 1)

    assert taken <= max(1, 2 * per_s) + per_s * sum(pauses) + 1e-3
