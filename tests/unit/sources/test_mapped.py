"""Records of tenants' own sources: by a mapping, field by field; and without one, as text."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.sources.payloads import DIGEST, RECEIVED

from apex_memory.domain.bundles import Bundle, EntityRef
from apex_memory.domain.errors import RecordRejected
from apex_memory.domain.hooks import Fate
from apex_memory.domain.mappings import RecordMapping
from apex_memory.pipeline.extraction.rules import RuleExtractor
from apex_memory.pipeline.sources.mapped import MappedSource

AT = datetime(2026, 11, 1, 10, tzinfo=UTC)
MAPPING: dict[str, Any] = {
    "id": "$.order.number",
    "title": "$.order.name",
    "time": "$.updated_at",
    "text": ["$.notes", "$.lines[*].description"],
    "entities": [
        {"name": "order", "type": "order", "key": "$.order.number", "label": "$.order.name"},
        {"name": "customer", "type": "customer", "key": "@.id", "label": "@.name", "each": "$.customers[*]"},
        {"name": "product", "type": "product", "key": "@.sku", "each": "$.lines[*]"},
    ],
    "claims": [
        {"subject": "order", "predicate": "has_status", "value": "$.status"},
        {"subject": "order", "predicate": "belongs_to", "object": "customer"},
        {"subject": "product", "predicate": "has_quantity", "value": "@.quantity"},
    ],
    "samples": [
        {
            "entity": "order",
            "metric": "temperature_c",
            "value": "@.c",
            "time": "@.at",
            "each": "$.readings[*]",
        }
    ],
}
ORDER: dict[str, Any] = {
    "order": {"number": 1042, "name": "Spring order"},
    "updated_at": "2026-11-01T11:00:00+01:00",
    "status": "shipped",
    "notes": "Call before\u0000 delivery.",
    "customers": [{"id": "C-1", "name": "Acme Corp"}, {"id": "C-2"}],
    "lines": [
        {"sku": "CH-1", "quantity": 2, "description": "A chair, oiled oak."},
        {"sku": "TB-1", "quantity": 1.5, "description": None, "colour": "red"},
    ],
    "readings": [{"c": 3.5, "at": 1793527200}, {"c": 4, "at": 1793527260500}, {"c": None}],
    "weight": None,
}


def mapped(record: Any = ORDER, mapping: Any = MAPPING, **changes: Any) -> Bundle:
    rules = RecordMapping.model_validate({**mapping, **changes})
    return MappedSource("web-shop", rules).map_record(record, received_at=RECEIVED)


def kept(record: Any) -> Bundle:
    """Without a mapping."""
    return MappedSource("web-shop", None).map_record(record, received_at=RECEIVED)


def rejection(record: Any, **changes: Any) -> RecordRejected:
    with pytest.raises(RecordRejected) as caught:
        mapped(record, **changes)
    return caught.value


def test_what_an_item_is() -> None:
    bundle = mapped()

    assert (bundle.source, bundle.kind) == ("web-shop", "record")
    assert (bundle.external_id, bundle.title, bundle.as_of) == ("1042", "Spring order", AT)


def test_entities_are_named_by_their_keys_and_called_by_their_labels() -> None:
    assert [(m.entity.type, m.entity.key, m.name) for m in mapped().mentions] == [
        ("order", "1042", "Spring order"),
        ("customer", "C-1", "Acme Corp"),
        ("customer", "C-2", "C-2"),
        ("product", "CH-1", "CH-1"),
        ("product", "TB-1", "TB-1"),
    ]


def test_claims_hold_since_the_time_of_the_record() -> None:
    claims = mapped().claims

    assert [(c.subject.key, c.predicate, c.value or c.object) for c in claims] == [
        ("1042", "has_status", "shipped"),
        ("1042", "belongs_to", EntityRef(type="customer", key="C-1")),
        ("1042", "belongs_to", EntityRef(type="customer", key="C-2")),
        ("CH-1", "has_quantity", "2"),
        ("TB-1", "has_quantity", "1.5"),
    ]
    assert [c.fact for c in claims][:2] == [
        "Spring order has status shipped",
        "Spring order belongs to Acme Corp",
    ]
    assert {c.valid_from for c in claims} == {AT}
    assert {c.passage for c in claims} == {0}


def test_samples_are_numbers_at_their_own_times() -> None:
    assert [(s.entity.key, s.metric, s.value, s.at) for s in mapped().samples] == [
        ("1042", "temperature_c", 3.5, AT),
        ("1042", "temperature_c", 4.0, datetime(2026, 11, 1, 10, 1, 0, 500_000, tzinfo=UTC)),
    ]


def test_the_text_says_the_facts_then_what_is_written_then_every_other_field() -> None:
    (passage,) = mapped().passages

    lines = passage.text.splitlines()
    assert lines[:3] == [
        "Spring order.",
        "Spring order has status shipped.",
        "Spring order belongs to Acme Corp.",
    ]
    assert lines[6:8] == ["Call before\ufffd delivery.", "A chair, oiled oak."]
    assert "lines.1.colour: red" in lines
    assert "status: shipped" in lines
    assert passage.text.count("oiled oak") == 1
    assert "weight" not in passage.text


def test_entities_of_the_same_rows_are_joined_row_by_row_and_all_others_with_every_row() -> None:
    entities = [
        {"name": "trip", "type": "trip", "key": "$.trip"},
        {"name": "driver", "type": "driver", "key": "@.driver", "each": "$.legs[*]"},
        {"name": "truck", "type": "truck", "key": "@.truck", "each": "$.legs[*]"},
    ]
    claims = [
        {"subject": "driver", "predicate": "drives", "object": "truck"},
        {"subject": "driver", "predicate": "is_on", "object": "trip"},
    ]
    legs = [{"driver": "D1", "truck": "T1"}, {"driver": "D2"}, {"driver": "D3", "truck": "T3"}]

    bundle = mapped({"id": 1, "trip": "X", "legs": legs}, {"entities": entities, "claims": claims})

    assert [(c.subject.key, c.predicate, c.object and c.object.key) for c in bundle.claims] == [
        ("D1", "drives", "T1"),
        ("D3", "drives", "T3"),
        ("D1", "is_on", "X"),
        ("D2", "is_on", "X"),
        ("D3", "is_on", "X"),
    ]


def test_a_claim_may_have_a_time_of_its_own_and_several_values() -> None:
    claims = [
        {"subject": "order", "predicate": "has_tag", "value": "$.tags[*]"},
        {"subject": "order", "predicate": "passed", "value": "@.step", "time": "@.at", "each": "$.steps[*]"},
    ]
    record = {
        **ORDER,
        "tags": ["gift", "urgent", "gift", " ", None],
        "steps": [{"step": "packed", "at": "2026-10-31T08:00:00Z"}, {"step": "sent"}],
    }

    found = mapped(record, claims=claims).claims

    assert [(c.value, c.valid_from) for c in found] == [
        ("gift", AT),
        ("urgent", AT),
        ("packed", datetime(2026, 10, 31, 8, tzinfo=UTC)),
        ("sent", AT),
    ]


def test_what_is_not_there_is_not_said() -> None:
    bundle = mapped({"order": {"number": "7"}, "customers": [], "lines": [{"sku": ""}], "status": None})

    assert [m.entity.key for m in bundle.mentions] == ["7"]
    assert (bundle.claims, bundle.samples) == ((), ())
    assert (bundle.title, bundle.as_of) == ("web-shop 7", RECEIVED)


def test_a_time_that_was_not_sent_stays_out_of_the_claims() -> None:
    [claim] = mapped({"order": {"number": "7"}, "status": "new"}).claims

    assert claim.valid_from is None


def test_the_order_of_keys_is_no_content() -> None:
    turned = dict(reversed(ORDER.items()))

    assert mapped(turned).content_hash() == mapped().content_hash()
    assert kept(turned) == kept(ORDER)


@pytest.mark.parametrize(
    ("record", "pointer", "problem"),
    [
        ({}, "/order/number", "required, and missing"),
        ({"order": {"number": " "}}, "/order/number", "required, and missing"),
        ({"order": {"number": {}}}, "/order/number", "found an object"),
        ({"order": {"number": 1.5}}, "/order/number", "expected a whole number"),
        ({"order": {"number": True}}, "/order/number", "found true"),
        ({"order": {"number": "a\u0000b"}}, "/order/number", "found a string of 3 characters"),
        ({**ORDER, "updated_at": "yesterday"}, "/updated_at", "expected a time as RFC 3339"),
        ({**ORDER, "updated_at": "2026-11-01T10:00:00"}, "/updated_at", "with its offset"),
        ({**ORDER, "updated_at": -1}, "/updated_at", "found an integer"),
        ({**ORDER, "order": {"number": 1, "name": ["x"]}}, "/order/name", "found an array"),
        ({**ORDER, "order": {"number": 1, "name": "x" * 1001}}, "/order/name", "at most 1000 characters"),
        ({**ORDER, "customers": [{"id": 1}, {"id": [2]}]}, "/customers/1/id", "found an array"),
        ({**ORDER, "status": {"code": 1}}, "/status", "expected text, a number, true or false"),
        ({**ORDER, "readings": [{"c": "warm", "at": 1}]}, "/readings/0/c", "expected a number"),
        ({**ORDER, "readings": [{"c": True, "at": 1}]}, "/readings/0/c", "expected a number"),
        ({**ORDER, "readings": [{"c": 1, "at": "noon"}]}, "/readings/0/at", "expected a time"),
        ({**ORDER, "updated_at": None, "readings": [{"c": 1}]}, "/readings/0", "time"),
        ({**ORDER, "lines": [{"sku": n} for n in range(1001)]}, "", "at most 1000 places"),
        ({**ORDER, "notes": "x" * 500_001}, "", "at most 500000 characters"),
        ({**ORDER, "lines": [{"sku": n} for n in range(999)]}, "", "at most 1000 entities"),
    ],
)
def test_what_is_of_another_kind_is_rejected_where_it_is(record: Any, pointer: str, problem: str) -> None:
    rejected = rejection(record)

    assert rejected.pointer == pointer
    assert problem in rejected.problem


def test_a_product_of_two_lists_is_bounded() -> None:
    claims = [{"subject": "customer", "predicate": "ordered", "object": "product"}]
    record = {
        **ORDER,
        "customers": [{"id": n} for n in range(100)],
        "lines": [{"sku": n} for n in range(100)],
    }

    assert rejection(record, claims=claims).problem == "expected at most 1000 claims"


def test_no_word_of_the_record_is_in_a_rejection() -> None:
    entities = [{"name": "p", "type": "person", "key": "@.id", "each": "$.people.*"}]
    by_mail: dict[str, Any] = {"order": {"number": 1}, "people": {"secret@acme.com": {"id": []}}}

    rejected = rejection(by_mail, entities=entities, claims=[], samples=[])

    assert "secret" not in str(rejected)
    assert rejected.pointer == "/people"
    assert "secret" not in str(rejection({**ORDER, "updated_at": "a secret"}))


@pytest.mark.parametrize("filling", [" ", "x"])
def test_a_path_that_finds_the_same_megabyte_again_and_again_costs_no_more_than_another(filling: str) -> None:
    path = "$" + ("[" + ",".join(["'a'"] * 15) + "]") * 3

    rejected = rejection({"id": 1, "a": {"a": {"a": filling * 1_000_000}}}, id="$.id", text=[path, path])

    assert "more places than one record is worth" in rejected.problem


def test_two_tenants_read_the_same_record_in_two_ways() -> None:
    other = mapped(ORDER, {"id": "$.order.name"})

    assert (mapped().external_id, other.external_id) == ("1042", "Spring order")
    assert (len(mapped().mentions), len(other.mentions)) == (5, 1)


def test_without_a_mapping_every_field_is_kept_as_a_line_of_text() -> None:
    bundle = kept({"id": 7, "subject": "Late again", "order": {"ref": "SHIP-2025-10-19-002"}, "gone": None})

    assert (bundle.external_id, bundle.title, bundle.as_of) == ("7", "web-shop 7", RECEIVED)
    assert bundle.passages[0].text.splitlines() == [
        "web-shop 7.",
        "id: 7",
        "order.ref: SHIP-2025-10-19-002",
        "subject: Late again",
    ]
    assert [(m.entity, m.name) for m in bundle.mentions] == [
        (EntityRef(type="web-shop", key="7"), "web-shop 7")
    ]
    assert bundle.claims == ()


def test_without_a_mapping_identifiers_in_the_text_link_to_what_is_known() -> None:
    bundle = RuleExtractor().enrich(kept({"id": 7, "note": "Truck is late for SHIP-2025-10-19-002."}))

    assert EntityRef(type="shipment", key="SHIP-2025-10-19-002") in [m.entity for m in bundle.mentions]
    assert [claim.fact for claim in bundle.claims] == ["web-shop 7 mentions SHIP-2025-10-19-002"]
    assert Bundle.model_validate_json(bundle.model_dump_json()) == bundle


@pytest.mark.parametrize(
    ("entities", "itself"),
    [
        ([{"name": "o", "type": "order", "key": "$.no"}], ("order", "5")),
        ([{"name": "o", "type": "order", "key": "$.number"}], ("web-shop", "7")),
        ([{"name": "l", "type": "product", "key": "@", "each": "$.skus[*]"}], ("web-shop", "7")),
    ],
)
def test_what_the_text_names_is_said_of_the_item_itself(entities: Any, itself: tuple[str, str]) -> None:
    record = {"id": 7, "no": 5, "skus": ["A", "B"], "note": "See SHIP-2025-10-19-002."}

    bundle = RuleExtractor().enrich(mapped(record, {"entities": entities}))

    [claim] = bundle.claims
    assert (claim.subject.type, claim.subject.key) == itself
    assert Bundle.model_validate_json(bundle.model_dump_json()) == bundle


def test_what_has_no_id_goes_by_what_it_says() -> None:
    one, same, other = kept({"a": 1, "b": [2]}), kept({"b": [2], "a": 1}), kept({"a": 1, "b": [3]})

    assert one.external_id == same.external_id
    assert one.external_id.startswith("sha256:")
    assert one.external_id != other.external_id
    assert one.title == "web-shop record"


def test_an_id_of_the_mapping_goes_before_the_obvious_one() -> None:
    assert mapped({"id": "x", "no": 2}, {"id": "$.no"}).external_id == "2"
    assert mapped({"id": "x", "no": 2}, {"title": "$.no"}).external_id == "x"


def test_a_delivery_is_called_by_its_external_id_and_is_the_same_only_byte_by_byte() -> None:
    source = MappedSource("web-shop", RecordMapping.model_validate(MAPPING))

    found = source.identify(ORDER, digest=DIGEST)

    assert (found.label, found.at, found.fate) == ("1042", AT, Fate.INGEST)
    assert found.dedupe_key == DIGEST
    assert source.identify(ORDER, digest="0" * 64).dedupe_key == "0" * 64


def test_a_delivery_that_cannot_be_mapped_is_taken_in_for_a_later_mapping() -> None:
    found = MappedSource("web-shop", RecordMapping(id="$.no")).identify({"id": 7}, digest=DIGEST)

    assert (found.label, found.fate, found.at) == ("record", Fate.INGEST, None)


def test_nothing_of_a_tenants_own_source_is_thin() -> None:
    source = MappedSource("web-shop", None)

    assert source.wanted(ORDER) is None
    assert source.completed(ORDER, {"x": 1}) is ORDER
