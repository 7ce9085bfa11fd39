"""A tenant and what is wanted of it in, a filter out; none is ever without the tenant."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from qdrant_client import models

from apex_memory.domain import ids
from apex_memory.domain.answers import SearchFilter
from apex_memory.domain.bundles import VersionRef

INDEXES: Final[dict[str, models.PayloadSchemaType | models.KeywordIndexParams]] = {
    "tenant_id": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True),
    "item_id": models.PayloadSchemaType.KEYWORD,
    "version": models.PayloadSchemaType.INTEGER,
    "source": models.PayloadSchemaType.KEYWORD,
    "kind": models.PayloadSchemaType.KEYWORD,
    "entity_ids": models.PayloadSchemaType.KEYWORD,
}


def versions(tenant_id: str, refs: Sequence[VersionRef]) -> models.Filter:
    """Exactly these versions."""
    return _within(tenant_id, any_of=[_version(ref) for ref in refs])


def everything(tenant_id: str) -> models.Filter:
    return _within(tenant_id)


def items(tenant_id: str, item_ids: Sequence[UUID]) -> models.Filter:
    """Every version of these items."""
    return _within(tenant_id, all_of=[_is_any("item_id", [str(item) for item in item_ids])])


def strays(tenant_id: str, refs: Sequence[VersionRef], points: Iterable[UUID]) -> models.Filter:
    """Whatever these versions hold beside these points."""
    expected = models.HasIdCondition(has_id=[str(point) for point in points])
    return _within(tenant_id, any_of=[_version(ref) for ref in refs], none_of=[expected])


def search(tenant_id: str, where: SearchFilter) -> models.Filter:
    conditions: list[models.Condition] = []
    if where.sources:
        conditions.append(_is_any("source", where.sources))
    if where.kinds:
        conditions.append(_is_any("kind", where.kinds))
    if where.entity:
        conditions.append(
            _is("entity_ids", str(ids.entity_id(tenant_id, where.entity.type, where.entity.key)))
        )
    return _within(tenant_id, all_of=conditions)


def _within(
    tenant_id: str,
    *,
    all_of: Sequence[models.Condition] = (),
    any_of: Sequence[models.Condition] | None = None,
    none_of: Sequence[models.Condition] | None = None,
) -> models.Filter:
    # An empty `should` is no condition at all: the filter would then mean everything of the tenant.
    if any_of is not None and not any_of:
        raise ValueError("a filter by no version would match every version")
    return models.Filter(
        must=[_is("tenant_id", tenant_id), *all_of],
        should=list(any_of) if any_of else None,
        must_not=list(none_of) if none_of else None,
    )


def _version(ref: VersionRef) -> models.Filter:
    return models.Filter(must=[_is("item_id", str(ref.item_id)), _is("version", ref.version)])


def _is(key: str, value: str | int) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def _is_any(key: str, values: Sequence[str]) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))
