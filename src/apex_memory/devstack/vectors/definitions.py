"""The body that creates a collection or an index as JSON in, the engine's configuration out."""

from collections.abc import Mapping
from typing import Final, cast

import qdrant_edge as qe

from apex_memory.devstack.vectors.errors import BadRequest, NotSupported
from apex_memory.devstack.vectors.fields import Fields
from apex_memory.devstack.vectors.values import UNNAMED, Schema

FLOAT_BYTES: Final = 4
_KIB: Final = 1024
_MAX_SIZE: Final = 65536
_DISTANCES: Final[Mapping[str, qe.Distance]] = {
    "Cosine": qe.Distance.Cosine,
    "Dot": qe.Distance.Dot,
    "Euclid": qe.Distance.Euclid,
    "Manhattan": qe.Distance.Manhattan,
}
_INDEXES: Final[Mapping[str, qe.PayloadSchemaType]] = {
    "keyword": qe.PayloadSchemaType.Keyword,
    "integer": qe.PayloadSchemaType.Integer,
    "float": qe.PayloadSchemaType.Float,
    "bool": qe.PayloadSchemaType.Bool,
    "datetime": qe.PayloadSchemaType.Datetime,
    "uuid": qe.PayloadSchemaType.Uuid,
    "text": qe.PayloadSchemaType.Text,
}


def collection_config(value: object, *, exact_below: int) -> tuple[Schema, qe.EdgeConfig]:
    """A schema and its engine configuration.

    `exact_below`: points; the engine must build no approximate index for a segment with fewer.
    """
    with Fields(value, at="body") as fields:
        dense = _dense(fields)
        sparse = _sparse(fields)
    if not dense and not sparse:
        raise BadRequest("a collection needs at least one vector")
    schema = Schema(dense={name: params.size for name, params in dense.items()}, sparse=frozenset(sparse))
    widest = max(schema.dense.values(), default=1)
    optimizers = qe.EdgeOptimizersConfig(
        indexing_threshold=max(1, exact_below * widest * FLOAT_BYTES // _KIB)
    )
    return schema, qe.EdgeConfig(vectors=dense or None, sparse_vectors=sparse or None, optimizers=optimizers)


def field_index(value: object) -> tuple[str, qe.PayloadSchemaType | qe.KeywordIndexParams]:
    """The name of a payload field and the kind of its index."""
    with Fields(value, at="body") as fields:
        name = fields.need_text("field_name")
        path = fields.path("field_schema")
        kind = fields.need("field_schema")
    if isinstance(kind, str):
        return name, _index_kind(kind, at=path)
    with Fields(kind, at=path) as inner:
        type_name = inner.need_text("type")
        if type_name == "keyword":
            return name, qe.KeywordIndexParams(is_tenant=inner.flag("is_tenant"))
        return name, _index_kind(type_name, at=path)


def _index_kind(name: str, *, at: str) -> qe.PayloadSchemaType:
    kind = _INDEXES.get(name)
    if kind is None:
        raise NotSupported(f"{at} {name!r}")
    return kind


def _dense(fields: Fields) -> dict[str, qe.EdgeVectorParams]:
    value = fields.take("vectors")
    path = fields.path("vectors")
    if value is None:
        return {}
    if isinstance(value, dict) and "size" in value and not isinstance(value["size"], dict):
        return {UNNAMED: _dense_params(cast("object", value), at=path)}
    if not isinstance(value, dict):
        raise BadRequest(f"{path} must be an object")
    named = cast("dict[str, object]", value)
    return {name: _dense_params(item, at=f"{path}.{name}") for name, item in named.items()}


def _dense_params(value: object, *, at: str) -> qe.EdgeVectorParams:
    with Fields(value, at=at) as fields:
        size = fields.integer("size", least=1, default=0)
        distance = _DISTANCES.get(fields.need_text("distance"))
    if not 1 <= size <= _MAX_SIZE or distance is None:
        raise BadRequest(f"{at} needs a size of 1 to {_MAX_SIZE} and a distance of {', '.join(_DISTANCES)}")
    return qe.EdgeVectorParams(size=size, distance=distance)


def _sparse(fields: Fields) -> dict[str, qe.EdgeSparseVectorParams]:
    value = fields.take("sparse_vectors")
    path = fields.path("sparse_vectors")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f"{path} must be an object")
    named = cast("dict[str, object]", value)
    return {name: _sparse_params(item, at=f"{path}.{name}") for name, item in named.items()}


def _sparse_params(value: object, *, at: str) -> qe.EdgeSparseVectorParams:
    with Fields(value, at=at) as fields:
        modifier = fields.text("modifier")
    if modifier not in {None, "none", "idf"}:
        raise BadRequest(f"{at}.modifier must be idf or none")
    return qe.EdgeSparseVectorParams(modifier=qe.Modifier.Idf if modifier == "idf" else None)
