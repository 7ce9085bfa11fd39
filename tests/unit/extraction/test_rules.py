"""Bundles against the mentions and claims that their text adds."""

from datetime import UTC, datetime
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from apex_memory.domain.bundles import Bundle, EntityRef, Mention
from apex_memory.domain.documents import ParsedDocument, Passage
from apex_memory.domain.ids import entity_id
from apex_memory.pipeline.extraction.documents import document_bundle
from apex_memory.pipeline.extraction.rules import MAX_IDENTIFIERS, RuleExtractor
from apex_memory.pipeline.sources.registry import source_named

AT: Final = datetime(2025, 10, 19, 15, 0, tzinfo=UTC)
DOCUMENT: Final = EntityRef(type="document", key="bol.txt")


def document(*texts: str, title: str = "Bill of lading") -> Bundle:
    parsed = ParsedDocument(title=title, text="".join(texts), media_type="text/plain")
    passages = [Passage(ordinal=n, text=text, start=0, end=len(text)) for n, text in enumerate(texts)]
    return document_bundle(parsed, passages, source="local_upload", external_id="bol.txt", as_of=AT)


def added(bundle: Bundle) -> list[tuple[str, int | None]]:
    enriched = RuleExtractor().enrich(bundle)
    new = enriched.claims[len(bundle.claims) :]
    return [(claim.object.key, claim.passage) for claim in new if claim.object]


def test_a_document_mentions_itself_under_its_title() -> None:
    bundle = document("text")

    assert (bundle.kind, bundle.external_id, bundle.title) == ("document", "bol.txt", "Bill of lading")
    assert bundle.mentions == (Mention(entity=DOCUMENT, name="Bill of lading"),)


def test_a_document_without_title_is_called_by_its_external_id() -> None:
    assert document("text", title="").title == "bol.txt"


def test_each_identifier_becomes_a_mention_and_a_claim_of_the_item() -> None:
    enriched = RuleExtractor().enrich(document("For SHIP-2025-10-19-002."))

    (claim,) = enriched.claims
    shipment = EntityRef(type="shipment", key="SHIP-2025-10-19-002")
    assert enriched.mentions[1:] == (Mention(entity=shipment, name="SHIP-2025-10-19-002"),)
    assert (claim.subject, claim.predicate, claim.object) == (DOCUMENT, "mentions", shipment)
    assert (claim.valid_from, claim.passage) == (None, 0)
    assert claim.fact == "Bill of lading mentions SHIP-2025-10-19-002"


def test_an_identifier_named_often_is_claimed_once_where_it_is_named_first() -> None:
    assert added(document("PO-1", "po-2 PO-1", "PO 4411 PO-2")) == [("PO-1", 0), ("PO-2", 1), ("PO-4411", 2)]


def test_the_title_is_read_after_the_text() -> None:
    assert added(document("PO-1", title="PO-1 BOL-2.pdf")) == [("PO-1", 0), ("BOL-2", None)]


def test_a_bundle_that_mentions_nothing_speaks_for_itself() -> None:
    bare = Bundle(source="api", external_id="X", kind="record", title="SHIP-1", as_of=AT)

    (claim,) = RuleExtractor().enrich(bare).claims

    assert claim.subject == EntityRef(type="record", key="X")


def test_what_a_source_mentioned_is_not_added_again() -> None:
    record = {"message_id": "msg-1", "body": "MSG-1 by A@B.co for ship-2", "sender": "a@b.co"}
    bundle = source_named("frontapp").map_record(record, received_at=AT)

    assert added(bundle) == [("SHIP-2", 0)]


def test_a_message_and_a_shipment_meet_in_one_entity() -> None:
    record = {"message_id": "MSG-1", "body": "where is ship-2025-10-19-002?"}
    message = RuleExtractor().enrich(source_named("frontapp").map_record(record, received_at=AT))
    shipment = source_named("turvo").map_record({"shipmentId": "SHIP-2025-10-19-002"}, received_at=AT)

    (claim,) = message.claims
    assert claim.object
    assert entity_id("t", claim.object.type, claim.object.key) == entity_id(
        "t", shipment.mentions[0].entity.type, shipment.mentions[0].entity.key
    )


def test_a_telematics_position_names_nothing_but_its_vehicle() -> None:
    record = {
        "vehicle_id": "TRUCK-6520",
        "latitude": 41.8781,
        "longitude": -87.6298,
        "timestamp": "2025-10-19T14:23:00Z",
    }

    assert added(source_named("samsara").map_record(record, received_at=AT)) == []


def test_the_rest_of_the_bundle_stays_as_it_is() -> None:
    bundle = document("PO-1")

    enriched = RuleExtractor().enrich(bundle)

    assert enriched.model_copy(update={"mentions": bundle.mentions, "claims": bundle.claims}) == bundle


def test_too_many_identifiers_are_cut_and_the_cut_is_logged() -> None:
    bundle = document(*(f"PO-{n}" for n in range(MAX_IDENTIFIERS + 10)))

    with capture_logs() as logs:
        kept = added(bundle)

    assert [key for key, _ in kept] == [f"PO-{n}" for n in range(MAX_IDENTIFIERS)]
    assert [line["event"] for line in logs] == ["extraction.identifiers_cut"]


def test_as_many_identifiers_as_allowed_are_no_cut() -> None:
    with capture_logs() as logs:
        kept = added(document(" ".join(f"PO-{n}" for n in range(MAX_IDENTIFIERS))))

    assert (len(kept), logs) == (MAX_IDENTIFIERS, [])


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["PO-1", "SHIP-2", "a@b.co", "UNIT 4411", "and", "\u2013"]), max_size=12))
def test_enriching_twice_is_enriching_once(words: list[str]) -> None:
    once = RuleExtractor().enrich(document(" ".join(words)))

    assert RuleExtractor().enrich(once) == once
    assert once.content_hash() == RuleExtractor().enrich(document(" ".join(words))).content_hash()
