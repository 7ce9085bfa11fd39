"""Turvo's webhooks, alone and with their shipment, and its lists' entries, against what becomes of them."""

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
from apex_memory.domain.ids import item_id

WEBHOOK: Final = "turvo/01_webhook_status_update_en_route"
FULL: Final = "turvo/03_shipment_detail_multi_stop_very_long"
PAGE: Final = "turvo/05_shipment_list_page_with_duplicate"
NUMBER: Final = "1000324868"
CUSTOM: Final = "M290969"
MUELLER: Final = "Müller & Söhne Lebensmittel"
SENT: Final = utc(18, 14, 5, 44.856)


def full(**details: object) -> Bundle:
    record = payload(FULL)
    record["details"] |= details
    return mapped("turvo", record)


def joined(details: Json, **event: object) -> Bundle:
    """The webhook with the shipment that was fetched for it."""
    return mapped("turvo", payload(WEBHOOK) | event | {"details": {"id": 1000324868, **details}})


def test_a_webhook_alone_is_an_item_of_its_own_with_a_claim_about_the_shipment() -> None:
    bundle = mapped("turvo", payload(WEBHOOK))

    assert bundle.external_id == f"{NUMBER}/SHIPMENT_STATUS_UPDATE@2026-11-18T14:05:44.856000Z"
    assert (bundle.kind, bundle.title) == ("record", f"Shipment {NUMBER} is en route")
    assert bundle.as_of == SENT
    assert entities(bundle) == [("shipment", NUMBER, NUMBER)]
    assert facts(bundle) == [(NUMBER, "has_status", "en_route")]
    assert since(bundle, "has_status") == [("has_status", "en_route", SENT)]
    assert bundle.samples == ()


def test_a_webhooks_text_is_a_sentence_and_what_else_it_said() -> None:
    assert text(mapped("turvo", payload(WEBHOOK))).splitlines() == [
        f"Shipment {NUMBER} is en route, on 18 November 2026 at 14:05:44 UTC.",
        "eventPayload.carrierOrder.0.carrier.id: 848297",
        "eventPayload.carrierOrder.0.id: 652958",
        "eventPayload.customerOrder.0.customer.id: 850901",
        "eventPayload.customerOrder.0.id: 975587",
        "eventPayload.id: 1000324868",
        "eventPayload.status.code.id: 116105",
        "eventPayload.status.description: En route",
        "eventPayload.status.updatedBy.id: 23047806",
        "eventPayload.status.updatedBy.name: App Apex",
    ]


def test_a_webhook_alone_takes_no_shipments_place() -> None:
    """Two items: whatever is committed of the one, the other's head stays."""
    items = {item_id("t", "turvo", mapped("turvo", payload(name)).external_id) for name in (WEBHOOK, FULL)}

    assert len(items) == 2


def test_the_number_joins_what_webhooks_say_to_the_shipment_that_people_know() -> None:
    webhook, whole = mapped("turvo", payload(WEBHOOK)), full()

    assert webhook.claims[0].subject in [m.entity for m in whole.mentions]
    assert (CUSTOM, "same_as", NUMBER) in facts(whole)


def test_two_webhooks_of_one_moment_are_two_items() -> None:
    update = payload(WEBHOOK) | {"eventName": "SHIPMENT_UPDATE"}

    assert mapped("turvo", update).external_id != mapped("turvo", payload(WEBHOOK)).external_id


@pytest.mark.parametrize(
    "event_payload",
    [
        {"id": "1000324868"},
        {"load": {"id": 1000324868}},
        {"shipmentId": NUMBER},
        {"shipment_id": 1000324868},
        {"shipment": {"id": NUMBER}},
        {"data": {"shipment": {"id": NUMBER}}},
    ],
)
def test_a_webhook_that_only_names_the_shipment_claims_nothing_of_it(event_payload: Json) -> None:
    bundle = mapped(
        "turvo", payload(WEBHOOK) | {"eventName": "SHIPMENT_UPDATE", "eventPayload": event_payload}
    )

    assert bundle.title == f"Shipment {NUMBER} was changed"
    assert (entities(bundle), bundle.claims) == ([("shipment", NUMBER, NUMBER)], ())


def test_a_webhook_with_its_shipment_is_a_version_of_the_shipment_as_of_the_event() -> None:
    bundle = mapped("turvo", payload(WEBHOOK) | {"details": payload(FULL)["details"]})

    assert (bundle.external_id, bundle.as_of) == (NUMBER, SENT)
    assert facts(bundle) == facts(full())
    assert since(bundle, "has_customer") == [("has_customer", MUELLER, SENT)]


def test_a_status_that_the_shipment_dates_is_not_told_twice() -> None:
    bundle = joined(code_and_history("2105", ("2105", "2026-11-18T14:05:44Z")))

    assert since(bundle, "has_status") == [("has_status", "en_route", utc(18, 14, 5, 44))]


def test_a_status_that_the_shipment_does_not_date_began_with_the_event() -> None:
    assert since(joined({"status": code("2105")}), "has_status") == [("has_status", "en_route", SENT)]


def test_a_shipment_that_went_on_since_the_event_shows_both_statuses() -> None:
    """Two events in a row, and both shipments fetched after the second."""
    bundle = joined(
        code_and_history("2106", ("2105", "2026-11-18T14:05:44Z"), ("2106", "2026-11-18T14:50:00Z"))
    )

    assert since(bundle, "has_status") == [
        ("has_status", "en_route", utc(18, 14, 5, 44)),
        ("has_status", "at_delivery", utc(18, 14, 50)),
    ]
    assert "is at delivery" in text(bundle).splitlines()[0]


def test_an_answer_from_before_the_event_does_not_hide_what_the_event_said() -> None:
    bundle = joined(code_and_history("2104", ("2104", "2026-11-18T12:49:00Z")))

    assert since(bundle, "has_status") == [
        ("has_status", "at_pickup", utc(18, 12, 49)),
        ("has_status", "en_route", SENT),
    ]
    assert "is en route" in text(bundle).splitlines()[0]


def test_an_undated_answer_is_later_than_the_event_it_was_fetched_for() -> None:
    assert since(joined({"status": code("2106")}), "has_status") == [("has_status", "at_delivery", None)]


def test_an_answer_without_status_leaves_the_events() -> None:
    assert since(joined({}), "has_status") == [("has_status", "en_route", SENT)]


def code_and_history(key: str, *rows: tuple[str, str]) -> Json:
    return {"status": code(key), "statusHistory": history(*rows)}


def test_an_entry_of_a_list_is_a_sighting_and_takes_no_shipments_place() -> None:
    bundle = mapped("turvo", payload(PAGE)["details"]["shipments"][0])

    assert bundle.external_id == f"{NUMBER}/listed/2026-11-18T14:05:44Z/en_route"
    assert (bundle.title, bundle.as_of) == (f"Shipment {CUSTOM} listed", utc(18, 14, 5, 44))
    assert entities(bundle) == [
        ("shipment", CUSTOM, CUSTOM),
        ("shipment", NUMBER, NUMBER),
        ("customer", MUELLER, MUELLER),
    ]
    assert facts(bundle) == [
        (CUSTOM, "same_as", NUMBER),
        (CUSTOM, "has_customer", MUELLER),
        (CUSTOM, "has_status", "en_route"),
    ]
    assert {c.valid_from for c in bundle.claims} == {bundle.as_of}
    assert bundle.samples == ()


def test_the_other_entries_of_the_page() -> None:
    second, third = (mapped("turvo", e) for e in payload(PAGE)["details"]["shipments"][1:])

    assert second.external_id == "1000324213/listed/2026-11-18T14:05:44Z/route_complete"
    assert facts(second) == [
        ("M290970", "same_as", "1000324213"),
        ("M290970", "has_customer", MUELLER),
        ("M290970", "has_status", "route_complete"),
    ]
    assert third.external_id == f"{NUMBER}/listed/2026-11-18T14:05:44Z/at_pickup"
    assert (CUSTOM, "has_status", "at_pickup") in facts(third)
    assert (second.as_of, third.as_of) == (utc(18, 14, 5, 44), utc(18, 14, 5, 44))


def test_a_shipment_twice_on_a_page_is_two_sightings_in_whatever_order_they_come() -> None:
    first, _, again = (mapped("turvo", e).external_id for e in payload(PAGE)["details"]["shipments"])

    assert first != again


def test_an_entry_without_a_time_was_seen_when_it_came() -> None:
    entry = {key: v for key, v in payload(PAGE)["details"]["shipments"][0].items() if key != "updated"}

    bundle = mapped("turvo", entry)

    assert (bundle.external_id, bundle.as_of) == (f"{NUMBER}/listed/en_route", RECEIVED)
    assert {c.valid_from for c in bundle.claims} == {None}


def test_a_whole_page_is_rejected_with_what_to_send() -> None:
    assert str(rejection("turvo", payload(PAGE))) == (
        "turvo record, at /details/shipments: a page: expected one of its entries"
    )


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"eventTime": None}, "/eventTime"),
        ({"eventTime": "2026-11-18"}, "/eventTime"),
        ({"eventPayload": None}, "/eventPayload"),
        ({"eventPayload": []}, "/eventPayload"),
        ({"eventPayload": {}}, "/eventPayload/id"),
        ({"eventPayload": {"id": 1.5}}, "/eventPayload/id"),
        ({"eventPayload": {"id": 1, "status": "2105"}}, "/eventPayload/status"),
        ({"eventName": "INVOICE_CREATED"}, "/eventName"),
        ({"eventName": 5}, "/eventName"),
        ({"details": {"id": 7}}, "/details/id"),
        ({"details": {}}, "/details/id"),
    ],
)
def test_a_webhook_that_cannot_be_read_is_rejected_at_its_place(changes: Json, pointer: str) -> None:
    assert rejection("turvo", payload(WEBHOOK) | changes).pointer == pointer
