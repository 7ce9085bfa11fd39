"""Filters as JSON, translated into the engine's."""

from typing import Any
from uuid import UUID

import pytest

from apex_memory.devstack.vectors.errors import BadRequest, NotSupported, refusals
from apex_memory.devstack.vectors.filters import filter_of, optional_filter

ON = 'FieldCondition(key="k", '


def translated(value: object) -> str:
    return repr(filter_of(value, at="filter"))


def of_key(**asked: object) -> dict[str, Any]:
    return {"must": {"key": "k", **asked}}


def test_no_filter_stays_none() -> None:
    assert optional_filter(None, at="filter") is None


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"value": "a"}, 'MatchValue(value="a")'),
        ({"value": 3}, "MatchValue(value=3)"),
        ({"value": True}, "MatchValue(value=True)"),
        ({"any": ["a", "b"]}, 'MatchAny(value=["a", "b"])'),
        ({"any": []}, "MatchAny(value=[])"),
        ({"except": [1, 2]}, "MatchExcept(value=[1, 2])"),
        ({"text": "some words"}, 'MatchText(text="some words")'),
    ],
)
def test_a_match_is_translated(match: object, expected: str) -> None:
    assert f"{ON}r#match={expected}" in translated(of_key(match=match))


def test_a_range_is_of_numbers_or_of_times() -> None:
    numbers = translated(of_key(range={"gte": 1, "lt": 2.5}))
    times = translated(of_key(range={"gt": "2024-01-01T02:00:00+02:00", "lte": None}))

    assert "range=RangeFloat(gte=1, gt=None, lte=None, lt=2.5)" in numbers
    assert 'range=RangeDateTime(gte=None, gt="2024-01-01 00:00:00 UTC", lte=None, lt=None)' in times


def test_conditions_on_ids_and_absence_are_translated() -> None:
    asked = [{"has_id": [7, str(UUID(int=1))]}, {"is_empty": {"key": "a.b"}}, {"is_null": {"key": "c"}}]

    conditions = translated({"should": asked})

    assert 'IsEmptyCondition(key="a.b")' in conditions
    assert 'IsNullCondition(key="c")' in conditions
    for point_id in ("7", f'"{UUID(int=1)}"'):
        assert point_id in conditions
    assert "is_empty=True" in translated(of_key(is_empty=True))
    assert "is_null=False" in translated(of_key(is_null=False))


def test_a_filter_may_be_a_condition_of_a_filter() -> None:
    nested = filter_of({"must_not": [{"should": [{"is_null": {"key": "a"}}]}]}, at="filter")

    assert nested.must_not is not None
    assert repr(nested.must_not[0]) == translated({"should": [{"is_null": {"key": "a"}}]})


@pytest.mark.parametrize(
    "value",
    [
        of_key(),
        of_key(match={"value": 1.5}),
        of_key(match={"value": 2**63}),
        of_key(match={"any": [1, "a"]}),
        of_key(match={"any": [True]}),
        of_key(range={"gte": True}),
        of_key(range={"gte": 1, "lt": "2024-01-01"}),
        of_key(range={"gte": "soon"}),
        of_key(is_empty="yes"),
        {"must": {"key": "a b..", "is_null": True}},
        {"must": {"has_id": ["seven"]}},
        {"must": {"has_id": 7}},
        {"must": ["text"]},
    ],
)
def test_a_malformed_condition_is_refused(value: object) -> None:
    with pytest.raises(BadRequest), refusals():
        filter_of(value, at="filter")


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"min_should": {"conditions": [], "min_count": 1}}, "filter.min_should"),
        ({"must": {"has_vector": "v"}}, "has_vector"),
        ({"must": {"nested": {"key": "k", "filter": {}}}}, "nested"),
        ({"must": {}}, "no field"),
        (of_key(match={"phrase": "a b"}), "phrase"),
        (of_key(match={"value": 1, "any": [1]}), "value, any"),
        (of_key(range={"gte": 1, "near": 2}), r"filter\.must\[0\]\.range\.near"),
        (of_key(values_count={"gt": 1}), r"filter\.must\[0\]\.values_count"),
    ],
)
def test_a_condition_the_service_does_not_know_is_named(value: object, named: str) -> None:
    with pytest.raises(NotSupported, match=named):
        filter_of(value, at="filter")
