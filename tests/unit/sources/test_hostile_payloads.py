"""Payloads that were spoilt at random places against every source: nothing but a rejection is ever raised."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.sources.payloads import DIGEST, FOLDER, RECEIVED, Json, payload
from tests.unit.sources.test_hostile_records import assert_storable, json_values, texts

from apex_memory.domain.bundles import Bundle
from apex_memory.domain.errors import RecordRejected
from apex_memory.domain.hooks import Fate, Identity
from apex_memory.pipeline.sources.registry import SOURCES, source_named
from apex_memory.ports import Source

Place = Sequence[str | int]

_COMMENT: Final[Json] = {
    "id": "evt_1",
    "type": "comment",
    "emitted_at": 1795010650.5,
    "source": {"_meta": {"type": "teammate"}, "data": {"id": "tea_1", "email": "a@b.co"}},
    "target": {"_meta": {"type": "comment"}, "data": {"id": "com_1", "body": "x", "author": {"id": "tea_1"}}},
    "conversation": {"id": "cnv_1", "subject": "S", "tags": [{"id": "tag_1"}]},
}
_LEGACY: Final[Json] = {
    "eventId": "e1",
    "eventMs": 1795010650500,
    "eventType": "Alert",
    "event": {
        "alertConditionId": "X",
        "device": {"id": 1, "vin": "1FUJBBCK57LX00001"},
        "startMs": 1795010650000,
    },
}

_TEXTS: Final = (
    *("", " ", "\x00", "\ud800", "x" * 1_001, "2026-11-18T14:00:00Z", "0001-01-01T00:00:00+14:00", "evt_1"),
    *("https://acme.api.frontapp.com/messages/msg_9", "<!--", "&#" + "9" * 5_000, "<![x["),
)
_NUMBERS: Final[tuple[object, ...]] = (0, -1, 1e308, float("nan"), 10**4000, True, 253_402_300_800)
_CONTAINERS: Final[tuple[object, ...]] = ([None], {"id": None}, {"deleted": True}, [{"id": [None]}])


def _shortened(value: Any) -> Any:
    """The same shape; long texts would only slow the search down."""
    match value:
        case dict():
            return {key: _shortened(child) for key, child in cast("Json", value).items()}
        case list():
            return [_shortened(child) for child in cast("list[Any]", value)]
        case str():
            return value[:300]
        case _:
            return value


def _examples() -> list[tuple[str, Json]]:
    names = (p for p in sorted(FOLDER.glob("*/*.json")) if p.stem != "deliveries")
    found: list[tuple[str, Json]] = []
    for path in names:
        folder, body = path.parent.name, _shortened(payload(f"{path.parent.name}/{path.stem}"))
        entries: list[Json] = body.get("data") if path.stem.endswith("feed_gps") else [body]
        if path.stem.endswith("with_duplicate"):
            entries = body["details"]["shipments"]
        found += [(path.stem if folder == "plain" else folder, entry) for entry in entries]
    webhook = _shortened(payload("turvo/01_webhook_status_update_en_route"))
    whole = _shortened(payload("turvo/03_shipment_detail_multi_stop_very_long"))
    return [*found, ("turvo", webhook | whole), ("frontapp", _COMMENT), ("samsara", _LEGACY)]


EXAMPLES: Final = _examples()


def _places(value: object, at: Place = ()) -> list[Place]:
    children: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        children = list(cast("dict[str | int, object]", value).items())
    elif isinstance(value, list):
        children = list(enumerate(cast("list[object]", value)))
    return [at, *(place for key, child in children for place in _places(child, (*at, key)))]


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[str, Any]:
    """An example of which a few places hold something else, lie twice, or are gone."""
    source, record = draw(st.sampled_from(EXAMPLES))
    record = copy.deepcopy(record)
    for _ in range(draw(st.integers(1, 4))):
        places = _places(record)[1:]
        if not places:
            break
        # Half of them near the top: most places of a long payload lie deep, and matter little.
        near = [place for place in places if len(place) < 4]
        at: Place = draw(st.sampled_from(near) | st.sampled_from(places))
        place: Any = record
        for key in at[:-1]:
            place = place[key]
        match draw(st.sampled_from(("other", "other", "gone", "twice"))):
            case "gone":
                del place[at[-1]]
            case "twice" if isinstance(at[-1], int):
                place.append(copy.deepcopy(place[at[-1]]))
            case _:
                place[at[-1]] = copy.deepcopy(
                    draw(json_values | st.sampled_from((*_TEXTS, *_NUMBERS, *_CONTAINERS)))
                )
    return source, record


_SETTINGS: Final = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@_SETTINGS
@given(example=spoilt())
def test_a_spoilt_payload_is_mapped_or_rejected(example: tuple[str, Any]) -> None:
    name, record = example

    outcome = mapped_or_rejected(source_named(name), record)

    if isinstance(outcome, Bundle):
        assert_storable(outcome)
        assert mapped_or_rejected(source_named(name), copy.deepcopy(record)) == outcome
    else:
        assert outcome.problem
        assert outcome.pointer == "" or outcome.pointer.startswith("/")


@_SETTINGS
@given(example=spoilt())
def test_a_spoilt_payload_is_identified_whatever_it_is(example: tuple[str, Any]) -> None:
    name, record = example

    found = source_named(name).identify(record, digest=DIGEST)

    assert Identity.model_validate_json(found.model_dump_json()) == found
    assert 0 < len(found.dedupe_key) <= 300
    assert found.dedupe_key.isprintable()
    assert 0 < len(found.label) <= 600
    if found.fate is not Fate.INGEST:
        assert isinstance(mapped_or_rejected(source_named(name), record), RecordRejected)


@_SETTINGS
@given(example=spoilt(), answer=json_values | st.sampled_from([a for _, a in EXAMPLES]) | st.builds(dict))
def test_a_spoilt_payload_is_completed_or_rejected(example: tuple[str, Any], answer: Any) -> None:
    name, record = example
    source = source_named(name)

    try:
        want = source.wanted(record)
        if want is None:
            return
        assert want.path.isascii()
        assert [part for part in want.path.split("/") if part] == want.path[1:].split("/")
        whole = source.completed(record, answer_to(want.path, answer))
    except RecordRejected:
        return

    assert source.wanted(whole) is None
    mapped_or_rejected(source, whole)


def answer_to(path: str, answer: object) -> Json:
    """Any object, but about what was asked for."""
    fields = cast("Json", answer) if isinstance(answer, Mapping) else {"x": answer}
    which = path.rpartition("/")[2]
    if not path.startswith("/shipments"):
        return fields | {"id": which}
    details = fields.get("details")
    return {"details": (cast("Json", details) if isinstance(details, dict) else fields) | {"id": which}}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@settings(max_examples=100, deadline=None)
@given(
    record=st.dictionaries(texts, json_values, max_size=4),
    answer=st.dictionaries(texts, json_values, max_size=4),
)
def test_any_object_is_identified_and_wants_nothing(source: Source, record: Any, answer: Any) -> None:
    assert source.identify(record, digest=DIGEST).dedupe_key
    assert source.wanted(record) is None
    assert source.completed(record, answer) is record


def mapped_or_rejected(source: Source, record: Any) -> Bundle | RecordRejected:
    try:
        return source.map_record(record, received_at=RECEIVED)
    except RecordRejected as rejection:
        return rejection


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@pytest.mark.parametrize("at", ["data", "eventPayload", "details", "payload", "gps", "event", "conversation"])
def test_depth_is_bounded_wherever_it_lies(source: Source, at: str) -> None:
    nested: object = "core"
    for _ in range(5_000):
        nested = {"vehicle": nested, "n": [nested]} if isinstance(nested, str) else {"n": [nested]}
    for _, example in (e for e in EXAMPLES if e[0] == source.name):
        record = example | {at: nested}

        assert source.identify(record, digest=DIGEST).dedupe_key
        source.wanted(record)
        mapped_or_rejected(source, record)


@pytest.mark.parametrize(("source", "record"), EXAMPLES)
def test_what_is_not_spoilt_is_mapped(source: str, record: Json) -> None:
    """Else the tests above would prove little."""
    outcome = mapped_or_rejected(source_named(source), record)

    assert isinstance(outcome, Bundle) == (record.get("type") != "sync")
