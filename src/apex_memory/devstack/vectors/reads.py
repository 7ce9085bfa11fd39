"""A collection and the body of a read in, the result to answer out; nothing here waits."""

from collections.abc import Callable
from typing import Final

from apex_memory.devstack.vectors import answers, queries
from apex_memory.devstack.vectors.answers import Json
from apex_memory.devstack.vectors.collection import Collection

Read = Callable[[Collection, object], object]


def query(collection: Collection, body: object) -> Json:
    request = queries.query_request(body, collection.schema)
    return answers.scored_points(collection.read(lambda edge: edge.query(request)))


def query_batch(collection: Collection, body: object) -> list[Json]:
    request = queries.batch_request(body, collection.schema)
    return [answers.scored_points(found) for found in collection.read(lambda edge: edge.query_batch(request))]


def scroll(collection: Collection, body: object) -> Json:
    request = queries.scroll_request(body)
    found, following = collection.read(lambda edge: edge.scroll(request))
    return {"points": [answers.record(point) for point in found], "next_page_offset": following}


def retrieve(collection: Collection, body: object) -> list[Json]:
    ids, payload, vectors = queries.retrieval(body)
    found = collection.read(lambda edge: edge.retrieve([*ids], payload, vectors))
    return [answers.record(point) for point in found]


def count(collection: Collection, body: object) -> Json:
    request = queries.count_request(body)
    return {"count": collection.read(lambda edge: edge.count(request))}


def facet(collection: Collection, body: object) -> Json:
    request = queries.facet_request(body)
    return answers.facet(collection.read(lambda edge: edge.facet(request)))


READS: Final[dict[str, Read]] = {
    "/points": retrieve,
    "/points/query": query,
    "/points/query/batch": query_batch,
    "/points/scroll": scroll,
    "/points/count": count,
    "/facet": facet,
}
