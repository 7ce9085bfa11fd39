"""Front's messages, whole, from applications and from rules, against what becomes of them."""

from typing import Any, Final

import pytest
from tests.unit.sources.payloads import (
    RECEIVED,
    Json,
    entities,
    facts,
    mapped,
    payload,
    rejection,
    since,
    text,
    utc,
)

from apex_memory.domain.bundles import Bundle
from apex_memory.domain.errors import RecordRejected
from apex_memory.pipeline.sources._fields import MAX_TEXT
from apex_memory.pipeline.sources._passages import CUT
from apex_memory.pipeline.sources.frontapp.conversation import MAX_TAGS
from apex_memory.pipeline.sources.frontapp.people import MAX_RECIPIENTS
from apex_memory.pipeline.sources.frontapp.written import MAX_HTML

INBOUND: Final = "frontapp/01_app_inbound_received_full"
PREVIEW: Final = "frontapp/02_app_inbound_received_preview_only"
REPLY: Final = "frontapp/03_rule_out_reply_full_very_long_unicode"
CONVERSATION: Final = "cnv_yo1kg5q"
SUBJECT: Final = "Where is load M290969?"
MUELLER: Final = "ops@mueller.example"
EMITTED: Final = utc(18, 14, 4, 10.33)
WRITTEN: Final = utc(18, 14, 4, 10.12)


def inbound(**message: object) -> Bundle:
    record = payload(INBOUND)
    record["payload"]["target"]["data"] |= message
    return mapped("frontapp", record)


def test_a_message_is_an_item_named_by_its_id() -> None:
    bundle = inbound()

    assert (bundle.external_id, bundle.kind, bundle.title) == ("msg_1q15qmtq", "record", SUBJECT)
    assert bundle.as_of == EMITTED
    assert bundle.samples == ()


def test_a_message_says_who_wrote_to_whom_and_in_which_conversation() -> None:
    bundle = inbound()

    assert entities(bundle) == [
        ("message", "msg_1q15qmtq", "msg_1q15qmtq"),
        ("person", MUELLER, "Jürgen Müller"),
        ("person", "dispatch@acme.example", "dispatch@acme.example"),
        ("person", "日本@例え.jp", "倉庫"),
        ("conversation", CONVERSATION, SUBJECT),
    ]
    assert facts(bundle) == [
        ("msg_1q15qmtq", "sent_by", MUELLER),
        ("msg_1q15qmtq", "sent_to", "dispatch@acme.example"),
        ("msg_1q15qmtq", "sent_to", "日本@例え.jp"),
        ("msg_1q15qmtq", "in_conversation", CONVERSATION),
        (CONVERSATION, "has_status", "unassigned"),
    ]
    assert {c.valid_from for c in bundle.claims if c.subject.key == "msg_1q15qmtq"} == {WRITTEN}
    assert since(bundle, "has_status") == [("has_status", "unassigned", EMITTED)]


def test_a_messages_text_is_its_heading_what_was_written_and_what_else_was_sent() -> None:
    assert text(inbound()).splitlines() == [
        (
            "Message msg_1q15qmtq from Jürgen Müller <ops@mueller.example> to dispatch@acme.example, "
            "倉庫 <日本@例え.jp> on 18 November 2026 at 14:04:10 UTC: Where is load M290969?"
        ),
        "",
        "Hi, where is M290969? Dock closes 15:00.",
        "",
        "Attached: BOL №12 \u2013 ünïcode.pdf, logo.png",
        "message.type: email",
        "source.data.0.address: dispatch@acme.example",
        "source.data.0.id: inb_41w25",
        "source.data.0.name: Dispatch",
    ]


def test_a_reply_of_a_rule_is_read_like_an_applications_event() -> None:
    bundle = mapped("frontapp", payload(REPLY))

    reply, emitted = "msg_1q15r000", utc(18, 14, 9, 59.001)
    assert (bundle.external_id, bundle.title, bundle.as_of) == (reply, f"Re: {SUBJECT}", emitted)
    assert entities(bundle) == [
        ("message", reply, reply),
        ("person", "sam@acme.example", "Sam Ó"),
        ("person", "dispatch@acme.example", "dispatch@acme.example"),
        ("person", MUELLER, "Jürgen Müller"),
        ("person", "audit@acme.example", "audit@acme.example"),
        ("conversation", CONVERSATION, SUBJECT),
        ("tag", "tag_1", "ETA"),
    ]
    assert facts(bundle) == [
        (reply, "sent_by", "dispatch@acme.example"),
        (reply, "written_by", "sam@acme.example"),
        (reply, "sent_to", MUELLER),
        (reply, "sent_to", "audit@acme.example"),
        (reply, "in_conversation", CONVERSATION),
        (CONVERSATION, "has_status", "assigned"),
        (CONVERSATION, "assigned_to", "sam@acme.example"),
        (CONVERSATION, "has_tag", "tag_1"),
    ]
    assert since(bundle, "assigned_to", "has_tag") == [
        ("assigned_to", "sam@acme.example", emitted),
        ("has_tag", "tag_1", emitted),
    ]
    assert bundle.samples == ()


def test_a_message_without_text_is_read_from_its_html_however_deep_it_quotes() -> None:
    lines = text(mapped("frontapp", payload(REPLY))).splitlines()

    quoted = [line for line in lines if line.startswith("— Zeile ")]
    assert len(quoted) == 450
    assert quoted[449] == (
        "— Zeile 449: Straße, عربى, 日本語, emoji 🧊🚛👩🏽‍🔧, zero\u200bwidth & nested tags"
    )
    assert not [line for line in lines if "<" in line and "@" not in line]
    assert "conversation.custom_fields.Load number: M290969" in lines
    assert "conversation.custom_fields.Stops.1: Reno" in lines
    assert "conversation.links.0.external_url: https://app.turvo.com/#/s/1000324868" in lines


@pytest.mark.parametrize("empty", [None, "", "  "])
def test_the_text_of_a_message_goes_before_its_html(empty: object) -> None:
    assert "\n\nplain\n" in text(inbound(text="plain", body="<p>rich</p>"))
    assert "\n\nrich\n" in text(inbound(text=empty, body="<p>rich</p>"))


def test_a_message_that_says_nothing_is_kept() -> None:
    bundle = inbound(text=None, body="", attachments=[], recipients=[], subject=None)

    assert bundle.title == SUBJECT
    assert text(bundle).splitlines()[0] == "Message msg_1q15qmtq on 18 November 2026 at 14:04:10 UTC"


def test_text_beyond_the_bound_is_cut_and_said_to_be() -> None:
    bundle = inbound(text=None, body="<i>" + "x" * (MAX_TEXT + 1) + "</i>")

    assert f"{'x' * MAX_TEXT}\n{CUT}" in text(bundle)
    assert "x" * (MAX_TEXT + 1) not in text(bundle)


def test_html_beyond_the_bound_is_rejected() -> None:
    with pytest.raises(RecordRejected, match="at /payload/target/data/body"):
        inbound(text=None, body="x" * (MAX_HTML + 1))


def recipient(handle: object, role: str = "to", name: object = None) -> Json:
    return {"handle": handle, "role": role, "name": name}


def test_a_recipient_is_named_once_however_often_and_however_spelled() -> None:
    bundle = inbound(
        recipients=[
            recipient("OPS@Mueller.example"),
            recipient("ops@mueller.example", "cc", "Jürgen Müller"),
            recipient("ops@mueller.example", "bcc", ""),
        ]
    )

    assert [f for f in facts(bundle) if f[1] == "sent_to"] == [("msg_1q15qmtq", "sent_to", MUELLER)]
    assert ("person", MUELLER, "Jürgen Müller") in entities(bundle)


def test_who_writes_to_himself_is_both() -> None:
    both = [recipient("a@b.co", "from"), recipient("A@b.co", "to")]

    assert [f[1:] for f in facts(inbound(recipients=both))][:2] == [
        ("sent_by", "a@b.co"),
        ("sent_to", "a@b.co"),
    ]


def test_a_reply_address_is_mentioned_and_neither_sender_nor_reader() -> None:
    bundle = inbound(recipients=[recipient("r@b.co", "reply-to")])

    assert ("person", "r@b.co", "r@b.co") in entities(bundle)
    assert not [c for c in bundle.claims if c.predicate in {"sent_by", "sent_to"}]


def test_a_telephone_number_is_a_handle_as_well() -> None:
    assert ("person", "+13125550100", "Jane") in entities(
        inbound(recipients=[recipient("+13125550100", name="Jane")])
    )


@pytest.mark.parametrize("odd", [None, "", 5, ["x"], "x" * 1_001])
def test_a_recipient_without_a_handle_is_nobody(odd: object) -> None:
    bundle = inbound(recipients=[recipient(odd), None, recipient("a@b.co")])

    assert [f[2] for f in facts(bundle) if f[1] == "sent_to"] == ["a@b.co"]


def test_of_a_hundred_thousand_recipients_the_first_are_read() -> None:
    bundle = inbound(recipients=[recipient(f"r{n}@b.co") for n in range(100_000)])

    assert len([c for c in bundle.claims if c.predicate == "sent_to"]) == MAX_RECIPIENTS
    assert len(text(bundle)) < 10_000


def test_very_many_tags_are_cut() -> None:
    record = payload(REPLY)
    record["conversation"]["tags"] = [{"id": f"tag_{n}"} for n in range(10_000)]

    assert len([f for f in facts(mapped("frontapp", record)) if f[1] == "has_tag"]) == MAX_TAGS


def test_the_same_event_by_both_webhooks_is_the_same_bundle() -> None:
    bare = mapped("frontapp", payload(INBOUND)["payload"])

    assert bare == inbound()


@pytest.mark.parametrize("type_", ["inbound", "outbound", "out_reply"])
def test_every_event_that_carries_a_message_maps_to_the_message(type_: str) -> None:
    record = payload(INBOUND)
    record["payload"]["type"] = type_

    assert mapped("frontapp", record) == inbound()


@pytest.mark.parametrize("inner", [None, "", "message_of_the_future"])
def test_an_event_that_does_not_say_what_it_is_goes_by_its_envelope(inner: object) -> None:
    record = payload(INBOUND)
    record["payload"]["type"] = inner

    assert mapped("frontapp", record) == inbound()


def test_a_time_in_seconds_with_a_fraction_is_exact() -> None:
    record = payload(INBOUND)
    record["payload"]["emitted_at"] = 1795010650

    assert mapped("frontapp", record).as_of == utc(18, 14, 4, 10)


def test_an_event_without_a_time_counts_from_when_it_was_received() -> None:
    record = payload(INBOUND)
    del record["payload"]["emitted_at"]

    assert mapped("frontapp", record).as_of == RECEIVED


def test_links_into_the_api_are_no_content() -> None:
    for name in (INBOUND, PREVIEW, REPLY):
        assert "api.frontapp.com" not in text(mapped("frontapp", payload(name)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id", None),
        ("id", 7),
        ("emitted_at", "2026-11-18T14:04:10Z"),
        ("emitted_at", True),
        ("emitted_at", -1),
        ("emitted_at", float("nan")),
        ("emitted_at", 10**40),
        ("target/data/id", ""),
        ("target/data/subject", 5),
        ("target/data/text", ["x"]),
        ("target/data/recipients", "a@b.co"),
        ("target/data/recipients", [5]),
        ("target/data/attachments", 5),
        ("conversation", "cnv"),
        ("conversation/id", None),
        ("conversation/subject", {}),
    ],
)
def test_a_wrong_value_is_rejected_at_its_place(path: str, value: Any) -> None:
    record = payload(INBOUND)
    *parents, field = path.split("/")
    place = record["payload"]
    for key in parents:
        place = place[key]
    place[field] = value

    expected = f"/payload/{path}" + ("/0" if value == [5] else "")
    assert rejection("frontapp", record).pointer == expected
    bare = rejection("frontapp", record["payload"])
    assert bare.pointer == expected.removeprefix("/payload")
