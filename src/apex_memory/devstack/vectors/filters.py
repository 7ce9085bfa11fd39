"""A filter as JSON in, the engine's filter out."""

from typing import Final, cast

import numpy as np
import qdrant_edge as qe

from apex_memory.devstack.vectors.errors import BadRequest, NotSupported
from apex_memory.devstack.vectors.fields import Fields, as_list, as_texts
from apex_memory.devstack.vectors.values import point_ids

_CLAUSES: Final = ("must", "should", "must_not")
_BOUNDS: Final = ("gte", "gt", "lte", "lt")
_INT64: Final = range(-(2**63), 2**63)


def optional_filter(value: object | None, *, at: str) -> qe.Filter | None:
    return None if value is None else filter_of(value, at=at)


def filter_of(value: object, *, at: str) -> qe.Filter:
    """`must`, `should` and `must_not`, each one condition or a list; a condition may be a filter again."""
    with Fields(value, at=at) as fields:
        return qe.Filter(
            must=_conditions(fields, "must"),
            should=_conditions(fields, "should"),
            must_not=_conditions(fields, "must_not"),
        )


def _conditions(fields: Fields, clause: str) -> "list[qe.ConditionType] | None":
    given = fields.one_or_more(clause)
    if given is None:
        return None
    return [_condition(item, at=f"{fields.path(clause)}[{i}]") for i, item in enumerate(given)]


def _condition(value: object, *, at: str) -> "qe.ConditionType":
    fields = Fields(value, at=at)
    names = fields.names()
    if not set(names).isdisjoint(_CLAUSES):
        return filter_of(value, at=at)
    with fields:
        if "key" in names:
            return _field_condition(fields)
        match names:
            case ("has_id",):
                ids = point_ids(fields.need_items("has_id"), at=fields.path("has_id"))
                return qe.HasIdCondition(set(ids))
            case ("is_empty",):
                return qe.IsEmptyCondition(_key(fields, "is_empty"))
            case ("is_null",):
                return qe.IsNullCondition(_key(fields, "is_null"))
            case _:
                raise NotSupported(f"condition {at} with {', '.join(names) or 'no field'}")


def _key(fields: Fields, name: str) -> str:
    with Fields(fields.need(name), at=fields.path(name)) as inner:
        return inner.need_text("key")


def _field_condition(fields: Fields) -> qe.FieldCondition:
    key = fields.need_text("key")
    if not fields.names():
        # The engine would take it for a condition that never holds.
        raise BadRequest(f"{fields.path('key')}: nothing is asked of {key!r}")
    return qe.FieldCondition(
        key,
        match=_match(fields.take("match"), at=fields.path("match")),
        range=_range(fields.take("range"), at=fields.path("range")),
        is_empty=fields.flag("is_empty"),
        is_null=fields.flag("is_null"),
    )


def _match(value: object | None, *, at: str) -> "qe.MatchType | None":
    if value is None:
        return None
    with Fields(value, at=at) as fields:
        match fields.names():
            case ("value",):
                return _match_value(fields.need("value"), at=at)
            case ("any",):
                return qe.MatchAny(_variants(fields.need("any"), at=at))
            case ("except",):
                return qe.MatchExcept(_variants(fields.need("except"), at=at))
            case ("text",):
                return qe.MatchText(fields.need_text("text"))
            case names:
                raise NotSupported(f"{at} by {', '.join(names) or 'nothing'}")


def _match_value(value: object, *, at: str) -> qe.MatchValue:
    if isinstance(value, bool):
        # The binding takes a Python bool for the integer 1 or 0, which silently matches nothing.
        return qe.MatchValue(cast("bool", np.bool_(value)))
    if isinstance(value, str) or (isinstance(value, int) and value in _INT64):
        return qe.MatchValue(value)
    raise BadRequest(f"{at}.value must be a string, a boolean or a 64-bit integer")


def _variants(value: object, *, at: str) -> list[str] | list[int]:
    variants = as_list(value, at=at)
    if set(map(type, variants)) <= {int}:
        return cast("list[int]", variants)
    return as_texts(variants, at=f"{at}: all integers, or it")


def _range(value: object | None, *, at: str) -> "qe.RangeType | None":
    if value is None:
        return None
    with Fields(value, at=at) as fields:
        if any(isinstance(bound, str) for bound in cast("dict[str, object]", value).values()):
            return qe.RangeDateTime(**{bound: fields.text(bound) for bound in _BOUNDS})
        return qe.RangeFloat(**{bound: fields.number(bound) for bound in _BOUNDS})
