"""Samsara's alerts, of both payload versions, against what becomes of them."""

from typing import Any, Final

import pytest
from tests.unit.sources.payloads import (
    Json,
    entities,
    facts,
    mapped,
    payload,
    rejection,
    said,
    since,
    text,
    utc,
)

from apex_memory.domain.bundles import Bundle
from apex_memory.pipeline.sources.samsara.things import MAX_SCENES

INCIDENT: Final = "samsara/02_alert_incident_geofence_entry"
ALERT_KEY: Final = (
    "alert:9814a1fa-f0c6-408b-bf85-51dc3bc71ac7:https://cloud.samsara.com/o/20936/fleet/workflows/incidents/"
    "9814a1fa-f0c6-408b-bf85-51dc3bc71ac7/1/281474994676286/1795010642000"
)
TRUCK: Final = "281474994676286"
VIN: Final = "1FUJBBCK57LX00001"
ZOE: Final = "samsara:45646"
DOCK: Final = "samsara:494123"
ENTERED: Final = utc(18, 14, 4, 2)
LEGACY: Final[Json] = {
    "eventId": "1f0b6d34-7a1c-4c4e-9f3d-000000000001",
    "eventMs": 1795010650500,
    "eventType": "Alert",
    "orgId": 20936,
    "event": {
        "alertEventUrl": "https://cloud.samsara.com/o/20936/fleet/reports/alert/1",
        "alertConditionDescription": "Engine idle",
        "alertConditionId": "DeviceEngineIdle",
        "details": "Truck 881 has been idle for 20 minutes.",
        "device": {"id": 281474994676286, "name": "Truck 881", "serial": "GP6G", "vin": VIN.lower()},
        "driver": {"id": 45646, "name": "Zoë"},
        "orgId": 20936,
        "resolved": False,
        "startMs": 1795009442000,
        "summary": "Idle vehicle",
    },
}


def incident(**data: object) -> Bundle:
    record = payload(INCIDENT)
    record["data"] |= data
    return mapped("samsara", record)


def test_an_incident_is_an_item_named_by_its_configuration_and_its_address_in_the_dashboard() -> None:
    bundle = incident()

    assert bundle.external_id == ALERT_KEY
    assert (bundle.kind, bundle.title) == ("record", "Alert: Vehicle entered geofence")
    assert bundle.as_of == utc(18, 14, 4, 2)
    assert bundle.samples == ()


def test_an_incident_says_who_was_concerned_and_where() -> None:
    bundle = incident()

    assert entities(bundle) == [
        ("alert", ALERT_KEY, "Vehicle entered geofence"),
        ("vehicle", TRUCK, "Truck 881"),
        ("vehicle", VIN, VIN),
        ("driver", ZOE, "Zoë Ñuñez-O'Brien"),
        ("address", DOCK, "Chicago Cross-Dock"),
    ]
    assert facts(bundle) == [
        (ALERT_KEY, "has_status", "open"),
        (ALERT_KEY, "concerns", TRUCK),
        (TRUCK, "same_as", VIN),
        (TRUCK, "driven_by", ZOE),
        (TRUCK, "entered", DOCK),
        (ALERT_KEY, "concerns", ZOE),
        (ALERT_KEY, "happened_at", DOCK),
    ]
    assert {c.valid_from for c in bundle.claims if c.predicate != "same_as"} == {ENTERED}


def test_an_incidents_text_has_a_sentence_and_then_its_details() -> None:
    lines = text(incident()).splitlines()

    assert lines[0] == (
        "Alert on 18 November 2026 at 14:04:02 UTC: Vehicle entered geofence, Truck 881, "
        "Zoë Ñuñez-O'Brien at Chicago Cross-Dock; not resolved."
    )
    assert "data.conditions.0.details.geofenceEntry.vehicle.externalIds.apexUnit: 881" in lines
    assert "data.conditions.0.details.geofenceEntry.driver.attributes.0.stringValues.1: 0052f-43" in lines
    assert "data.updatedAtTime: 2026-11-18T14:04:02Z" in lines
    assert not [line for line in lines if "webhookId" in line or "orgId" in line or "eventId" in line]


def test_updates_of_an_incident_are_versions_of_one_item_in_the_order_of_their_updates() -> None:
    late = incident(updatedAtTime="2026-11-18T14:09:00Z")

    assert late.external_id == ALERT_KEY
    assert late.as_of == utc(18, 14, 9) > incident().as_of


def test_the_same_state_at_a_later_time_is_new_content() -> None:
    later = incident(updatedAtTime="2026-11-18T14:04:02.5Z")

    assert later.content_hash() != incident().content_hash()


def test_an_incident_of_another_vehicle_is_another_item() -> None:
    assert incident(incidentUrl="https://cloud.samsara.com/o/1/x").external_id != ALERT_KEY


def test_an_incident_without_address_in_the_dashboard_goes_by_when_it_happened() -> None:
    bundle = incident(incidentUrl=None)

    assert bundle.external_id == "alert:9814a1fa-f0c6-408b-bf85-51dc3bc71ac7:2026-11-18T14:04:02Z"


def test_a_resolved_incident_was_open_until_then() -> None:
    bundle = incident(
        isResolved=True, resolvedAtTime="2026-11-18T14:20:00Z", updatedAtTime="2026-11-18T14:20:01Z"
    )

    states = [(c.value, c.valid_from, c.valid_to) for c in bundle.claims if c.predicate == "has_status"]
    assert states == [
        ("open", ENTERED, utc(18, 14, 20)),
        ("resolved", utc(18, 14, 20), None),
    ]
    assert bundle.as_of == utc(18, 14, 20, 1)
    assert "; resolved on 18 November 2026 at 14:20:00 UTC." in text(bundle)


def test_a_resolved_incident_that_does_not_say_when_was_resolved_when_it_was_updated() -> None:
    bundle = incident(isResolved=True, updatedAtTime="2026-11-18T14:20:01Z")

    assert ("has_status", "resolved", utc(18, 14, 20, 1)) in since(bundle, "has_status")


def test_an_incident_that_was_never_updated_counts_from_its_event() -> None:
    assert incident(updatedAtTime=None).as_of == utc(18, 14, 4, 3.127)


@pytest.mark.parametrize("kind", ["panicButton", "harshEvent", "geofenceExit", "somethingNew"])
def test_details_of_any_kind_name_who_is_concerned(kind: str) -> None:
    details = {kind: {"vehicle": {"id": "7", "name": "Truck 7"}, "address": {"id": "9", "name": "Yard"}}}
    bundle = incident(conditions=[{"triggerId": 1034, "description": "Botón de pánico", "details": details}])

    moves = [said(c) for c in bundle.claims if c.predicate in {"entered", "left"}]
    assert bundle.title == "Alert: Botón de pánico"
    assert (ALERT_KEY, "concerns", "7") in facts(bundle)
    assert moves == ([("7", "left", "samsara:9")] if kind == "geofenceExit" else [])


def test_several_conditions_are_named_once_each() -> None:
    vehicle = {"vehicle": {"id": "7"}}
    conditions = [
        {"description": "Speeding", "details": {"speed": vehicle}},
        {"description": "Speeding", "details": {"speed": vehicle}},
        {"description": "Harsh brake", "details": {"harshEvent": vehicle}},
    ]

    bundle = incident(conditions=conditions)

    assert bundle.title == "Alert: Speeding, Harsh brake"
    assert [f for f in facts(bundle) if f[1] == "concerns"] == [(ALERT_KEY, "concerns", "7")]


@pytest.mark.parametrize(
    "details", [None, [], "x", {"k": None}, {"k": {"vehicle": []}}, {"k": {"vehicle": {}}}]
)
def test_details_that_name_nobody_leave_the_alert(details: object) -> None:
    bundle = incident(conditions=[{"description": None, "details": details}, None])

    assert bundle.title == "Alert"
    assert entities(bundle) == [("alert", ALERT_KEY, "Alert")]


def test_what_some_streams_add_beside_the_data_is_read_too() -> None:
    record = payload(INCIDENT) | {"vehicle": {"id": "7", "name": "Truck 7"}, "_source": "stream", "id": "x"}

    bundle = mapped("samsara", record)

    assert (ALERT_KEY, "concerns", "7") in facts(bundle)
    assert "_source: stream" in text(bundle).splitlines()


def test_of_very_many_that_are_concerned_the_first_are_named() -> None:
    conditions = [{"details": {"k": {"vehicle": {"id": str(n)}}}} for n in range(1_000)]

    bundle = incident(conditions=conditions)

    assert len([m for m in bundle.mentions if m.entity.type == "vehicle"]) == MAX_SCENES


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("configurationId", None),
        ("happenedAtTime", "yesterday"),
        ("updatedAtTime", 5),
        ("isResolved", "no"),
        ("incidentUrl", ["x"]),
        ("conditions", {"a": 1}),
    ],
)
def test_a_wrong_value_of_an_incident_is_rejected_at_its_place(field: str, value: object) -> None:
    record = payload(INCIDENT)
    record["data"][field] = value

    assert rejection("samsara", record).pointer == f"/data/{field}"


def test_an_alert_of_payload_1_names_its_device_as_a_vehicle() -> None:
    bundle = mapped("samsara", LEGACY)

    key = f"alert:DeviceEngineIdle:{TRUCK}@2026-11-18T13:44:02Z"
    assert (bundle.external_id, bundle.title) == (key, "Alert: Idle vehicle")
    assert bundle.as_of == utc(18, 14, 4, 10.5)
    assert entities(bundle) == [
        ("alert", key, "Idle vehicle"),
        ("vehicle", TRUCK, "Truck 881"),
        ("vehicle", VIN, VIN),
        ("driver", ZOE, "Zoë"),
    ]
    assert facts(bundle) == [
        (key, "has_status", "open"),
        (key, "concerns", TRUCK),
        (TRUCK, "same_as", VIN),
        (TRUCK, "driven_by", ZOE),
        (key, "concerns", ZOE),
    ]
    assert "Truck 881 has been idle for 20 minutes." in text(bundle)


def test_an_alert_of_payload_1_that_is_resolved_is_the_same_item_later() -> None:
    over: Json = LEGACY | {
        "eventId": "1f0b6d34-7a1c-4c4e-9f3d-000000000002",
        "eventMs": 1795011000000,
        "event": LEGACY["event"] | {"resolved": True},
    }

    first, last = mapped("samsara", LEGACY), mapped("samsara", over)

    assert last.external_id == first.external_id
    assert last.as_of > first.as_of
    assert ("has_status", "resolved", utc(18, 14, 10)) in since(last, "has_status")


def test_an_alert_of_payload_1_without_device_goes_by_its_driver_or_its_event() -> None:
    driver_only = {k: v for k, v in LEGACY["event"].items() if k != "device"}
    nobody = {k: v for k, v in driver_only.items() if k != "driver"}

    keys = [mapped("samsara", LEGACY | {"event": e}).external_id for e in (driver_only, nobody)]

    assert keys == [
        "alert:DeviceEngineIdle:samsara:45646@2026-11-18T13:44:02Z",
        "alert:DeviceEngineIdle:1f0b6d34-7a1c-4c4e-9f3d-000000000001@2026-11-18T13:44:02Z",
    ]


@pytest.mark.parametrize("value", [None, "1795010650500", 1795010650.5, True, -1, 10**40])
def test_milliseconds_that_are_none_are_rejected(value: Any) -> None:
    assert rejection("samsara", LEGACY | {"eventMs": value}).pointer == "/eventMs"


def test_the_order_of_the_keys_is_no_content() -> None:
    record = payload(INCIDENT)
    record["data"] = dict(reversed(record["data"].items()))

    assert mapped("samsara", dict(reversed(record.items()))) == incident()
