"""The body of a write as JSON in, what the writer does with the shard out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, cast

import qdrant_edge as qe

from apex_memory.devstack.vectors.definitions import field_index
from apex_memory.devstack.vectors.errors import BadRequest, NotFound
from apex_memory.devstack.vectors.fields import Fields
from apex_memory.devstack.vectors.filters import filter_of
from apex_memory.devstack.vectors.values import PointId, Schema, point_id, point_ids, point_vectors

_BODY: Final = "body"
_EMPTY: Final = "Empty update request"  # Qdrant would route it to no shard, and refuses it
_PAGE: Final = 1_000


@dataclass(frozen=True)
class Write:
    """Engine operations, and how many points they insert or replace.

    `operations` runs in the writer's thread, alone: what it reads still holds when they are applied.
    """

    operations: Callable[[qe.EdgeShard], Iterator[qe.UpdateOperation]]
    points: int = 0


def upsert(value: object, schema: Schema) -> Write:
    """Insert or replace points.

    All are checked before the engine sees one: it stops at the first it refuses and keeps those before it. A
    replaced sparse vector takes its postings along; emptied before, as for a delete, it would upset IDF.
    """
    with Fields(value, at=_BODY) as fields:
        given = fields.need_items("points")
        path = fields.path("points")
    if not given:
        raise BadRequest(_EMPTY)
    points = [_point(item, schema, at=f"{path}[{i}]") for i, item in enumerate(given)]
    return Write(lambda _: iter([qe.UpdateOperation.upsert_points(points)]), points=len(points))


def delete(value: object, schema: Schema) -> Write:
    with Fields(value, at=_BODY) as fields:
        selected = _selection(fields)

    def operations(edge: qe.EdgeShard) -> Iterator[qe.UpdateOperation]:
        yield from _emptied(edge, selected, sorted(schema.sparse))
        if isinstance(selected, qe.Filter):
            yield qe.UpdateOperation.delete_points_by_filter(selected)
        else:
            yield qe.UpdateOperation.delete_points(list(selected))

    return Write(operations)


def set_payload(value: object, _schema: Schema) -> Write:
    """Merge fields into the payload of points, all of which must exist."""
    with Fields(value, at=_BODY) as fields:
        payload = _payload(fields, default=None)
        key = fields.text("key")
        selected = _selection(fields)

    def operations(edge: qe.EdgeShard) -> Iterator[qe.UpdateOperation]:
        if isinstance(selected, qe.Filter):
            yield qe.UpdateOperation.set_payload_by_filter(selected, payload, key)
            return
        # The engine would change those before the first missing one, and then fail.
        found = {record.id for record in edge.retrieve(list(selected), False, False)}
        if missing := [i for i in selected if i not in found]:
            raise NotFound(f"No point with id {missing[0]}")
        yield qe.UpdateOperation.set_payload(list(selected), payload, key)

    return Write(operations)


def create_index(value: object, _schema: Schema) -> Write:
    name, kind = field_index(value)
    return Write(lambda _: iter([qe.UpdateOperation.create_field_index(name, kind)]))


def delete_index(name: str) -> Write:
    return Write(lambda _: iter([qe.UpdateOperation.delete_field_index(name)]))


def _point(value: object, schema: Schema, *, at: str) -> qe.Point:
    with Fields(value, at=at) as fields:
        return qe.Point(
            point_id(fields.need("id"), at=fields.path("id")),
            cast("qe.Vector", point_vectors(fields.need("vector"), schema, at=fields.path("vector"))),
            _payload(fields, default={}),
        )


def _payload(fields: Fields, *, default: dict[str, object] | None) -> dict[str, object]:
    value = fields.take("payload")
    if value is None and default is not None:
        return default
    if not isinstance(value, dict):
        raise BadRequest(f"{fields.path('payload')} must be an object")
    return cast("dict[str, object]", value)


def _selection(fields: Fields) -> list[PointId] | qe.Filter:
    if ("points" in fields) == ("filter" in fields):
        raise BadRequest("either points or filter is needed")
    if "filter" in fields:
        return filter_of(fields.need("filter"), at=fields.path("filter"))
    ids = point_ids(fields.need_items("points"), at=fields.path("points"))
    if not ids:
        raise BadRequest(_EMPTY)
    return ids


def _emptied(
    edge: qe.EdgeShard, selected: list[PointId] | qe.Filter, names: list[str]
) -> Iterator[qe.UpdateOperation]:
    """Overwrite the sparse vectors of points about to be deleted with empty ones.

    Without it the engine keeps their postings until the next load: they went on counting for IDF, and weights
    were up to 2.5 times off after a third of the points was deleted.
    """
    if not names:
        return
    for page in _pages(edge, selected, names):
        held = [(record.id, _held(record)) for record in page]
        emptied = [
            qe.PointVectors(i, dict.fromkeys(name, qe.SparseVector([], []))) for i, name in held if name
        ]
        if emptied:
            yield qe.UpdateOperation.update_vectors(emptied)


def _pages(
    edge: qe.EdgeShard, selected: list[PointId] | qe.Filter, names: list[str]
) -> Iterator[list[qe.Record]]:
    if not isinstance(selected, qe.Filter):
        for start in range(0, len(selected), _PAGE):
            yield edge.retrieve(list(selected[start : start + _PAGE]), False, names)
        return
    offset: PointId | None = None
    while True:
        request = qe.ScrollRequest(
            offset=offset, limit=_PAGE, filter=selected, with_payload=False, with_vector=names
        )
        page, following = edge.scroll(request)
        yield page
        if following is None:
            return
        offset = cast("PointId", following)


def _held(record: qe.Record) -> list[str]:
    """The names under which a record has a sparse vector with anything in it."""
    vectors = cast("dict[str, qe.SparseVector]", record.vector or {})
    return [name for name, vector in vectors.items() if vector.indices]
