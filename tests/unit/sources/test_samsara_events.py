"""Samsara's other webhook bodies against what becomes of them."""

from typing import Final

import pytest
from tests.unit.sources.payloads import entities, event, facts, mapped, payload, rejection, text, utc

from apex_memory.pipeline.sources.samsara.envelope import (
    ADDRESSES,
    ALERT,
    DOCUMENT,
    EVENT_TYPES,
    LEGACY_ALERT,
)

INCIDENT: Final = "samsara/02_alert_incident_geofence_entry"
ADDRESS: Final = "samsara/04_address_updated_sparse_unicode"
SUBMITTED: Final = "samsara/05_document_submitted_very_long"
TRUCK: Final = "281474994676286"
ZOE: Final = "samsara:45646"
DOCK: Final = "samsara:494123"


def test_an_address_is_an_item_of_its_own() -> None:
    bundle = mapped("samsara", payload(ADDRESS))

    key, name = "samsara:494777", "מחסן צפון / 北仓库 / Łódź-3"
    assert (bundle.external_id, bundle.as_of) == ("address:494777", utc(18, 14, 10))
    assert entities(bundle) == [("address", key, name)]
    assert facts(bundle) == [
        (key, "has_address", "ul. Piłsudskiego 1, 90-001 Łódź"),
        (key, "located_at", "51.7592,19.456"),
    ]
    assert {c.valid_from for c in bundle.claims} == {bundle.as_of}
    assert bundle.samples == ()
    assert text(bundle).splitlines() == [
        (
            f"Address {name} (Samsara address 494777), ul. Piłsudskiego 1, 90-001 Łódź, at 51.7592,19.456 "
            "was updated on 18 November 2026 at 14:10:00 UTC."
        ),
        "data.address.createdAtTime: 2021-08-30T19:36:05+00:00",
        "data.address.geofence.circle.radiusMeters: 250",
    ]


def test_an_address_that_is_deleted_says_so_as_a_version_of_the_same_item() -> None:
    bundle = mapped("samsara", payload(ADDRESS) | {"eventType": "AddressDeleted"})

    assert bundle.external_id == "address:494777"
    assert ("samsara:494777", "has_status", "deleted") in facts(bundle)


def test_an_address_with_a_polygon_and_no_name_is_kept() -> None:
    polygon = {"polygon": {"vertices": [{"latitude": 41.86, "longitude": -87.64}]}}
    bundle = event("AddressCreated", {"address": {"id": 5, "name": "", "geofence": polygon}})

    assert entities(bundle) == [("address", "samsara:5", "5")]
    assert bundle.claims == ()
    assert "data.address.geofence.polygon.vertices.0.latitude: 41.86" in text(bundle)


@pytest.mark.parametrize(
    ("address", "pointer"),
    [
        (None, "/data/address"),
        ({"name": "x"}, "/data/address/id"),
        ({"id": "1", "geofence": {"circle": 5}}, "/data/address/geofence/circle"),
        ({"id": "1", "geofence": {"circle": {"latitude": 91}}}, "/data/address/geofence/circle/latitude"),
    ],
)
def test_an_address_that_cannot_be_read_is_rejected_at_its_place(address: object, pointer: str) -> None:
    record = payload(ADDRESS)
    record["data"]["address"] = address

    assert rejection("samsara", record).pointer == pointer


def test_a_document_is_an_item_with_its_notes_whole() -> None:
    record = payload(SUBMITTED)
    bundle = mapped("samsara", record)

    key, name = "samsara:1654973_1795012212000", "Proof of Delivery 1654973_1795012212000"
    assert (bundle.external_id, bundle.title) == ("document:1654973_1795012212000", name)
    assert bundle.as_of == utc(18, 14, 30, 12.9)
    assert entities(bundle) == [("driver_document", key, name), ("driver", ZOE, "Zoë Ñuñez-O'Brien")]
    assert facts(bundle) == [(key, "has_status", "submitted"), (key, "concerns", ZOE)]
    assert [c.valid_from for c in bundle.claims] == [utc(18, 14, 30, 12.9), utc(18, 14, 30, 11)]
    assert record["data"]["document"]["notes"].strip() in text(bundle)
    assert bundle.samples == ()


def test_a_documents_fields_follow_its_notes() -> None:
    lines = text(mapped("samsara", payload(SUBMITTED))).splitlines()

    assert lines[0] == (
        "Proof of Delivery 1654973_1795012212000 of Zoë Ñuñez-O'Brien, "
        "Proof of Delivery of 18 November 2026 at 14:30:11 UTC."
    )
    assert "data.document.fields.0.label: Load weight" in lines
    assert "data.document.fields.0.value.numberValue: 42118.5" in lines
    assert "data.document.fields.2.value.barcodeValue.1.barcodeValue: 0853883003114" in lines


@pytest.mark.parametrize(("type_", "move"), [("GeofenceEntry", "entered"), ("GeofenceExit", "left")])
def test_a_geofence_event_says_that_the_vehicle_came_or_went(type_: str, move: str) -> None:
    bundle = event(type_, {"vehicle": {"id": TRUCK, "name": "Truck 881"}, "address": {"id": "494123"}})

    assert bundle.external_id == "e1"
    assert (TRUCK, move, DOCK) in facts(bundle)
    assert {c.valid_from for c in bundle.claims} == {utc(18, 14, 0)} == {bundle.as_of}


def test_an_engine_fault_is_linked_to_its_vehicle_and_kept_as_text() -> None:
    bundle = event("EngineFaultOn", {"vehicle": {"id": TRUCK, "name": "Truck 881"}, "fault": {"spn": 521}})

    assert bundle.title == "Engine fault on: Truck 881"
    assert entities(bundle) == [("event", "samsara:e1", "Engine fault on"), ("vehicle", TRUCK, "Truck 881")]
    assert facts(bundle) == [("samsara:e1", "concerns", TRUCK)]
    assert text(bundle).splitlines() == [
        "Engine fault on: Truck 881 on 18 November 2026 at 14:00:00 UTC.",
        "data.fault.spn: 521",
        f"data.vehicle.id: {TRUCK}",
        "data.vehicle.name: Truck 881",
    ]


@pytest.mark.parametrize("type_", sorted(EVENT_TYPES - ADDRESSES - {ALERT, LEGACY_ALERT, DOCUMENT}))
def test_every_other_known_event_is_mapped_whatever_it_names(type_: str) -> None:
    driven = event(type_, {"form": {"driver": {"id": 45646, "name": "Zoë"}}})
    bare = event(type_, None)

    assert facts(driven) == [("samsara:e1", "concerns", ZOE)]
    assert [m.entity.type for m in bare.mentions] == ["event"]


def test_a_trailer_is_a_vehicle() -> None:
    bundle = event("GatewayUnplugged", {"trailer": {"id": "212014918732717", "name": "Trailer 12"}})

    assert ("vehicle", "212014918732717", "Trailer 12") in entities(bundle)


@pytest.mark.parametrize("type_", ["AddressEntry", "TireBurst", "alertincident", 5, ["Alert"]])
def test_an_event_of_a_type_that_no_rule_maps_is_rejected(type_: object) -> None:
    rejected = rejection("samsara", payload(INCIDENT) | {"eventType": type_})

    assert (rejected.pointer, rejected.problem) == ("/eventType", "of a type that no rule maps")


def test_a_test_message_is_nothing_to_remember() -> None:
    ping = {"eventId": "p1", "eventMs": 1795010650500, "eventType": "Ping", "event": {"text": "Ping"}}

    assert rejection("samsara", ping).problem == "a test message: there is nothing to remember"


@pytest.mark.parametrize(("field", "value"), [("eventId", None), ("eventId", 7), ("eventTime", "now")])
def test_a_wrong_envelope_is_rejected_at_its_field(field: str, value: object) -> None:
    assert rejection("samsara", payload(INCIDENT) | {field: value}).pointer == f"/{field}"


def test_a_webhook_without_data_is_rejected() -> None:
    record = {key: value for key, value in payload(INCIDENT).items() if key != "data"}

    assert rejection("samsara", record).pointer == "/data"
