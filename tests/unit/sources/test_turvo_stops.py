"""The rows of Turvo's full shipments against what becomes of them: stops, orders, what is deleted."""

from typing import Any, Final

import pytest
from tests.unit.sources.payloads import Json, facts, mapped, payload, rejection, text

from apex_memory.domain.bundles import Bundle
from apex_memory.pipeline.sources.turvo.stops import MAX_PURCHASE_ORDERS

FULL: Final = "turvo/03_shipment_detail_multi_stop_very_long"
NUMBER: Final = "1000324868"


def full(**details: object) -> Bundle:
    record = payload(FULL)
    record["details"] |= details
    return mapped("turvo", record)


def stop(sequence: object, city: str, **more: object) -> Json:
    return {"sequence": sequence, "address": {"city": city}, **more}


def test_rows_that_are_marked_deleted_are_nowhere() -> None:
    record = payload(FULL)
    gone = {"id": 9, "deleted": True, "customer": {"name": "Gone Ltd"}, "name": "Gone", "sequence": -1}
    record["details"]["globalRoute"].insert(0, gone | {"address": {"city": "Gone"}})
    record["details"]["customerOrder"].append(gone)
    record["details"]["customerOrder"][0]["items"].append(gone | {"name": "Gone goods"})
    record["details"]["carrierOrder"][1]["drivers"].append(
        {"deleted": True, "context": {"id": 1, "name": "Gone"}}
    )

    bundle = mapped("turvo", record)

    assert "Gone" not in text(bundle)
    assert "Old Carrier LLC" not in text(bundle)
    assert facts(bundle) == facts(full())


def test_a_row_that_is_not_deleted_says_nothing_of_it() -> None:
    assert "deleted" not in text(full())


def test_what_is_wrong_beside_a_deleted_row_is_still_found_at_its_place() -> None:
    record = payload(FULL)
    record["details"]["carrierOrder"][1]["carrier"]["name"] = 5

    assert rejection("turvo", record).pointer == "/details/carrierOrder/1/carrier/name"


def test_a_deleted_row_may_be_of_any_shape() -> None:
    assert full(globalRoute=[{"deleted": True, "name": 5, "address": "x"}]).external_id == NUMBER


def test_stops_with_ids_of_both_kinds_are_mapped() -> None:
    ids = [row["id"] for row in payload(FULL)["details"]["globalRoute"]]

    assert {type(i) for i in ids} == {int, str}
    assert len([f for f in facts(full()) if f[1] == "stops_at"]) == 3


@pytest.mark.parametrize(
    ("sent", "numbers"),
    [
        ("A1", ["A1"]),
        ("A1, B2,A1,", ["A1", "B2"]),
        (["A1", "B2", 3, None, "A1"], ["A1", "B2", "3"]),
        (7, ["7"]),
        ([], []),
        ("", []),
        (None, []),
        ({"a": 1}, []),
        (True, []),
    ],
)
def test_purchase_orders_come_as_a_text_or_as_an_array(sent: object, numbers: list[str]) -> None:
    bundle = full(globalRoute=[stop(0, "Reno", poNumbers=sent)])

    assert [f[2] for f in facts(bundle) if f[1] == "has_purchase_order"] == numbers


def test_very_many_purchase_orders_are_cut() -> None:
    bundle = full(globalRoute=[stop(0, "Reno", poNumbers=",".join(map(str, range(100_000))))])

    assert len([f for f in facts(bundle) if f[1] == "has_purchase_order"]) == MAX_PURCHASE_ORDERS


def test_quantities_may_be_texts_or_numbers() -> None:
    lines = text(full()).splitlines()

    assert "customerOrder.0.items.0.qty: 22" in lines
    assert "customerOrder.0.items.1.qty: 22" in lines
    assert "equipment.0.weight: 42000" in lines


@pytest.mark.parametrize("odd", [None, "2", True, -1, 10**9, float("nan")])
def test_a_stop_whose_place_in_the_order_is_unknown_comes_last(odd: Any) -> None:
    bundle = full(globalRoute=[stop(odd, "Last"), stop(2.5, "Second"), stop(0, "First")])

    assert [f[2] for f in facts(bundle) if f[1] == "stops_at"] == ["First", "Second", "Last"]


def test_it_ships_from_the_first_pickup_to_the_last_delivery_that_is_not_canceled() -> None:
    pickup, delivery = {"stopType": {"key": "1500"}}, {"stopType": {"key": 1501}}
    route = [
        stop(0, "Gate"),
        stop(1, "Loads", **pickup),
        stop(2, "Drops", **delivery),
        stop(3, "Canceled", **delivery, state="Canceled"),
        stop(4, "Home"),
    ]

    assert {f[1]: f[2] for f in facts(full(globalRoute=route)) if f[1].startswith("ships")} == {
        "ships_from": "Loads",
        "ships_to": "Drops",
    }


def test_without_stops_it_ships_along_its_lane() -> None:
    way = [f[1:] for f in facts(full(globalRoute=[])) if f[1].startswith("ships")]

    assert way == [("ships_from", "Chicago, IL"), ("ships_to", "São Tomé, CA")]


def test_a_single_stop_is_no_way() -> None:
    way = [f[1:] for f in facts(full(globalRoute=[stop(0, "Reno")], lane=None)) if f[1].startswith("ships")]

    assert way == [("ships_from", "Reno")]
