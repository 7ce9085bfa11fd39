"""Entries of Samsara's GPS feed against what becomes of them: samples, places, and what is no position."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from tests.unit.sources.payloads import RECEIVED, Json, entities, facts, mapped, payload, since, text, utc

from apex_memory.domain.bundles import Bundle
from apex_memory.domain.errors import RecordRejected
from apex_memory.pipeline.sources.samsara.feed import MAX_PLACES, MAX_POINTS

TRUCK: Final = "281474994676286"
START: Final = datetime(2026, 11, 18, 6, 0, tzinfo=UTC)


def entry(n: int) -> Json:
    return payload("samsara/01_vehicle_stats_feed_gps")["data"][n]


def point(second: int, latitude: float, longitude: float = -87.6, **more: object) -> Json:
    at = (START + timedelta(seconds=second)).isoformat()
    return {"time": at, "latitude": latitude, "longitude": longitude, **more}


def vehicle(*points: Json) -> Bundle:
    return mapped("samsara", {"id": "7", "name": "Truck 7", "gps": list(points)})


def places(bundle: Bundle) -> list[str]:
    return [claim.value or "" for claim in bundle.claims if claim.predicate == "located_at"]


def seconds(bundle: Bundle) -> list[float]:
    """When each latitude was sampled, after the start."""
    return [(s.at - START).total_seconds() for s in bundle.samples if s.metric == "latitude"]


def test_a_vehicle_with_points_out_of_order_and_twice_is_one_item_in_order() -> None:
    bundle = mapped("samsara", entry(0))

    assert bundle.external_id == f"{TRUCK}@2026-11-18T14:02:50Z..2026-11-18T14:03:20Z"
    assert (bundle.source, bundle.kind, bundle.title) == ("samsara", "record", "Truck 881 positions")
    assert bundle.as_of == utc(18, 14, 3, 20)
    assert entities(bundle) == [
        ("vehicle", TRUCK, "Truck 881"),
        ("vehicle", "1FUJBBCK57LX00001", "1FUJBBCK57LX00001"),
    ]
    assert facts(bundle) == [
        (TRUCK, "same_as", "1FUJBBCK57LX00001"),
        (TRUCK, "located_at", "41.8787,-87.6201"),
        (TRUCK, "located_at", "41.878113,-87.629799"),
    ]
    assert since(bundle, "located_at") == [
        ("located_at", "41.8787,-87.6201", utc(18, 14, 2, 50)),
        ("located_at", "41.878113,-87.629799", utc(18, 14, 3, 20)),
    ]


def test_every_point_is_sampled_once() -> None:
    bundle = mapped("samsara", entry(0))

    assert [(s.metric, s.value, s.at) for s in bundle.samples] == [
        ("latitude", 41.8787, utc(18, 14, 2, 50)),
        ("longitude", -87.6201, utc(18, 14, 2, 50)),
        ("speed_mph", 55.0, utc(18, 14, 2, 50)),
        ("heading_degrees", 270.0, utc(18, 14, 2, 50)),
        ("latitude", 41.878113, utc(18, 14, 3, 20)),
        ("longitude", -87.629799, utc(18, 14, 3, 20)),
        ("speed_mph", 57.166, utc(18, 14, 3, 20)),
        ("heading_degrees", 274.5, utc(18, 14, 3, 20)),
    ]
    assert {s.entity.key for s in bundle.samples} == {TRUCK}


def test_the_text_says_where_it_is_where_it_was_and_what_else_the_last_point_said() -> None:
    assert text(mapped("samsara", entry(0))).splitlines() == [
        (
            f"Truck 881 (vehicle {TRUCK}) was at latitude 41.878113, longitude -87.629799 "
            "(Chicago Cross-Dock) on 18 November 2026 at 14:03:20 UTC, moving at 57.166 mph; "
            "2 points since 18 November 2026 at 14:02:50 UTC."
        ),
        (
            "Before, it was at latitude 41.8787, longitude -87.6201 (I-290 W, Chicago, IL, 60605) "
            "on 18 November 2026 at 14:02:50 UTC."
        ),
        "externalIds.samsara.vin: 1FUJBBCK57LX00001",
        "gps.address.id: 494123",
        "gps.decorations.engineStates.value: On",
        "gps.isEcuSpeed: true",
    ]


def test_one_point_without_anything_optional_is_the_item_that_a_plain_position_is() -> None:
    bundle = mapped("samsara", entry(1))

    assert bundle.external_id == "281474977075805@2026-11-18T14:03:19Z"
    assert bundle.as_of == utc(18, 14, 3, 19)
    assert entities(bundle) == [("vehicle", "281474977075805", "Camión №7 \u2013 Peñasco 🚚")]
    assert facts(bundle) == [("281474977075805", "located_at", "31.3172,-113.537")]
    assert [(s.metric, s.value) for s in bundle.samples] == [("latitude", 31.3172), ("longitude", -113.537)]


def test_neither_1970_nor_0_0_is_a_position() -> None:
    bundle = mapped("samsara", entry(2))

    assert (bundle.external_id, bundle.as_of) == ("212014918732717", RECEIVED)
    assert entities(bundle) == [("vehicle", "212014918732717", "Trailer 12")]
    assert (bundle.claims, bundle.samples) == ((), ())
    assert text(bundle) == "Trailer 12 (vehicle 212014918732717) sent no position."


@pytest.mark.parametrize(
    ("odd", "kept"),
    [
        (point(5, 0, 0), [0]),
        ({**point(5, 41.5), "time": "1970-01-01T00:00:00Z"}, [0]),
        (point(5, 0, -87.6), [0, 5]),
        (point(5, 41.5, 0), [0, 5]),
    ],
    ids=["no fix", "clock never set", "on the equator", "on the meridian"],
)
def test_what_is_no_fix_leaves_the_other_points(odd: Json, kept: list[float]) -> None:
    assert seconds(vehicle(odd, point(0, 41.5))) == kept


def test_a_vehicle_without_positions_and_name_is_kept_with_what_it_sent() -> None:
    bundle = mapped("samsara", entry(3))

    assert (bundle.external_id, bundle.as_of) == ("212014918732718", RECEIVED)
    assert entities(bundle) == [("vehicle", "212014918732718", "212014918732718")]
    assert (bundle.claims, bundle.samples) == ((), ())
    assert text(bundle).splitlines() == [
        "Vehicle 212014918732718 sent no position.",
        "engineStates.0.time: 2026-11-18T13:59:00Z",
        "engineStates.0.value: Idle",
    ]


def test_the_snapshots_one_point_is_read_like_the_feeds_array_of_one() -> None:
    snapshot = {**entry(1), "gps": entry(1)["gps"][0]}

    assert mapped("samsara", snapshot) == mapped("samsara", entry(1))


def test_the_order_of_the_points_is_no_content() -> None:
    backwards = {**entry(0), "gps": entry(0)["gps"][::-1]}

    assert mapped("samsara", backwards) == mapped("samsara", entry(0))


def test_of_two_points_of_one_time_the_one_that_says_more_counts() -> None:
    bundle = vehicle(point(0, 41.5), point(0, 42.5, speedMilesPerHour=3))

    assert places(bundle) == ["42.5,-87.6"]
    assert [s.metric for s in bundle.samples] == ["latitude", "longitude", "speed_mph"]


def test_a_stay_is_claimed_when_it_begins_and_at_its_last_point() -> None:
    bundle = vehicle(*(point(n, 41.50001 + n / 1_000_000) for n in range(50)))

    assert len(seconds(bundle)) == 50
    assert places(bundle) == ["41.50001,-87.6", "41.500059,-87.6"]


def test_a_vehicle_that_does_not_move_at_all_is_claimed_to_be_there_since_the_first_point() -> None:
    bundle = vehicle(*(point(n, 41.5) for n in range(50)))

    assert since(bundle, "located_at") == [("located_at", "41.5,-87.6", START)]


def test_a_place_goes_by_its_name_before_its_coordinates() -> None:
    yard: Json = {"address": {"id": "1", "name": "Yard"}}
    road: Json = {"reverseGeo": {"formattedLocation": "I-290 W"}}

    bundle = vehicle(
        point(0, 41.5, **yard), point(1, 41.9, **yard), point(2, 41.9, **road), point(3, 41.9, **yard)
    )

    assert [claim.fact for claim in bundle.claims] == [
        "Truck 7 is at 41.5,-87.6 (Yard)",
        "Truck 7 is at 41.9,-87.6 (I-290 W)",
        "Truck 7 is at 41.9,-87.6 (Yard)",
    ]


def test_ten_thousand_points_are_all_sampled_and_few_are_claimed() -> None:
    bundle = vehicle(*(point(n, -80 + n * 0.016, speedMilesPerHour=1) for n in range(MAX_POINTS)))

    assert len(bundle.samples) == 3 * MAX_POINTS
    assert len(places(bundle)) == MAX_PLACES
    assert places(bundle)[-1] == "79.984,-87.6"
    assert len(text(bundle)) < 10_000


def test_more_points_than_that_are_rejected() -> None:
    with pytest.raises(RecordRejected) as caught:
        vehicle(*(point(n, 41.5) for n in range(MAX_POINTS + 1)))

    assert caught.value.pointer == "/gps"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time", None),
        ("time", "2026-11-18T14:03:20"),
        ("latitude", 91),
        ("latitude", None),
        ("longitude", "-87.6"),
        ("headingDegrees", 361),
        ("speedMilesPerHour", -1),
        ("reverseGeo", "I-290"),
    ],
)
def test_a_wrong_value_is_rejected_at_its_point(field: str, value: object) -> None:
    record = entry(0)
    record["gps"][1][field] = value

    with pytest.raises(RecordRejected) as caught:
        mapped("samsara", record)

    assert caught.value.pointer == f"/gps/1/{field}"


@pytest.mark.parametrize("value", [[], {}, True, -1, 1.5, "", "x" * 257])
def test_an_id_that_is_none_is_rejected(value: Any) -> None:
    with pytest.raises(RecordRejected) as caught:
        mapped("samsara", {**entry(0), "id": value})

    assert caught.value.pointer == "/id"


def test_a_whole_page_is_rejected_with_what_to_send() -> None:
    with pytest.raises(RecordRejected, match="at /data: a page of the feed: expected one of its entries"):
        mapped("samsara", payload("samsara/01_vehicle_stats_feed_gps"))
