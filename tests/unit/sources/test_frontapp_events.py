"""Front's previews, comments and other events against what becomes of them."""

from typing import Final

import pytest
from tests.unit.sources.payloads import Json, entities, facts, mapped, payload, rejection, since, text, utc

from apex_memory.domain.bundles import Bundle
from apex_memory.domain.ids import item_id

INBOUND: Final = "frontapp/01_app_inbound_received_full"
PREVIEW: Final = "frontapp/02_app_inbound_received_preview_only"
SYNC: Final = "frontapp/extra_app_sync_challenge"
CONVERSATION: Final = "cnv_yo1kg5q"
SUBJECT: Final = "Where is load M290969?"
SAM: Final[Json] = {
    "_meta": {"type": "teammate"},
    "data": {"id": "tea_188ud", "email": "Sam@Acme.example", "first_name": "Sam"},
}
EMITTED: Final = utc(18, 14, 4, 10.33)
WRITTEN: Final = utc(18, 14, 4, 10.12)


def inbound(**message: object) -> Bundle:
    record = payload(INBOUND)
    record["payload"]["target"]["data"] |= message
    return mapped("frontapp", record)


def happening(kind: str, target: object = None, **event: object) -> Bundle:
    """An event of the conversation, done by Sam, as a rule sends it."""
    record = payload(INBOUND)["payload"] | {"id": "evt_1", "type": kind, "source": SAM}
    return mapped("frontapp", record | {"target": {"data": target}} | event)


def recipient(handle: object, role: str = "to", name: object = None) -> Json:
    return {"handle": handle, "role": role, "name": name}


def test_a_preview_alone_is_an_item_of_its_own() -> None:
    bundle = mapped("frontapp", payload(PREVIEW))

    emitted = utc(18, 14, 5, 0.5)
    assert (bundle.external_id, bundle.title) == ("evt_4ckcrb00", f"Inbound: {CONVERSATION}")
    assert bundle.as_of == emitted
    assert entities(bundle) == [
        ("conversation", CONVERSATION, CONVERSATION),
        ("message", "msg_1q15qn00", "msg_1q15qn00"),
    ]
    assert facts(bundle) == [("msg_1q15qn00", "in_conversation", CONVERSATION)]
    assert [c.valid_from for c in bundle.claims] == [emitted]
    assert bundle.samples == ()
    assert text(bundle).splitlines() == [
        f"Conversation {CONVERSATION}: received msg_1q15qn00 on 18 November 2026 at 14:05:00 UTC.",
        "source.data.0.id: inb_41w25",
        "target.id: msg_1q15qn00",
    ]


def test_a_preview_takes_no_messages_place() -> None:
    record = payload(INBOUND)
    del record["payload"]["target"]["data"]["recipients"]
    preview = mapped("frontapp", record)

    ids = {item_id("t", "frontapp", external_id) for external_id in (preview.external_id, "msg_1q15qmtq")}

    assert len(ids) == 2
    assert ("message", "msg_1q15qmtq", "msg_1q15qmtq") in entities(preview)


def test_a_comment_is_an_item_with_its_author() -> None:
    comment = {"id": "com_7", "body": "Called the driver.", "posted_at": 1795010650.12, "author": SAM["data"]}

    bundle = happening("comment", comment)

    assert (bundle.external_id, bundle.title, bundle.as_of) == ("com_7", f"Comment on {SUBJECT}", EMITTED)
    assert entities(bundle) == [
        ("comment", "com_7", "com_7"),
        ("person", "sam@acme.example", "Sam"),
        ("conversation", CONVERSATION, SUBJECT),
    ]
    assert facts(bundle) == [
        ("com_7", "written_by", "sam@acme.example"),
        ("com_7", "in_conversation", CONVERSATION),
        (CONVERSATION, "has_status", "unassigned"),
    ]
    assert since(bundle, "written_by") == [("written_by", "sam@acme.example", WRITTEN)]
    assert text(bundle).startswith(
        "Comment com_7 (written by Sam <sam@acme.example>) on 18 November 2026 at 14:04:10 UTC: "
        "Where is load M290969?\n\nCalled the driver."
    )


def test_a_mention_in_a_comment_is_about_the_same_comment() -> None:
    comment = {"id": "com_7", "body": "@Sam", "author": None}

    assert happening("mention", comment).external_id == happening("comment", comment).external_id == "com_7"


def test_a_comment_of_which_only_the_id_is_known_is_an_event() -> None:
    bundle = happening("comment", {"id": "com_7"})

    assert bundle.external_id == "evt_1"
    assert ("com_7", "in_conversation", CONVERSATION) in facts(bundle)


TAG: Final = {"id": "tag_1", "name": "ETA"}
LINK: Final = {"id": "top_1", "name": "M290969"}


@pytest.mark.parametrize(
    ("kind", "target", "told", "words"),
    [
        ("tag", TAG, ("has_tag", "tag_1"), "tagged ETA"),
        ("untag", TAG, ("lost_tag", "tag_1"), "untagged ETA"),
        ("assign", SAM["data"], ("assigned_to", "sam@acme.example"), "assigned to Sam"),
        ("move", [{"id": "inb_1", "name": "Billing"}], ("in_inbox", "inb_1"), "moved to Billing"),
        ("link_added", LINK, ("has_link", "top_1"), "linked to M290969"),
        ("link_removed", LINK, ("lost_link", "top_1"), "unlinked from M290969"),
    ],
)
def test_an_event_that_links_its_conversation_says_so(
    kind: str, target: object, told: tuple[str, str], words: str
) -> None:
    bundle = happening(kind, target)

    assert (bundle.external_id, bundle.as_of) == ("evt_1", EMITTED)
    assert (CONVERSATION, *told) in facts(bundle)
    assert since(bundle, told[0]) == [(*told, EMITTED)]
    assert text(bundle).splitlines()[0] == (
        f"Conversation {SUBJECT}: {words} by Sam <sam@acme.example> on 18 November 2026 at 14:04:10 UTC."
    )


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("assign", "assigned"),
        ("unassign", "unassigned"),
        ("archive", "archived"),
        ("trash", "deleted"),
        ("reopen", "unassigned"),
        ("restore", "unassigned"),
        ("reminder", "unassigned"),
    ],
)
def test_an_event_says_what_it_made_of_its_conversation_or_how_that_stood(kind: str, status: str) -> None:
    bundle = happening(kind)

    assert entities(bundle) == [
        ("conversation", CONVERSATION, SUBJECT),
        ("person", "sam@acme.example", "Sam"),
    ]
    assert facts(bundle) == [(CONVERSATION, "has_status", status)]
    assert since(bundle, "has_status") == [("has_status", status, EMITTED)]


@pytest.mark.parametrize(
    ("kind", "status"), [("sending_error", "not_sent"), ("message_bounce_error", "bounced")]
)
def test_a_message_that_did_not_arrive_is_said_to(kind: str, status: str) -> None:
    bundle = happening(kind, payload(INBOUND)["payload"]["target"]["data"])

    assert bundle.external_id == "evt_1"
    assert ("msg_1q15qmtq", "has_status", status) in facts(bundle)


@pytest.mark.parametrize(
    "kind",
    [
        *("forward", "conversations_merged", "custom_field_updated", "macro_triggered", "topic_identified"),
        *("ticket_status_update", "call_started", "call_transcribed"),
    ],
)
def test_every_other_known_event_is_kept_with_its_conversation(kind: str) -> None:
    bundle = happening(kind)

    assert (bundle.external_id, bundle.title) == (
        "evt_1",
        f"{kind.replace('_', ' ').capitalize()}: {SUBJECT}",
    )
    assert ("conversation", CONVERSATION, SUBJECT) in entities(bundle)


@pytest.mark.parametrize(
    ("envelope", "kind"),
    [
        ("conversation_archived", "archive"),
        ("assignee_changed", "assign"),
        ("tag_added", "tag"),
        ("tag_removed", "untag"),
        ("message_delivery_failed", "sending_error"),
        ("conversation_snoozed", "reminder"),
    ],
)
def test_an_applications_names_mean_the_same_events(envelope: str, kind: str) -> None:
    event = payload(INBOUND)["payload"] | {"id": "evt_1", "type": kind}
    unnamed = {key: value for key, value in event.items() if key != "type"}

    assert mapped("frontapp", {"type": envelope, "payload": unnamed}) == mapped("frontapp", event)


@pytest.mark.parametrize("type_", ["rule", "inboxes", "recipient", None])
def test_what_no_teammate_did_is_done_by_nobody(type_: object) -> None:
    source = {"_meta": {"type": type_}, "data": {"id": "rul_1", "name": "Auto-archive"}}

    bundle = happening("archive", source=source)

    assert [m.entity.type for m in bundle.mentions] == ["conversation"]
    assert "source.data.name: Auto-archive" in text(bundle)


@pytest.mark.parametrize("source", [None, {}, {"_meta": {"type": "teammate"}}, []])
def test_an_event_whose_source_is_absent_is_done_by_nobody(source: object) -> None:
    assert entities(happening("archive", source=source)) == [("conversation", CONVERSATION, SUBJECT)]


def test_an_event_without_a_conversation_is_kept() -> None:
    bundle = happening("call_started", conversation=None)

    assert entities(bundle)[0] == ("event", "frontapp:evt_1", "call started")


@pytest.mark.parametrize("type_", ["teleported", "call_", "call_X", 5, ["inbound"]])
def test_an_event_of_a_type_that_no_rule_maps_is_rejected(type_: object) -> None:
    rejected = rejection("frontapp", {"type": type_, "id": "evt_1"})

    assert (rejected.pointer, rejected.problem) == ("/type", "of a type that no rule maps")


def test_a_challenge_is_nothing_to_remember() -> None:
    assert rejection("frontapp", payload(SYNC)).problem == "a test message: there is nothing to remember"
