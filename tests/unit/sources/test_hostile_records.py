"""Arbitrary JSON against every source: a bundle that can be stored, or a rejection that says where."""

from datetime import UTC, datetime
from typing import Any, Final, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apex_memory.domain.bundles import Bundle
from apex_memory.domain.errors import RecordRejected
from apex_memory.pipeline.sources._passages import CUT, MAX_UNREAD_CHARS
from apex_memory.pipeline.sources.registry import SOURCES
from apex_memory.pipeline.sources.turvo import Turvo
from apex_memory.ports import Source

RECEIVED: Final = datetime(2025, 10, 19, 15, 0, tzinfo=UTC)
KNOWN: Final[dict[str, tuple[object, ...]]] = {
    "vehicle_id": ("TRUCK-6520",),
    "latitude": (41.8781, 90),
    "longitude": (-87.6298, -180),
    "timestamp": ("2025-10-19T14:23:00Z", "2025-10-19T14:23:00"),
    "speed_mph": (55, None),
    "shipmentId": ("SHIP-2025-10-19-002",),
    "customerName": ("Acme",),
    "status": ("in_transit",),
    "origin": ({"city": "Chicago"}, {"city": 1}),
    "destination": ({"state": "IN"}, "IN"),
    "message_id": ("MSG-2025-10-19-003",),
    "subject": ("Hello",),
    "body": ("text",),
    "sender": ("a@b.co",),
}

# Lone surrogates, NaN and long integers: parsers differ in what they let through.
texts = st.text(st.characters(), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.just(10**4000) | st.floats() | texts
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
likely_records = st.fixed_dictionaries(
    {}, optional={key: st.sampled_from(values) | json_values for key, values in KNOWN.items()}
)


def with_unknown_fields(record: dict[str, object], unknown: dict[str, object]) -> dict[str, object]:
    return {**unknown, **record}


padded_records = st.builds(
    with_unknown_fields, likely_records, st.dictionaries(texts, json_values, max_size=4)
)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@settings(max_examples=150, deadline=None)
@given(record=json_values | likely_records | padded_records)
def test_any_json_is_mapped_or_rejected(source: Source, record: Any) -> None:
    outcome = mapped_or_rejected(source, record)

    if isinstance(outcome, Bundle):
        assert_storable(outcome)
    else:
        assert outcome.problem
        assert outcome.pointer == "" or outcome.pointer.startswith("/")


def mapped_or_rejected(source: Source, record: Any) -> Bundle | RecordRejected:
    try:
        return source.map_record(record, received_at=RECEIVED)
    except RecordRejected as rejection:
        return rejection


def assert_storable(bundle: Bundle) -> None:
    written = bundle.model_dump_json()
    assert "\\u0000" not in written
    assert Bundle.model_validate_json(written) == bundle
    assert len(bundle.content_hash()) == 64
    assert bundle.passages[0].text.strip()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@pytest.mark.parametrize("record", [None, 5, "text", True, [], [{}], {}])
def test_what_is_no_record_is_rejected(source: Source, record: Any) -> None:
    with pytest.raises(RecordRejected):
        source.map_record(record, received_at=RECEIVED)


def test_unknown_fields_are_bounded() -> None:
    bundle = turvo({"blob": "x" * (MAX_UNREAD_CHARS + 1), "z": "last"})

    text = bundle.passages[0].text
    assert text.endswith(CUT)
    assert len(text) < MAX_UNREAD_CHARS + 100


def test_depth_is_bounded() -> None:
    nested: object = "core"
    for _ in range(10_000):
        nested = {"n": nested}

    assert "nested deeper than" in turvo({"deep": nested}).passages[0].text


def test_an_integer_too_long_to_print_is_kept() -> None:
    assert f"n: {hex(10**5000)}" in turvo({"n": 10**5000}).passages[0].text


def test_an_integer_too_long_to_print_is_rejected_where_text_is_expected() -> None:
    with pytest.raises(RecordRejected, match="at /status"):
        turvo({"status": 10**5000})


def test_very_many_fields_are_read_no_further_than_the_bound() -> None:
    bundle = turvo({"list": cast("list[object]", list(range(500_000)))})

    assert bundle.passages[0].text.endswith(CUT)


def turvo(extra: dict[str, object]) -> Bundle:
    return Turvo().map_record({"shipmentId": "S1", **extra}, received_at=RECEIVED)
