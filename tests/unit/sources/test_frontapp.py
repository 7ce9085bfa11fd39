"""Front messages, good and bad, against what becomes of them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from apex_memory.domain.bundles import Bundle, EntityRef
from apex_memory.domain.errors import RecordRejected
from apex_memory.pipeline.sources.frontapp import Frontapp

PLAIN: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data/payloads/plain/frontapp.json").read_text()
)
RECEIVED: Final = datetime(2025, 10, 19, 15, 0, tzinfo=UTC)
MESSAGE: Final = EntityRef(type="message", key="MSG-2025-10-19-003")
DISPATCH: Final = EntityRef(type="person", key="dispatch@acme-trucking.com")


def mapped(changes: dict[str, object] | None = None, *, received_at: datetime = RECEIVED) -> Bundle:
    return Frontapp().map_record({**PLAIN, **(changes or {})}, received_at=received_at)


def test_a_message_is_an_item_named_by_its_id() -> None:
    bundle = mapped()

    assert (bundle.source, bundle.external_id, bundle.kind) == ("frontapp", MESSAGE.key, "record")
    assert (bundle.title, bundle.as_of) == ("Delivery Confirmation", RECEIVED)
    assert bundle.passages[0].text == (
        "Message MSG-2025-10-19-003 from dispatch@acme-trucking.com: Delivery Confirmation\n\n"
        "Shipment SHIP-2025-10-19-002 delivered successfully."
    )


def test_it_mentions_itself_and_claims_who_sent_it() -> None:
    bundle = mapped()

    (claim,) = bundle.claims
    assert [m.entity for m in bundle.mentions] == [MESSAGE, DISPATCH]
    assert (claim.subject, claim.predicate, claim.object) == (MESSAGE, "sent_by", DISPATCH)


def test_the_same_message_sent_again_has_the_same_hash() -> None:
    later = mapped(received_at=datetime(2026, 1, 1, tzinfo=UTC))

    assert later.content_hash() == mapped().content_hash()


def test_an_address_is_one_person_however_it_is_spelled() -> None:
    bundle = mapped({"sender": "Acme Dispatch <Dispatch@Acme-Trucking.com>"})

    assert (bundle.mentions[1].entity, bundle.mentions[1].name) == (DISPATCH, "Acme Dispatch")


@pytest.mark.parametrize("sender", ["+1 312 555 0100", "Jane Doe", "a@b@c", "<>"])
def test_a_sender_without_address_stays_in_the_text_only(sender: str) -> None:
    bundle = mapped({"sender": sender})

    assert [m.entity for m in bundle.mentions] == [MESSAGE]
    assert sender in bundle.passages[0].text


def test_a_message_of_which_only_the_id_is_known_is_kept() -> None:
    bundle = Frontapp().map_record({"message_id": "M1", "subject": "", "body": None}, received_at=RECEIVED)

    assert (bundle.title, bundle.passages[0].text, bundle.claims) == ("Message M1", "Message M1", ())


def test_a_time_that_was_sent_is_the_messages_time() -> None:
    bundle = mapped({"timestamp": "2025-10-19T14:23:00Z"})

    assert bundle.as_of == datetime(2025, 10, 19, 14, 23, tzinfo=UTC)
    assert bundle.claims[0].valid_from == bundle.as_of


def test_a_long_body_is_kept_whole_in_one_passage() -> None:
    body = "line of text\n" * 10_000

    (passage,) = mapped({"body": body}).passages

    assert body.strip() in passage.text


def test_characters_that_no_store_keeps_are_replaced() -> None:
    text = mapped({"body": "a\x00b\ud800c", "extra": "d\x00"}).passages[0].text

    assert "a\ufffdb\ufffdc" in text
    assert "extra: d\ufffd" in text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("message_id", ""),
        ("message_id", 7),
        ("subject", ["x"]),
        ("subject", "x" * 1001),
        ("body", {"html": "x"}),
        ("body", "x" * 500_001),
        ("sender", {"handle": "x"}),
        ("timestamp", 1795010700.5),
    ],
)
def test_a_wrong_value_is_rejected_at_its_field(field: str, value: object) -> None:
    with pytest.raises(RecordRejected) as caught:
        mapped({field: value})

    assert (caught.value.source, caught.value.pointer) == ("frontapp", f"/{field}")
