"""A mapping is checked as a whole when it is declared: every problem is told, each at its place."""

from typing import Any

import pytest
from pydantic import ValidationError
from tests.contracts.mappings_contract import ORDERS

from apex_memory.domain.mappings import MAX_CLAIMS, MAX_ENTITIES, MAX_SAMPLES, RecordMapping, may_be_own

ORDER = {"name": "order", "type": "order", "key": "$.number"}
LINE = {"name": "line", "type": "product", "key": "@.sku", "each": "$.lines[*]"}
STATUS = {"subject": "order", "predicate": "has_status", "value": "$.status"}


def places(mapping: Any) -> list[str]:
    """Where it is at fault."""
    with pytest.raises(ValidationError) as caught:
        RecordMapping.model_validate(mapping)
    return [".".join(map(str, error["loc"])) for error in caught.value.errors()]


def test_a_mapping_outlives_its_way_through_json() -> None:
    assert RecordMapping.model_validate_json(ORDERS.model_dump_json(exclude_defaults=True)) == ORDERS


def test_the_empty_mapping_is_one() -> None:
    assert RecordMapping.model_validate({}) == RecordMapping()


@pytest.mark.parametrize(
    ("mapping", "at"),
    [
        ({"id": "number"}, ["id"]),
        ({"id": "$.lines[*].id"}, ["id"]),
        ({"id": "@.number"}, ["id"]),
        ({"title": "$..name", "time": "$.at["}, ["title", "time"]),
        ({"text": ["$.notes", "@.notes", "$.x[?match(@,'a')]"]}, ["text.2"]),
        ({"text": ["$.notes", "@.notes"]}, ["text.1"]),
        ({"text": "$.notes"}, ["text"]),
        ({"identifier": "$.id"}, ["identifier"]),
        ({"entities": [{**ORDER, "type": "Order!"}]}, ["entities.0.type"]),
        ({"entities": [{"name": "order", "type": "order"}]}, ["entities.0.key"]),
        ({"entities": [{**ORDER, "key": "$.numbers[*]"}]}, ["entities.0.key"]),
        ({"entities": [{**ORDER, "label": "@.name"}]}, ["entities.0.label"]),
        ({"entities": [{**LINE, "each": "@.lines[*]"}]}, ["entities.0.each"]),
        ({"entities": [ORDER, LINE, ORDER]}, ["entities.2.name"]),
        ({"claims": [STATUS]}, ["claims.0.subject"]),
        ({"entities": [ORDER], "claims": [{**STATUS, "value": None}]}, ["claims.0"]),
        ({"entities": [ORDER], "claims": [{**STATUS, "object": "order"}]}, ["claims.0"]),
        ({"entities": [ORDER], "claims": [{**STATUS, "value": "@.status"}]}, ["claims.0.value"]),
        ({"entities": [ORDER], "claims": [{**STATUS, "time": "$.times[*]"}]}, ["claims.0.time"]),
        (
            {"entities": [ORDER], "claims": [{"subject": "order", "predicate": "p", "object": "shop"}]},
            ["claims.0.object"],
        ),
        (
            {"entities": [ORDER], "samples": [{"entity": "order", "metric": "weight", "value": "$.kg"}]},
            ["samples.0.time"],
        ),
        (
            {
                "time": "@.at",
                "entities": [{**ORDER, "key": "@.no"}],
                "claims": [{"subject": "nobody", "predicate": "p"}],
            },
            ["time", "entities.0.key", "claims.0", "claims.0.subject"],
        ),
        ({"entities": [{**ORDER, "name": f"e{n}"} for n in range(MAX_ENTITIES + 1)]}, ["entities"]),
        ({"entities": [ORDER], "claims": [STATUS] * (MAX_CLAIMS + 1)}, ["claims"]),
        (
            {
                "time": "$.at",
                "entities": [ORDER],
                "samples": [{"entity": "order", "metric": "kg", "value": "$.kg"}] * (MAX_SAMPLES + 1),
            },
            ["samples"],
        ),
        ([ORDER], [""]),
    ],
)
def test_what_is_wrong_is_told_where_it_is(mapping: Any, at: list[str]) -> None:
    assert places(mapping) == at


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        ({"id": "$.a[*]"}, "path to one place"),
        ({"id": "$.a[?match(@, 'x')]"}, "'match' is not defined"),
        ({"entities": [{**ORDER, "key": "@.no"}]}, "needs the rows of an `each`"),
        ({"claims": [{"subject": "order", "predicate": "p"}]}, "either an object or a value"),
        ({"claims": [STATUS]}, "no entity of this mapping has this name"),
    ],
)
def test_a_problem_says_what_to_do(mapping: Any, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        RecordMapping.model_validate(mapping)


def test_a_claim_reads_the_rows_of_its_subject_unless_it_names_its_own() -> None:
    mapping = RecordMapping.model_validate(
        {
            "entities": [ORDER, LINE],
            "claims": [
                {"subject": "line", "predicate": "costs", "value": "@.price"},
                {"subject": "line", "predicate": "is_in", "value": "@.shelf", "each": "$.shelves[*]"},
                STATUS,
            ],
        }
    )

    assert [mapping.rows_of(claim) for claim in mapping.claims] == ["$.lines[*]", "$.shelves[*]", None]


@pytest.mark.parametrize("name", ["crm", "web-shop", "web_shop2", "ab", "x" * 32])
def test_names_of_their_own(name: str) -> None:
    assert may_be_own(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "CRM",
        "2go",
        "-crm",
        "web shop",
        "crm\n",
        "crm/x",
        "ünter",
        "x" * 33,
        "local_upload",
        "s3",
        "api",
    ],
)
def test_names_that_are_nobodys_or_ours(name: str) -> None:
    assert not may_be_own(name)
