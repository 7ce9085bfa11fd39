"""JSON text in every spelling, against the bytes of its members."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from apex_memory.api.strict_json import parsed, raw_member

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(TEXT, children, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(TEXT | st.just("record"), VALUES, max_size=4),
    VALUES,
    st.sampled_from([None, 1, "\t"]),
    st.sampled_from([json.dumps, partial(json.dumps, ensure_ascii=False)]),
)
def test_a_member_is_cut_out_as_it_was_written(
    others: dict[str, Any], value: object, indent: int | str | None, written: Callable[..., str]
) -> None:
    whole = written({**others, "record": value}, indent=indent).encode()
    parsed(whole)

    member = raw_member(whole, "record")

    assert member in whole
    assert json.loads(member) == value


def test_of_two_members_by_one_name_the_later_counts_as_for_the_parser() -> None:
    raw = b'{"record":{"a":1}, "r\\u0065cord" : {"a":2}}'

    assert raw_member(raw, "record") == b'{"a":2}'
    assert orjson.loads(raw)["record"] == {"a": 2}
