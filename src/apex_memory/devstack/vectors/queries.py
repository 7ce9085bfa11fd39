"""The body of a read as JSON in, the engine's request out."""

from typing import Final, cast

import qdrant_edge as qe

from apex_memory.devstack.vectors.errors import BadRequest, NotSupported
from apex_memory.devstack.vectors.fields import Fields, as_list, as_texts
from apex_memory.devstack.vectors.filters import optional_filter
from apex_memory.devstack.vectors.values import (
    UNNAMED,
    PointId,
    Schema,
    Vector,
    point_id,
    point_ids,
    vector,
)

DEFAULT_LIMIT: Final = 10
_RRF_K: Final = 2  # Qdrant's own default for `{"fusion": "rrf"}`
_BODY: Final = "body"

# The engine's stubs count neither fusion as a query, although both are.
Fusion = qe.Fusion.Rrf | qe.Fusion.Dbsf
Scoring = qe.Query | Fusion
Payload = bool | list[str] | qe.PayloadSelector
Vectors = bool | list[str]


def query_request(value: object, schema: Schema, *, at: str = _BODY) -> qe.QueryRequest:
    """Nearest to a dense or sparse vector, or prefetches fused by rank or by score."""
    with Fields(value, at=at) as fields:
        return qe.QueryRequest(
            query=cast("qe.ScoringQueryType", _scoring(fields, schema)),
            prefetches=_prefetches(fields, schema),
            filter=optional_filter(fields.take("filter"), at=fields.path("filter")),
            params=_params(fields),
            score_threshold=fields.number("score_threshold"),
            limit=fields.integer("limit", least=1, default=DEFAULT_LIMIT),
            offset=fields.integer("offset", least=0, default=0),
            with_payload=with_payload(fields, default=False),
            with_vector=with_vector(fields),
        )


def batch_request(value: object, schema: Schema) -> qe.QueryBatchRequest:
    with Fields(value, at=_BODY) as fields:
        searches = fields.need_items("searches")
        path = fields.path("searches")
    return qe.QueryBatchRequest(
        [query_request(item, schema, at=f"{path}[{i}]") for i, item in enumerate(searches)]
    )


def scroll_request(value: object) -> qe.ScrollRequest:
    with Fields(value, at=_BODY) as fields:
        offset = fields.take("offset")
        return qe.ScrollRequest(
            offset=None if offset is None else point_id(offset, at=fields.path("offset")),
            limit=fields.integer("limit", least=1, default=DEFAULT_LIMIT),
            filter=optional_filter(fields.take("filter"), at=fields.path("filter")),
            with_payload=with_payload(fields, default=True),
            with_vector=with_vector(fields),
        )


def count_request(value: object) -> qe.CountRequest:
    with Fields(value, at=_BODY) as fields:
        return qe.CountRequest(
            exact=fields.flag("exact") is not False,
            filter=optional_filter(fields.take("filter"), at=fields.path("filter")),
        )


def facet_request(value: object) -> qe.FacetRequest:
    with Fields(value, at=_BODY) as fields:
        return qe.FacetRequest(
            key=fields.need_text("key"),
            limit=fields.integer("limit", least=1, default=DEFAULT_LIMIT),
            exact=fields.flag("exact") is True,
            filter=optional_filter(fields.take("filter"), at=fields.path("filter")),
        )


def retrieval(value: object) -> tuple[list[PointId], Payload, Vectors]:
    """Ids, payload and vectors: the engine's `retrieve` takes no request, and wants all three arguments."""
    with Fields(value, at=_BODY) as fields:
        ids = point_ids(fields.need_items("ids"), at=fields.path("ids"))
        return ids, with_payload(fields, default=True), with_vector(fields)


def with_payload(fields: Fields, *, default: bool) -> Payload:
    value = fields.take("with_payload")
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    path = fields.path("with_payload")
    if isinstance(value, list):
        return as_texts(cast("list[object]", value), at=path)
    with Fields(value, at=path) as inner:
        match inner.names():
            case ("include",):
                return qe.PayloadSelector.Include(as_texts(inner.need_items("include"), at=path))
            case ("exclude",):
                return qe.PayloadSelector.Exclude(as_texts(inner.need_items("exclude"), at=path))
            case names:
                raise NotSupported(f"{path} by {', '.join(names) or 'nothing'}")


def with_vector(fields: Fields) -> Vectors:
    value = fields.take("with_vector")
    if value is None or isinstance(value, bool):
        return value is True
    path = fields.path("with_vector")
    return as_texts(as_list(value, at=path), at=path)


def _prefetches(fields: Fields, schema: Schema) -> list[qe.Prefetch]:
    given = fields.one_or_more("prefetch") or []
    return [_prefetch(item, schema, at=f"{fields.path('prefetch')}[{i}]") for i, item in enumerate(given)]


def _prefetch(value: object, schema: Schema, *, at: str) -> qe.Prefetch:
    with Fields(value, at=at) as fields:
        return qe.Prefetch(
            query=cast("qe.ScoringQueryType", _scoring(fields, schema)),
            prefetches=_prefetches(fields, schema),
            filter=optional_filter(fields.take("filter"), at=fields.path("filter")),
            params=_params(fields),
            score_threshold=fields.number("score_threshold"),
            limit=fields.integer("limit", least=1, default=DEFAULT_LIMIT),
        )


def _params(fields: Fields) -> qe.SearchParams | None:
    value = fields.take("params")
    if value is None:
        return None
    with Fields(value, at=fields.path("params")) as inner:
        ef = inner.integer("hnsw_ef", least=0, default=0)
        return qe.SearchParams(hnsw_ef=ef or None, exact=inner.flag("exact") is True)


def _scoring(fields: Fields, schema: Schema) -> Scoring:
    path = fields.path("query")
    using = fields.text("using") or UNNAMED
    value = fields.take("query")
    if isinstance(value, list) or _is_sparse(value):
        return _nearest(cast("object", value), schema, using=using, at=path)
    if not isinstance(value, dict):
        raise NotSupported(
            f"{path} by point id" if value is not None else f"a read of {path} without a query"
        )
    with Fields(cast("object", value), at=path) as inner:
        match inner.names():
            case ("nearest",):
                return _nearest(inner.need("nearest"), schema, using=using, at=inner.path("nearest"))
            case ("fusion",):
                return _fusion(inner.need_text("fusion"), at=inner.path("fusion"))
            case ("rrf",):
                return _weighted_rrf(inner)
            case names:
                raise NotSupported(f"{path} by {', '.join(names) or 'nothing'}")


def _is_sparse(value: object) -> bool:
    return isinstance(value, dict) and "indices" in value


def _nearest(value: object, schema: Schema, *, using: str, at: str) -> qe.Query:
    if isinstance(value, int | str):
        raise NotSupported(f"{at} by point id")
    wanted: Vector = vector(value, schema, name=using, at=at)
    return qe.Query.Nearest(wanted, using=using)


def _fusion(name: str, *, at: str) -> Fusion:
    match name:
        case "rrf":
            return qe.Fusion.Rrf(k=_RRF_K)
        case "dbsf":
            return qe.Fusion.Dbsf()
        case _:
            raise BadRequest(f"{at}: unknown fusion {name!r}")


def _weighted_rrf(fields: Fields) -> qe.Fusion.Rrf:
    with Fields(fields.need("rrf"), at=fields.path("rrf")) as inner:
        # k = 0 would give the first of each prefetch an infinite score.
        k = inner.integer("k", least=1, default=_RRF_K)
        weights = inner.items("weights")
        if weights is None:
            return qe.Fusion.Rrf(k=k)
        if not set(map(type, weights)) <= {int, float}:
            raise BadRequest(f"{inner.path('weights')} must be numbers")
        return qe.Fusion.Rrf(k=k, weights=cast("list[float]", weights))
