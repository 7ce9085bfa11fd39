"""Turvo shipments, good and bad, against what becomes of them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from apex_memory.domain.bundles import Bundle, EntityRef
from apex_memory.domain.errors import RecordRejected
from apex_memory.pipeline.sources.turvo import Turvo

PLAIN: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data/payloads/plain/turvo.json").read_text()
)
RECEIVED: Final = datetime(2025, 10, 19, 15, 0, tzinfo=UTC)
SHIPMENT: Final = EntityRef(type="shipment", key="SHIP-2025-10-19-002")
ACME: Final = EntityRef(type="customer", key="Acme Manufacturing Corp")
CHICAGO: Final = EntityRef(type="place", key="Chicago, IL")
INDIANAPOLIS: Final = EntityRef(type="place", key="Indianapolis, IN")


def mapped(changes: dict[str, object] | None = None, *, received_at: datetime = RECEIVED) -> Bundle:
    return Turvo().map_record({**PLAIN, **(changes or {})}, received_at=received_at)


def test_a_shipment_is_an_item_named_by_its_id() -> None:
    bundle = mapped()

    assert (bundle.source, bundle.external_id, bundle.kind) == ("turvo", SHIPMENT.key, "record")
    assert bundle.title == "Shipment SHIP-2025-10-19-002"
    assert bundle.passages[0].text == (
        "Shipment SHIP-2025-10-19-002 for Acme Manufacturing Corp is in transit, "
        "from Chicago, IL, to Indianapolis, IN."
    )


def test_it_claims_customer_status_and_both_ends() -> None:
    claims = mapped().claims

    assert [(c.predicate, c.object, c.value) for c in claims] == [
        ("has_customer", ACME, None),
        ("has_status", None, "in_transit"),
        ("ships_from", CHICAGO, None),
        ("ships_to", INDIANAPOLIS, None),
    ]
    assert all(c.subject == SHIPMENT for c in claims)


def test_it_mentions_itself_first_and_then_everything_it_claims() -> None:
    assert [m.entity for m in mapped().mentions] == [SHIPMENT, ACME, CHICAGO, INDIANAPOLIS]


def test_a_shipment_that_returns_to_its_origin_mentions_the_place_once() -> None:
    bundle = mapped({"destination": PLAIN["origin"]})

    assert [m.entity for m in bundle.mentions].count(CHICAGO) == 1


def test_the_same_record_sent_again_has_the_same_hash() -> None:
    later = mapped(received_at=RECEIVED + timedelta(days=1))

    assert later.as_of > mapped().as_of
    assert later.content_hash() == mapped().content_hash()
    assert {c.valid_from for c in later.claims} == {None}


def test_the_order_of_the_keys_is_no_content() -> None:
    backwards = dict(reversed([*PLAIN.items(), ("b", {"y": 1, "x": 2}), ("a", 1)]))
    forwards = {**PLAIN, "a": 1, "b": {"x": 2, "y": 1}}

    hashes = {Turvo().map_record(r, received_at=RECEIVED).content_hash() for r in (backwards, forwards)}

    assert len(hashes) == 1


@pytest.mark.parametrize("field", ["updatedAt", "timestamp"])
def test_a_time_that_was_sent_is_the_versions_time(field: str) -> None:
    bundle = mapped({field: "2025-10-19T16:00:00+02:00"})

    assert bundle.as_of == datetime(2025, 10, 19, 14, 0, tzinfo=UTC)
    assert {c.valid_from for c in bundle.claims} == {bundle.as_of}
    assert "as of 19 October 2025 at 14:00:00 UTC" in bundle.passages[0].text


def test_the_same_status_at_a_later_time_is_new_content() -> None:
    first = mapped({"updatedAt": "2025-10-19T14:00:00Z"})
    second = mapped({"updatedAt": "2025-10-19T15:00:00Z"})

    assert first.content_hash() != second.content_hash()


@pytest.mark.parametrize("nothing", [None, "", " "])
@pytest.mark.parametrize("field", ["customerName", "status", "origin", "destination", "updatedAt"])
def test_an_empty_optional_field_is_an_absent_one(field: str, nothing: object) -> None:
    absent = {key: value for key, value in PLAIN.items() if key != field}

    assert mapped({field: nothing}) == Turvo().map_record(absent, received_at=RECEIVED)


def test_a_shipment_of_which_only_the_id_is_known_is_kept() -> None:
    bundle = Turvo().map_record({"shipmentId": "S1"}, received_at=RECEIVED)

    assert (bundle.claims, bundle.passages[0].text) == ((), "Shipment S1.")


def test_a_place_without_city_or_state_is_named_by_the_other() -> None:
    bundle = mapped({"origin": {"city": "Chicago"}, "destination": {"state": "IN"}})

    assert [c.object.key for c in bundle.claims if c.object] == [ACME.key, "Chicago", "IN"]


def test_fields_that_no_rule_knows_become_lines_of_the_text() -> None:
    bundle = mapped(
        {
            "notes": "fragile",
            "weight": {"value": 12.5, "unit": "t"},
            "stops": ["A", {"name": "B"}, None, ""],
            "hazardous": False,
            "origin": {"city": "Chicago", "state": "IL", "dock": 7},
        }
    )

    assert bundle.passages[0].text.splitlines()[1:] == [
        "hazardous: false",
        "notes: fragile",
        "origin.dock: 7",
        "stops.0: A",
        "stops.1.name: B",
        "weight.unit: t",
        "weight.value: 12.5",
    ]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"shipmentId": None}, "/shipmentId"),
        ({"shipmentId": 1000324868}, "/shipmentId"),
        ({"customerName": "x" * 1001}, "/customerName"),
        ({"status": {"code": 1}}, "/status"),
        ({"origin": "Chicago"}, "/origin"),
        ({"origin": ["Chicago"]}, "/origin"),
        ({"destination": {"city": 5}}, "/destination/city"),
        ({"updatedAt": "2025-10-19T14:00:00"}, "/updatedAt"),
        ({"timestamp": 5}, "/timestamp"),
    ],
)
def test_a_wrong_value_is_rejected_at_its_place(changes: dict[str, object], pointer: str) -> None:
    with pytest.raises(RecordRejected) as caught:
        mapped(changes)

    assert (caught.value.source, caught.value.pointer) == ("turvo", pointer)
    assert "_Place" not in str(caught.value)
