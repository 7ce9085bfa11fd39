"""A name in, the payload of that name out; a bundle in, its parts in a form that is easy to read out."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from apex_memory.domain.bundles import Bundle, Claim
from apex_memory.domain.errors import RecordRejected
from apex_memory.pipeline.sources.registry import source_named

FOLDER: Final = Path(__file__).parents[2] / "data/payloads"
RECEIVED: Final = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
DIGEST: Final = "d" * 64

Json = dict[str, Any]


def payload(name: str) -> Json:
    """Such as `payload("turvo/01_webhook_status_update_en_route")`: read anew, to be changed at will."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def mapped(source: str, record: Mapping[str, object], *, received_at: datetime = RECEIVED) -> Bundle:
    return source_named(source).map_record(record, received_at=received_at)


def rejection(source: str, record: Mapping[str, object]) -> RecordRejected:
    """Why the record cannot be mapped."""
    with pytest.raises(RecordRejected) as caught:
        mapped(source, record)
    return caught.value


def event(type_: str, data: object, **more: object) -> Bundle:
    """Of Samsara's webhook with these data."""
    envelope = {"eventId": "e1", "eventTime": "2026-11-18T14:00:00Z", "eventType": type_, "data": data}
    return mapped("samsara", {**envelope, **more})


def code(key: object, value: str | None = None) -> Json:
    """A status as Turvo writes it."""
    return {"code": {"key": key, "value": value}}


def history(*rows: tuple[str, str]) -> list[Json]:
    """Turvo's statuses with their times."""
    return [{"code": {"key": key}, "lastUpdatedOn": at} for key, at in rows]


def utc(day: int, hour: int, minute: int, second: float = 0) -> datetime:
    """A moment of November 2026."""
    whole = int(second)
    return datetime(2026, 11, day, hour, minute, whole, round((second - whole) * 1_000_000), tzinfo=UTC)


def entities(bundle: Bundle) -> list[tuple[str, str, str]]:
    """Type, key and name of each mention."""
    return [(m.entity.type, m.entity.key, m.name) for m in bundle.mentions]


def said(claim: Claim) -> tuple[str, str, str]:
    """Such as ("M290969", "has_status", "en_route"): an object goes by its key."""
    return claim.subject.key, claim.predicate, claim.object.key if claim.object else claim.value or ""


def facts(bundle: Bundle) -> list[tuple[str, str, str]]:
    return [said(claim) for claim in bundle.claims]


def since(bundle: Bundle, *predicates: str) -> list[tuple[str, str, datetime | None]]:
    """Predicate, what it says and since when, of the claims of these predicates."""
    return [
        (c.predicate, c.object.key if c.object else c.value or "", c.valid_from)
        for c in bundle.claims
        if c.predicate in predicates
    ]


def text(bundle: Bundle) -> str:
    (passage,) = bundle.passages
    assert (passage.start, passage.end) == (0, len(passage.text))
    return passage.text
