"""Delivery bodies of every source against what they are: key, label, fate and time."""

import hashlib
from typing import Any, Final

import pytest
from tests.unit.sources.payloads import DIGEST, FOLDER, Json, mapped, payload, utc

from apex_memory.domain.errors import RecordRejected
from apex_memory.domain.hooks import Fate, Identity
from apex_memory.pipeline.sources.registry import SOURCES, source_named

INCIDENT: Final = "samsara/02_alert_incident_geofence_entry"
FEED: Final = "samsara/01_vehicle_stats_feed_gps"
WEBHOOK: Final = "turvo/01_webhook_status_update_en_route"
FULL: Final = "turvo/03_shipment_detail_multi_stop_very_long"
PAGE: Final = "turvo/05_shipment_list_page_with_duplicate"
INBOUND: Final = "frontapp/01_app_inbound_received_full"

WEBHOOK_KEY: Final = hashlib.sha256(
    b"1203|SHIPMENT_STATUS_UPDATE|1000324868|2026-11-18T14:05:44.856Z"
).hexdigest()


def identity(source: str, body: Json, *, digest: str = DIGEST) -> Identity:
    return source_named(source).identify(body, digest=digest)


@pytest.mark.parametrize(
    ("name", "key", "label", "at"),
    [
        (
            INCIDENT,
            "017db07f-6e95-470e-8cc0-a371f9deed2b",
            "AlertIncident 017db07f-6e95-470e-8cc0-a371f9deed2b",
            utc(18, 14, 4, 2),
        ),
        (
            "samsara/04_address_updated_sparse_unicode",
            "8d1b1e1c-6f0f-4f1a-8a53-2f0a6f0f9c11",
            "AddressUpdated 8d1b1e1c-6f0f-4f1a-8a53-2f0a6f0f9c11",
            utc(18, 14, 10),
        ),
        (
            "samsara/05_document_submitted_very_long",
            "a1c9d3a0-6c1b-4f57-93f4-0b8a4e6d0d55",
            "DocumentSubmitted a1c9d3a0-6c1b-4f57-93f4-0b8a4e6d0d55",
            utc(18, 14, 30, 12.9),
        ),
        (WEBHOOK, WEBHOOK_KEY, "1000324868", utc(18, 14, 5, 44.856)),
        (FULL, DIGEST, "1000324868", None),
        (INBOUND, "evt_4ckcra8e", "msg_1q15qmtq", utc(18, 14, 4, 10.33)),
        (
            "frontapp/02_app_inbound_received_preview_only",
            "evt_4ckcrb00",
            "msg_1q15qn00",
            utc(18, 14, 5, 0.5),
        ),
        (
            "frontapp/03_rule_out_reply_full_very_long_unicode",
            "evt_4ckcrc11",
            "msg_1q15r000",
            utc(18, 14, 9, 59.001),
        ),
    ],
)
def test_a_payload_names_itself(name: str, key: str, label: str, at: object) -> None:
    found = identity(name.partition("/")[0], payload(name))

    assert found == Identity.model_validate(
        {"dedupe_key": key, "label": label, "fate": Fate.INGEST, "at": at}
    )


@pytest.mark.parametrize("source", ["samsara", "turvo", "frontapp"])
def test_what_is_delivered_twice_has_one_key_and_what_differs_has_two(source: str) -> None:
    """As the deliveries of the payloads expect: a duplicate under a new timestamp and signature."""
    deliveries: list[Json] = payload(f"{source}/deliveries")["deliveries"]
    taken = [d for d in deliveries if d["expect"].startswith(("accept", "duplicate"))]
    keys: dict[str, str] = {}

    for delivery in taken:
        name = delivery["body_file"].removesuffix(".json")
        key = identity(source, payload(f"{source}/{name}"), digest=name).dedupe_key
        assert (key in keys) == (delivery["expect"] == "duplicate")
        keys[key] = name

    assert len(keys) == len({d["body_file"] for d in taken})


@pytest.mark.parametrize("entry", range(4))
def test_an_entry_of_the_feed_goes_by_its_bytes(entry: int) -> None:
    """Two with the same newest point may hold other points before it."""
    body = payload(FEED)["data"][entry]

    found = identity("samsara", body)

    assert (found.dedupe_key, found.label, found.fate) == (DIGEST, body["id"], Fate.INGEST)
    assert found.at == (utc(18, 14, 3, 20), utc(18, 14, 3, 19), None, None)[entry]


@pytest.mark.parametrize("entry", range(3))
def test_an_entry_of_a_list_goes_by_its_bytes(entry: int) -> None:
    """A page holds one shipment twice, with one time and two statuses."""
    body = payload(PAGE)["details"]["shipments"][entry]

    found = identity("turvo", body)

    assert (found.dedupe_key, found.label) == (DIGEST, str(body["id"]))
    assert (found.fate, found.at) == (Fate.INGEST, utc(18, 14, 5, 44))


@pytest.mark.parametrize("name", [FEED, PAGE])
def test_a_whole_page_is_nothing_that_a_rule_maps(name: str) -> None:
    assert identity(name.partition("/")[0], payload(name)).fate is Fate.UNKNOWN


def test_an_event_is_the_same_by_an_application_and_by_a_rule() -> None:
    event = payload(INBOUND)["payload"]

    assert identity("frontapp", event) == identity("frontapp", payload(INBOUND), digest="other")


@pytest.mark.parametrize("time", [{"eventMs": 1795010650500}, {"eventTime": "2026-11-18T14:04:10.5Z"}])
def test_samsaras_test_message_is_a_ping(time: Json) -> None:
    found = identity("samsara", {"eventId": "p1", "eventType": "Ping", "event": {"text": "Ping"}, **time})

    assert (found.fate, found.dedupe_key, found.label) == (Fate.PING, "p1", "Ping p1")
    assert found.at == utc(18, 14, 4, 10.5)


def test_fronts_challenge_is_a_ping() -> None:
    found = identity("frontapp", payload("frontapp/extra_app_sync_challenge"))

    assert (found.fate, found.dedupe_key, found.label) == (Fate.PING, DIGEST, "sync")


@pytest.mark.parametrize(
    ("source", "body"),
    [
        ("samsara", {"eventId": "e1", "eventType": "AddressEntry", "eventTime": "2026-11-18T14:00:00Z"}),
        ("samsara", {"eventId": "e1", "eventType": 5}),
        ("samsara", {"eventId": "e1", "eventType": "alertincident"}),
        ("turvo", {"tenantId": "1", "eventName": "INVOICE_CREATED", "eventPayload": {"id": 1}}),
        ("turvo", {"eventName": ["SHIPMENT_UPDATE"]}),
        ("frontapp", {"type": "message_of_the_future", "id": "evt_1"}),
        ("frontapp", {"type": "inbound_received"}),
        *((source.name, body) for source in SOURCES for body in ({}, {"x": 1}, {"id": "1"}, {"data": None})),
    ],
)
def test_what_no_rule_maps_is_unknown(source: str, body: Json) -> None:
    assert identity(source, body).fate is Fate.UNKNOWN
    with pytest.raises(RecordRejected):
        mapped(source, body)


def test_an_unknown_event_still_has_its_own_key() -> None:
    assert identity("samsara", {"eventId": "e1", "eventType": "TireBurst"}).dedupe_key == "e1"


@pytest.mark.parametrize(
    ("source", "body", "key", "label"),
    [
        (
            "samsara",
            {"vehicle_id": "TRUCK-1", "timestamp": "2025-10-19T09:23:00-05:00"},
            "TRUCK-1@2025-10-19T14:23:00Z",
            "TRUCK-1",
        ),
        ("samsara", {"vehicle_id": "TRUCK-1"}, DIGEST, "TRUCK-1"),
        ("samsara", {"vehicle_id": [], "timestamp": "2025-10-19T14:23:00Z"}, DIGEST, "record"),
        (
            "turvo",
            {"shipmentId": "S1", "updatedAt": "2025-10-19T14:23:00Z"},
            "S1@2025-10-19T14:23:00Z",
            "S1",
        ),
        (
            "turvo",
            {"shipmentId": "S1", "timestamp": "2025-10-19T14:23:00Z"},
            "S1@2025-10-19T14:23:00Z",
            "S1",
        ),
        ("turvo", payload("plain/turvo"), DIGEST, "SHIP-2025-10-19-002"),
        (
            "frontapp",
            {"message_id": "M1", "timestamp": "2025-10-19T14:23:00Z"},
            "M1@2025-10-19T14:23:00Z",
            "M1",
        ),
        ("frontapp", payload("plain/frontapp"), DIGEST, "MSG-2025-10-19-003"),
    ],
)
def test_a_plain_record_goes_by_what_it_is_about_and_when(
    source: str, body: Json, key: str, label: str
) -> None:
    found = identity(source, body)

    assert (found.dedupe_key, found.label, found.fate) == (key, label, Fate.INGEST)


@pytest.mark.parametrize("name", ["tenantId", "eventName", "eventTime"])
def test_a_webhook_that_lacks_part_of_its_key_goes_by_its_bytes(name: str) -> None:
    body = payload(WEBHOOK)
    del body[name]

    assert identity("turvo", body).dedupe_key == DIGEST


@pytest.mark.parametrize(
    "changes",
    [
        {"eventPayload": {}},
        {"eventPayload": {"id": "1|2"}},
        {"tenantId": "12|03"},
        {"eventTime": 5},
        {"eventTime": "a|b"},
    ],
)
def test_a_part_that_could_be_mistaken_for_two_is_not_put_into_the_key(changes: Json) -> None:
    assert identity("turvo", payload(WEBHOOK) | changes).dedupe_key == DIGEST


@pytest.mark.parametrize("changes", [{"tenantId": 1203}, {"eventPayload": {"id": "1000324868"}}])
def test_a_number_and_its_text_make_the_same_key(changes: Json) -> None:
    assert identity("turvo", payload(WEBHOOK) | changes).dedupe_key == WEBHOOK_KEY


@pytest.mark.parametrize(
    "changes",
    [
        {"tenantId": "1204"},
        {"eventName": "SHIPMENT_UPDATE"},
        {"eventPayload": {"id": 1}},
        {"eventTime": "2026-11-18T14:05:44.857Z"},
    ],
)
def test_another_event_has_another_key(changes: Json) -> None:
    key = identity("turvo", payload(WEBHOOK) | changes).dedupe_key

    assert key not in {WEBHOOK_KEY, DIGEST}


@pytest.mark.parametrize(
    "odd", [None, "", " ", [], {}, 1.5, "x" * 257, "a\x00b", "evt_", "evt_é", "evt_1/../2"]
)
def test_an_id_that_is_none_leaves_the_digest(odd: Any) -> None:
    body = payload(INBOUND)
    body["payload"]["id"] = odd

    assert identity("frontapp", body).dedupe_key == DIGEST


@pytest.mark.parametrize("odd", [None, "", " ", [], {}, 1.5, "x" * 257, "a\x00b"])
def test_an_event_id_that_is_none_leaves_the_digest(odd: Any) -> None:
    assert identity("samsara", payload(INCIDENT) | {"eventId": odd}).dedupe_key == DIGEST


def test_the_time_of_an_incident_is_that_of_its_update() -> None:
    body = payload(INCIDENT)
    body["data"]["updatedAtTime"] = "2026-11-18T15:00:00Z"

    assert identity("samsara", body).at == mapped("samsara", body).as_of == utc(18, 15, 0)


@pytest.mark.parametrize(
    "path",
    sorted(p for p in FOLDER.glob("*/*.json") if p.stem != "deliveries" and p.parent.name != "plain"),
    ids=lambda path: path.stem,
)
def test_what_is_to_be_taken_in_is_mapped_and_what_is_not_is_rejected(path: Any) -> None:
    source, body = path.parent.name, payload(f"{path.parent.name}/{path.stem}")

    found = identity(source, body)

    if found.fate is Fate.INGEST:
        assert mapped(source, body).as_of == (found.at or mapped(source, body).as_of)
    else:
        with pytest.raises(RecordRejected):
            mapped(source, body)
