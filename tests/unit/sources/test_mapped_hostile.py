"""Any JSON object by any valid mapping: a bundle that can be stored, or a rejection that says where."""

import copy
import math
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.sources.payloads import DIGEST, RECEIVED
from tests.unit.sources.test_hostile_records import assert_storable, json_values

from apex_memory.domain.bundles import Bundle
from apex_memory.domain.errors import RecordRejected
from apex_memory.domain.hooks import Fate
from apex_memory.domain.mappings import RecordMapping
from apex_memory.pipeline.extraction.rules import RuleExtractor
from apex_memory.pipeline.sources.mapped import MappedSource

NAMES: Final = ("a", "b", "id", "at")
SMALL: Final = st.sampled_from((1, "x", "2026-11-01T10:00:00Z", 1793527200, None, "", 1.5, True))
ANYTHING: Final = st.recursive(
    SMALL | json_values,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
NUMBERS: Final = st.integers(0, 9)
TIMES: Final = st.sampled_from(("2026-11-01T10:00:00Z", 1793527200))
ROW: Final = {"id": NUMBERS, "at": TIMES, "b": NUMBERS | st.floats()}
WELL_MEANT: Final = st.fixed_dictionaries(
    {
        **ROW,
        "a": st.lists(st.fixed_dictionaries(ROW), min_size=1, max_size=4),
    }
)


def _spoilt(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    return whole | part


#: Of few names, so that paths meet something; well meant, spoilt in one place, or anything.
RECORDS: Final[st.SearchStrategy[Any]] = (
    WELL_MEANT
    | st.builds(
        _spoilt,
        WELL_MEANT,
        st.dictionaries(st.sampled_from(NAMES), ANYTHING, min_size=1, max_size=1),
    )
    | st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=4)
)
STEPS: Final = st.sampled_from((".a", ".b", ".id", ".at", "[0]", "[-1]"))
WIDE: Final = STEPS | st.sampled_from(
    ("[*]", "..a", "..*", "[1:]", "['a','b']", "[?@.a]", "[?@.id==1]", "[::-1]")
)


def _paths(steps: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(steps, max_size=3).map("".join)


def _likely(path: str, others: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Four of five times what a well-meant record has."""
    return st.integers(0, 4).flatmap(lambda n: st.just(path) if n else others)


KEY: Final = _likely(".id", _paths(STEPS))
TIME: Final = _likely(".at", _paths(STEPS))
VALUE: Final = _likely(".b", _paths(STEPS))
ANY: Final = _likely(".b", _paths(WIDE))
EACH: Final = st.none() | _likely("$.a[*]", _paths(WIDE).map("$".__add__))


@st.composite
def mappings(draw: st.DrawFn) -> RecordMapping:
    """Valid by the way in which it is made."""

    def path(kind: st.SearchStrategy[str], each: object) -> str:
        return draw(st.sampled_from("$@@" if each else "$")) + draw(kind)

    def maybe(kind: st.SearchStrategy[str], each: object = None) -> str | None:
        return None if draw(st.booleans()) else path(kind, each)

    rows = {name: draw(EACH) for name in "ef"}
    entities = [
        {"name": name, "type": "thing", "each": each, "key": path(KEY, each), "label": maybe(VALUE, each)}
        for name, each in rows.items()
    ]
    time = maybe(TIME)
    claims: list[dict[str, object]] = []
    samples: list[dict[str, object]] = []
    for _ in range(draw(st.integers(0, 3))):
        name, own = draw(st.sampled_from("ef")), draw(st.none() | EACH)
        each = own or rows[name]
        said = {"object": draw(st.sampled_from("ef"))} if draw(st.booleans()) else {"value": path(ANY, each)}
        claims.append({"subject": name, "predicate": "says", "each": own, "time": maybe(TIME, each), **said})
    for _ in range(draw(st.integers(0, 2))):
        name, own = draw(st.sampled_from("ef")), draw(st.none() | EACH)
        each = own or rows[name]
        at = path(TIME, each)
        samples.append({"entity": name, "metric": "m", "each": own, "value": path(VALUE, each), "time": at})
    return RecordMapping.model_validate(
        {
            "id": None if draw(st.booleans()) else "$" + draw(KEY),
            "title": maybe(VALUE),
            "time": time,
            "text": [path(ANY, None) for _ in range(draw(st.integers(0, 2)))],
            "entities": entities,
            "claims": claims,
            "samples": samples,
        }
    )


def mapped_or_rejected(mapping: RecordMapping | None, record: Any) -> Bundle | RecordRejected:
    try:
        return MappedSource("web-shop", mapping).map_record(record, received_at=RECEIVED)
    except RecordRejected as rejection:
        return rejection


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mapping=mappings(), record=RECORDS)
def test_any_record_is_mapped_or_rejected_by_any_mapping(mapping: RecordMapping, record: Any) -> None:
    before = copy.deepcopy(record)

    outcome = mapped_or_rejected(mapping, record)

    assert repr(record) == repr(before)
    if isinstance(outcome, Bundle):
        assert_storable(RuleExtractor().enrich(outcome))
        assert all(math.isfinite(sample.value) for sample in outcome.samples)
        assert mapped_or_rejected(mapping, copy.deepcopy(record)) == outcome
        found = MappedSource("web-shop", mapping).identify(record, digest=DIGEST)
        assert found.label == outcome.external_id
    else:
        assert outcome.problem
        assert outcome.pointer == "" or outcome.pointer.startswith("/")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mapping=mappings(), record=RECORDS | st.dictionaries(st.text(max_size=4), json_values, max_size=3))
def test_any_delivery_is_identified(mapping: RecordMapping, record: Any) -> None:
    found = MappedSource("web-shop", mapping).identify(record, digest=DIGEST)

    assert (found.dedupe_key, found.fate) == (DIGEST, Fate.INGEST)
    assert 0 < len(found.label) <= 256


def nested(depth: int) -> Any:
    value: Any = "core"
    for n in range(depth):
        value = {"a": value} if n % 2 else [value, 1]
    return value


#: Every kind of path in every place that reads.
GREEDY: Final = RecordMapping.model_validate(
    {
        "id": "$.id",
        "title": "$.title",
        "time": "$.at",
        "text": ["$..*", "$..a..a", "$.a[*,*,*]"],
        "entities": [
            {"name": "e", "type": "thing", "each": "$..[?@.key]", "key": "@.key", "label": "@.label"},
            {"name": "f", "type": "thing", "each": "$.a[*]", "key": "@.key"},
        ],
        "claims": [
            {"subject": "e", "predicate": "knows", "object": "f"},
            {"subject": "f", "predicate": "says", "value": "@..*"},
        ],
        "samples": [{"entity": "e", "metric": "m", "value": "@.v", "time": "@.at"}],
    }
)
LARGE: Final[dict[str, Any]] = {
    "450 deep": nested(450),
    "1000 deep": nested(1_000),
    "a megabyte of digits": [0] * 500_000,
    "a megabyte of brackets": [[] for _ in range(350_000)],
    "a megabyte of rows": [{"key": n, "v": n} for n in range(40_000)],
    "a megabyte of text": "x" * 1_000_000,
    "a megabyte of blanks": " " * 1_000_000,
    "a megabyte of members": {f"k{n}": n for n in range(60_000)},
    "a huge number": 10**4_000,
    "no number": float("nan"),
    "endless": float("-inf"),
    "nul": "\x00" * 100,
    "a lone surrogate": "\ud800",
}


@pytest.mark.parametrize("what", LARGE)
@pytest.mark.parametrize("place", ["a", "id", "title", "at", "a.key", "a.label", "a.v", "a.at"])
@pytest.mark.parametrize("mapping", [None, GREEDY], ids=["text", "greedy"])
def test_hostile_values_are_mapped_or_rejected_wherever_they_lie(
    what: str, place: str, mapping: RecordMapping | None
) -> None:
    value = LARGE[what]
    record: dict[str, Any] = {"id": 1, "a": []}
    group, _, field = place.partition(".")
    record[group] = [{"key": 1, "v": 2, field: value}, {"key": 2}] if field else value

    outcome = mapped_or_rejected(mapping, record)

    if isinstance(outcome, Bundle):
        assert_storable(outcome)
        assert len(outcome.claims) + len(outcome.mentions) <= 2_000
        assert len(outcome.passages[0].text) <= 600_000


@pytest.mark.parametrize("depth", [450, 900])
def test_what_lies_deep_is_found_and_left_out_of_the_rest(depth: int) -> None:
    value: Any = "the core of it"
    for _ in range(depth):
        value = {"a": value, "b": 1}

    bundle = mapped_or_rejected(RecordMapping(text=("$..a",)), {"id": 7, "r": value})

    assert isinstance(bundle, Bundle)
    assert "the core of it" in bundle.passages[0].text.splitlines()


def test_without_an_id_a_value_that_no_digest_can_be_made_of_is_rejected() -> None:
    assert isinstance(mapped_or_rejected(None, {"a": 10**5_000}), RecordRejected)
    assert isinstance(mapped_or_rejected(None, {"a": nested(100_000)}), RecordRejected)
