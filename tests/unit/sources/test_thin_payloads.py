"""Thin payloads against what is asked for them, and what they are when it has come."""

from typing import Any, Final

import pytest
from tests.unit.sources.payloads import Json, facts, mapped, payload, text

from apex_memory.domain.errors import RecordRejected
from apex_memory.domain.hooks import Wanted
from apex_memory.pipeline.sources.registry import SOURCES, source_named

WEBHOOK: Final = "turvo/01_webhook_status_update_en_route"
FULL: Final = "turvo/03_shipment_detail_multi_stop_very_long"
PAGE: Final = "turvo/05_shipment_list_page_with_duplicate"
INBOUND: Final = "frontapp/01_app_inbound_received_full"
PREVIEW: Final = "frontapp/02_app_inbound_received_preview_only"
REPLY: Final = "frontapp/03_rule_out_reply_full_very_long_unicode"

ASKED: Final = "msg_1q15qn00"


def wanted(source: str, record: Json) -> str | None:
    want = source_named(source).wanted(record)
    return want.path if want else None


def preview(**data: object) -> Json:
    record = payload(PREVIEW)
    record["payload"]["target"]["data"] |= data
    return record


def message(**changes: object) -> Json:
    """What the API answers."""
    links = {"_links": {"self": f"https://acme.api.frontapp.com/messages/{ASKED}"}}
    return payload(INBOUND)["payload"]["target"]["data"] | {"id": ASKED} | links | changes


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("samsara/02_alert_incident_geofence_entry", None),
        ("samsara/04_address_updated_sparse_unicode", None),
        ("samsara/05_document_submitted_very_long", None),
        (WEBHOOK, "/shipments/1000324868"),
        (FULL, None),
        (PAGE, None),
        (INBOUND, None),
        (PREVIEW, f"/messages/{ASKED}"),
        (REPLY, None),
        ("frontapp/extra_app_sync_challenge", None),
        ("plain/samsara", None),
        ("plain/turvo", None),
        ("plain/frontapp", None),
    ],
)
def test_a_payload_wants_what_it_leaves_out(name: str, path: str | None) -> None:
    folder, stem = name.split("/")

    assert wanted(stem if folder == "plain" else folder, payload(name)) == path


@pytest.mark.parametrize("entry", range(3))
def test_an_entry_of_a_list_wants_its_shipment(entry: int) -> None:
    body = payload(PAGE)["details"]["shipments"][entry]

    assert wanted("turvo", body) == f"/shipments/{body['id']}"


@pytest.mark.parametrize("event", ["SHIPMENT_UPDATE", "SHIPMENT_STATUS_UPDATE", "SHIPMENT_CREATED"])
def test_any_event_of_a_shipment_wants_it(event: str) -> None:
    assert wanted("turvo", payload(WEBHOOK) | {"eventName": event}) == "/shipments/1000324868"


def test_an_event_of_something_else_wants_nothing() -> None:
    assert wanted("turvo", payload(WEBHOOK) | {"eventName": "INVOICE_CREATED"}) is None


@pytest.mark.parametrize(
    "odd",
    [None, "", "M290969", "../users/1", "1/2", "1?x=1", "1#", "١٢", "1" * 19, -1, 1.5, True, [], {"id": 1}],
)
def test_a_number_that_is_none_is_not_asked_for(odd: Any) -> None:
    assert wanted("turvo", payload(WEBHOOK) | {"eventPayload": {"id": odd}}) is None


@pytest.mark.parametrize("missing", ["body", "recipients"])
def test_a_message_without_text_or_people_is_a_preview(missing: str) -> None:
    whole = message()
    lacking = {key: value for key, value in whole.items() if key not in {missing, "text"}}

    assert wanted("frontapp", preview(**whole)) is None
    assert wanted("frontapp", preview(**lacking)) == f"/messages/{ASKED}"


@pytest.mark.parametrize("whole", [{"body": "", "recipients": []}, {"text": "x", "recipients": []}])
def test_a_message_that_says_nothing_is_whole(whole: Json) -> None:
    assert wanted("frontapp", preview(**whole)) is None


def test_the_preview_of_a_rule_is_fetched_as_well() -> None:
    assert wanted("frontapp", payload(PREVIEW)["payload"]) == f"/messages/{ASKED}"


def test_a_comment_without_its_text_is_fetched() -> None:
    record = preview(id="com_7", _links={"self": "https://acme.api.frontapp.com/comments/com_7"})
    record["payload"]["type"] = "comment"

    assert wanted("frontapp", record) == "/comments/com_7"


@pytest.mark.parametrize("kind", ["archive", "tag", "forward", "sending_error"])
def test_other_events_want_no_message(kind: str) -> None:
    record = payload(PREVIEW)
    record["payload"]["type"] = kind

    assert wanted("frontapp", record) is None


@pytest.mark.parametrize(
    "link",
    [
        f"https://evil.example/messages/{ASKED}",
        f"https://api2.frontapp.com@evil.example/messages/{ASKED}",
        f"https://evil.example:8443/messages/{ASKED}",
    ],
)
def test_whose_host_a_link_names_is_nothing_to_us(link: str) -> None:
    record = preview(_links={"self": link})
    del record["payload"]["target"]["data"]["id"]

    assert wanted("frontapp", record) == f"/messages/{ASKED}"


@pytest.mark.parametrize(
    "link",
    [
        None,
        5,
        "",
        f"/messages/{ASKED}",
        f"http://acme.api.frontapp.com/messages/{ASKED}",
        f"https://acme.api.frontapp.com/messages/{ASKED}/seen",
        f"https://acme.api.frontapp.com/messages/{ASKED}?x=1",
        f"https://acme.api.frontapp.com/messages/{ASKED}#x",
        f"https://acme.api.frontapp.com/x/../messages/{ASKED}",
        f"https://acme.api.frontapp.com/comments/{ASKED}",
        "https://acme.api.frontapp.com/messages/cnv_1",
        "https://acme.api.frontapp.com/messages/msg_../x",
        "https://acme.api.frontapp.com/messages/msg_é",
        f"https://acme.api.frontapp.com/messages/{ASKED}\n",
        "https://acme.api.frontapp.com/messages/msg_" + "1" * 65,
    ],
)
def test_a_link_that_is_none_is_not_followed(link: object) -> None:
    record = preview(_links={"self": link})

    assert wanted("frontapp", record) == f"/messages/{ASKED}"
    del record["payload"]["target"]["data"]["id"]
    assert wanted("frontapp", record) is None


@pytest.mark.parametrize("odd", [None, "", 7, "cnv_1", "msg_", "msg_1/../x", "msg_1\n", ["msg_1"]])
def test_an_id_that_is_none_is_not_asked_for(odd: object) -> None:
    assert wanted("frontapp", preview(id=odd, _links=None)) is None


@pytest.mark.parametrize(
    ("prefix", "record"), [("/payload", preview(id="msg_other")), ("", preview(id="msg_other")["payload"])]
)
def test_a_preview_that_names_two_messages_is_rejected(prefix: str, record: Json) -> None:
    with pytest.raises(RecordRejected) as caught:
        source_named("frontapp").wanted(record)

    assert caught.value.pointer == f"{prefix}/target/data/_links/self"


@pytest.mark.parametrize("record", [payload(PREVIEW), payload(PREVIEW)["payload"]], ids=["app", "rule"])
def test_a_completed_preview_maps_like_a_message_that_came_whole(record: Json) -> None:
    source = source_named("frontapp")

    whole = source.completed(record, message())

    assert source.wanted(whole) is None
    bundle = mapped("frontapp", whole)
    assert bundle.external_id == ASKED
    assert (ASKED, "sent_by", "ops@mueller.example") in facts(bundle)
    assert "Hi, where is M290969?" in text(bundle)


def test_completing_leaves_the_record_as_it_was() -> None:
    record = payload(PREVIEW)

    source_named("frontapp").completed(record, message())
    source_named("turvo").completed(webhook := payload(WEBHOOK), payload(FULL))

    assert record == payload(PREVIEW)
    assert webhook == payload(WEBHOOK)


@pytest.mark.parametrize("lacking", [{"body": None, "text": None}, {"recipients": None}])
def test_what_the_answer_lacks_is_not_wanted_again(lacking: Json) -> None:
    source = source_named("frontapp")

    whole = source.completed(preview(body=None), message(**lacking))

    assert source.wanted(whole) is None
    assert mapped("frontapp", whole).external_id == ASKED


@pytest.mark.parametrize("answer", [{}, {"id": "msg_other"}, {"id": None}, {"id": [ASKED]}])
def test_an_answer_about_another_message_is_rejected(answer: Json) -> None:
    with pytest.raises(RecordRejected, match="at /id: expected what was asked for"):
        source_named("frontapp").completed(payload(PREVIEW), answer)


def test_a_completed_webhook_maps_to_the_shipment() -> None:
    source = source_named("turvo")

    whole = source.completed(payload(WEBHOOK), payload(FULL))

    assert source.wanted(whole) is None
    assert mapped("turvo", whole).external_id == "1000324868"
    assert (
        source.identify(whole, digest="x").dedupe_key
        == source.identify(payload(WEBHOOK), digest="y").dedupe_key
    )


def test_a_completed_entry_of_a_list_is_the_shipment_itself() -> None:
    source = source_named("turvo")

    whole = source.completed(payload(PAGE)["details"]["shipments"][0], payload(FULL))

    assert source.wanted(whole) is None
    assert mapped("turvo", whole) == mapped("turvo", payload(FULL))


@pytest.mark.parametrize(
    "answer",
    [{}, {"details": None}, {"details": []}, {"details": {"id": 1}}, {"Status": "ERROR", "details": {}}],
)
def test_an_answer_about_another_shipment_is_rejected(answer: Json) -> None:
    with pytest.raises(RecordRejected, match="at /details/id"):
        source_named("turvo").completed(payload(WEBHOOK), answer)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_record_of_which_nothing_is_wanted_comes_back_as_it_is(source: Any) -> None:
    record = payload(f"plain/{source.name}")

    assert source.completed(record, {"id": "x"}) is record


def test_a_path_is_all_that_is_wanted() -> None:
    assert source_named("turvo").wanted(payload(WEBHOOK)) == Wanted(path="/shipments/1000324868")
