"""Samsara positions, good and bad, against what becomes of them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from apex_memory.domain.bundles import Bundle, EntityRef
from apex_memory.domain.errors import RecordRejected
from apex_memory.pipeline.sources.samsara import Samsara

PLAIN: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data/payloads/plain/samsara.json").read_text()
)
RECEIVED: Final = datetime(2025, 10, 19, 15, 0, tzinfo=UTC)
TRUCK: Final = EntityRef(type="vehicle", key="TRUCK-6520")


def mapped(**changes: object) -> Bundle:
    return Samsara().map_record({**PLAIN, **changes}, received_at=RECEIVED)


def test_a_position_becomes_an_item_named_by_vehicle_and_time() -> None:
    bundle = mapped()

    assert bundle.external_id == "TRUCK-6520@2025-10-19T14:23:00Z"
    assert (bundle.source, bundle.kind, bundle.title) == ("samsara", "record", "TRUCK-6520 position")
    assert bundle.as_of == datetime(2025, 10, 19, 14, 23, tzinfo=UTC)


def test_its_passage_is_a_sentence_with_every_value() -> None:
    (passage,) = mapped().passages

    assert passage.text == (
        "TRUCK-6520 was at latitude 41.8781, longitude -87.6298 on 19 October 2025 at 14:23:00 UTC, "
        "moving at 55 mph."
    )
    assert (passage.start, passage.end) == (0, len(passage.text))


def test_it_claims_the_location_from_the_moment_it_was_measured() -> None:
    bundle = mapped()

    (claim,) = bundle.claims
    assert (claim.subject, claim.predicate, claim.value) == (TRUCK, "located_at", "41.8781,-87.6298")
    assert claim.valid_from == bundle.as_of
    assert [mention.entity for mention in bundle.mentions] == [TRUCK]


def test_each_measured_value_is_a_sample() -> None:
    bundle = mapped()

    assert {(s.metric, s.value) for s in bundle.samples} == {
        ("latitude", 41.8781),
        ("longitude", -87.6298),
        ("speed_mph", 55.0),
    }
    assert {(s.entity, s.at) for s in bundle.samples} == {(TRUCK, bundle.as_of)}


@pytest.mark.parametrize("speed", [None, "", "  "])
def test_an_empty_speed_is_no_speed(speed: object) -> None:
    bundle = mapped(speed_mph=speed)

    assert {s.metric for s in bundle.samples} == {"latitude", "longitude"}
    assert "mph" not in bundle.passages[0].text


def test_a_vehicle_at_rest_is_said_to_stand() -> None:
    assert "standing still" in mapped(speed_mph=0).passages[0].text


def test_the_same_moment_in_another_offset_is_the_same_item() -> None:
    assert mapped(timestamp="2025-10-19T09:23:00-05:00") == mapped()


def test_a_fraction_of_a_second_tells_two_positions_apart() -> None:
    assert mapped(timestamp="2025-10-19T14:23:00.5Z").external_id != mapped().external_id


@pytest.mark.parametrize(
    ("value", "written"), [(0.0000001, "0.0000001"), (-0.0, "0"), (41, "41"), (1e-12, "0")]
)
def test_coordinates_are_written_without_exponent(value: float, written: str) -> None:
    assert mapped(latitude=value, longitude=0).claims[0].value == f"{written},0"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vehicle_id", None),
        ("vehicle_id", " "),
        ("vehicle_id", 6520),
        ("vehicle_id", "x" * 257),
        ("vehicle_id", "TRUCK\x00"),
        ("vehicle_id", "TRUCK\u200b"),
        ("vehicle_id", "TRUCK\ud800"),
        ("latitude", None),
        ("latitude", 90.1),
        ("latitude", "41.8"),
        ("latitude", True),
        ("latitude", float("nan")),
        ("latitude", 10**400),
        ("longitude", -180.1),
        ("longitude", float("-inf")),
        ("speed_mph", -1),
        ("speed_mph", "fast"),
        ("speed_mph", []),
        ("timestamp", None),
        ("timestamp", ""),
        ("timestamp", 1_760_883_780),
        ("timestamp", "yesterday"),
        ("timestamp", "2025-10-19"),
        ("timestamp", "2025-10-19T14:23:00"),
        ("timestamp", "0001-01-01T00:00:00+14:00"),
        ("timestamp", "2025-02-30T00:00:00Z"),
    ],
)
def test_a_wrong_value_is_rejected_at_its_field(field: str, value: object) -> None:
    with pytest.raises(RecordRejected) as caught:
        mapped(**{field: value})

    assert (caught.value.source, caught.value.pointer) == ("samsara", f"/{field}")


@pytest.mark.parametrize("field", ["vehicle_id", "latitude", "longitude", "timestamp"])
def test_a_missing_field_is_named(field: str) -> None:
    record = {key: value for key, value in PLAIN.items() if key != field}

    with pytest.raises(RecordRejected, match=f"at /{field}: required, and missing"):
        Samsara().map_record(record, received_at=RECEIVED)


def test_the_rejection_says_what_is_expected_and_quotes_no_text() -> None:
    with pytest.raises(RecordRejected) as caught:
        mapped(timestamp="Jane Doe's day")

    assert str(caught.value) == (
        "samsara record, at /timestamp: expected a time as RFC 3339 with its offset, "
        "such as 2025-10-19T14:23:00Z; found a string of 14 characters"
    )
