"""Turvo's full shipments against what becomes of them."""

from typing import Final

import pytest
from tests.unit.sources.payloads import (
    RECEIVED,
    Json,
    code,
    entities,
    facts,
    history,
    mapped,
    payload,
    rejection,
    since,
    text,
    utc,
)

from apex_memory.domain.bundles import Bundle
from apex_memory.pipeline.sources.turvo.full import MAX_HISTORY
from apex_memory.pipeline.sources.turvo.statuses import WORDS

FULL: Final = "turvo/03_shipment_detail_multi_stop_very_long"
NUMBER: Final = "1000324868"
CUSTOM: Final = "M290969"
MUELLER: Final = "Müller & Söhne Lebensmittel"


def full(**details: object) -> Bundle:
    record = payload(FULL)
    record["details"] |= details
    return mapped("turvo", record)


def test_a_full_shipment_is_the_shipments_own_item_by_its_number() -> None:
    bundle = full()

    assert (bundle.external_id, bundle.title) == (NUMBER, f"Shipment {CUSTOM}")
    assert bundle.as_of == RECEIVED
    assert bundle.samples == ()


def test_a_full_shipment_mentions_everything_that_it_claims() -> None:
    assert entities(full()) == [
        ("shipment", CUSTOM, CUSTOM),
        ("shipment", NUMBER, NUMBER),
        ("driver", "turvo:14770956", "Łukasz"),
        ("customer", MUELLER, MUELLER),
        ("carrier", "GNS Trucking", "GNS Trucking"),
        ("place", "Chicago, IL", "Chicago, IL"),
        ("place", "São Tomé, CA", "São Tomé, CA"),
        ("place", "Des Moines, IA", "Des Moines, IA"),
        ("purchase_order", "PO-1", "PO-1"),
        ("purchase_order", "PO-2", "PO-2"),
        ("purchase_order", "009360713406", "009360713406"),
    ]


def test_a_full_shipment_claims_its_parties_its_statuses_and_its_way() -> None:
    assert facts(full()) == [
        (CUSTOM, "same_as", NUMBER),
        (CUSTOM, "has_customer", MUELLER),
        (CUSTOM, "has_carrier", "GNS Trucking"),
        (CUSTOM, "has_status", "covered"),
        (CUSTOM, "has_status", "at_pickup"),
        (CUSTOM, "has_status", "en_route"),
        (CUSTOM, "located_at", "Omaha, NE"),
        (CUSTOM, "ships_from", "Chicago, IL"),
        (CUSTOM, "ships_to", "São Tomé, CA"),
        (CUSTOM, "stops_at", "Chicago, IL"),
        (CUSTOM, "stops_at", "Des Moines, IA"),
        (CUSTOM, "stops_at", "São Tomé, CA"),
        (CUSTOM, "has_purchase_order", "PO-1"),
        (CUSTOM, "has_purchase_order", "PO-2"),
        (CUSTOM, "has_purchase_order", "009360713406"),
        (CUSTOM, "driven_by", "turvo:14770956"),
    ]


def test_statuses_and_stops_hold_from_their_own_times() -> None:
    bundle = full()

    assert since(bundle, "has_status") == [
        ("has_status", "covered", utc(17, 18, 0)),
        ("has_status", "at_pickup", utc(18, 12, 49)),
        ("has_status", "en_route", utc(18, 14, 5, 44)),
    ]
    assert [(c.valid_from, c.valid_to) for c in bundle.claims if c.predicate == "stops_at"] == [
        (utc(18, 12, 49), utc(18, 14, 5)),
        (None, None),
        (None, None),
    ]
    assert since(bundle, "ships_to") == [("ships_to", "São Tomé, CA", None)]


def test_a_full_shipments_text_goes_from_stop_to_stop_in_their_sequence() -> None:
    record = payload(FULL)
    written = text(mapped("turvo", record))

    assert written.splitlines()[:5] == [
        (
            f"Shipment {CUSTOM} (Turvo {NUMBER}) for {MUELLER} with GNS Trucking is en route, "
            "from Chicago, IL, to São Tomé, CA."
        ),
        "Stop 1: Chicago Pickup (pickup) in Chicago, IL, completed, purchase orders PO-1, PO-2.",
        "Stop 2: Des Moines Delivery (delivery) in Des Moines, IA, open.",
        "Stop 3: São Tomé Delivery (delivery) in São Tomé, CA, open, purchase orders 009360713406.",
        "Stop 4: Reno Delivery (delivery) in Reno, NV, cancelled.",
    ]
    assert record["details"]["status"]["notes"].strip() in written
    assert "customerOrder.0.items.0.qty: 22" in written.splitlines()
    assert "globalRoute.1.appointment.date: 2026-11-20T15:00:00Z" in written.splitlines()


@pytest.mark.parametrize("number", [1000324868, "1000324868", " 1000324868 "], ids=repr)
def test_a_number_is_the_same_as_a_string(number: object) -> None:
    bundle = full(id=number)

    assert bundle.external_id == NUMBER
    assert (CUSTOM, "same_as", NUMBER) in facts(bundle)


def test_a_shipment_without_a_custom_id_goes_by_its_number() -> None:
    bundle = full(customId=None)

    assert (bundle.external_id, bundle.title) == (NUMBER, f"Shipment {NUMBER}")
    assert bundle.claims[0].subject.key == NUMBER
    assert "same_as" not in {c.predicate for c in bundle.claims}


def test_the_same_answer_at_a_later_time_has_the_same_hash() -> None:
    later = mapped("turvo", payload(FULL), received_at=utc(20, 0, 0))

    assert later.as_of == utc(20, 0, 0)
    assert later.content_hash() == full().content_hash()


def test_an_answer_without_its_envelope_is_the_same_shipment() -> None:
    bare = mapped("turvo", payload(FULL)["details"])

    assert bare == full()


def test_a_shipment_of_which_only_the_number_is_known_is_kept() -> None:
    bundle = mapped(
        "turvo", {"details": {"id": 7, "globalRoute": None, "status": None, "customerOrder": None}}
    )

    assert (bundle.external_id, text(bundle)) == ("7", "Shipment 7.")
    assert (entities(bundle), bundle.claims) == ([("shipment", "7", "7")], ())


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("2105", "En route", "en_route"),
        ("2116", "Route Complete", "route_complete"),
        ("2116", "Route complete", "route_complete"),
        (2113, "CANCELLED", "canceled"),
        ("2105", "Unterwegs", "en_route"),
        ("2122", "New thing", "status_2122"),
        ("9999", None, "status_9999"),
        (None, "Waiting at Dock", "waiting_at_dock"),
    ],
)
def test_a_status_goes_by_its_key_whatever_a_tenant_calls_it(key: object, value: str, word: str) -> None:
    bundle = full(status=code(key, value), statusHistory=[])

    assert since(bundle, "has_status") == [("has_status", word, None)]


@pytest.mark.parametrize("status", [None, {}, {"code": None}, {"code": {}}, code(None, "—"), code("", " ")])
def test_a_status_that_says_nothing_is_none(status: object) -> None:
    assert since(full(status=status, statusHistory=None), "has_status") == []


def test_the_known_keys_are_those_of_the_catalogue() -> None:
    assert set(WORDS) == {str(n) for n in range(2100, 2142)} - {"2122", "2128", "2130"}
    assert len(set(WORDS.values())) == len(WORDS)


def test_a_renamed_status_is_spoken_of_by_its_word() -> None:
    facts_told = [c.fact for c in full(status=code("2105", "Unterwegs"), statusHistory=[]).claims]

    assert f"{CUSTOM} is en route" in facts_told


def test_of_a_long_history_the_newest_are_claimed() -> None:
    rows = history(*(("2105", f"2026-11-01T00:{n // 60:02}:{n % 60:02}Z") for n in range(200)))

    told = since(full(statusHistory=rows), "has_status")

    assert len(told) == MAX_HISTORY
    assert told[-1][2] == utc(1, 0, 3, 19)


def test_a_row_of_the_history_without_a_time_says_nothing() -> None:
    rows = [*history(("2102", "yesterday")), {"code": None}, None, {"lastUpdatedOn": "2026-11-01T00:00:00Z"}]

    assert since(full(statusHistory=rows), "has_status") == [("has_status", "en_route", None)]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"id": None}, "/details/id"),
        ({"customId": 5}, "/details/customId"),
        ({"globalRoute": "x"}, "/details/globalRoute"),
        ({"globalRoute": [None, "x"]}, "/details/globalRoute/1"),
        ({"globalRoute": [None] * 1_001}, "/details/globalRoute"),
        ({"status": {"notes": ["x"]}}, "/details/status/notes"),
        ({"statusHistory": {"code": 1}}, "/details/statusHistory"),
    ],
)
def test_a_shipment_that_cannot_be_read_is_rejected_at_its_place(changes: Json, pointer: str) -> None:
    record = payload(FULL)
    record["details"] |= changes

    assert rejection("turvo", record).pointer == pointer
