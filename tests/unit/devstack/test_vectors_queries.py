"""The bodies of reads, translated into the engine's requests."""

import pytest

from apex_memory.devstack.vectors.errors import BadRequest, NotSupported
from apex_memory.devstack.vectors.queries import (
    batch_request,
    count_request,
    facet_request,
    query_request,
    retrieval,
    scroll_request,
)
from apex_memory.devstack.vectors.values import Schema

SCHEMA = Schema(dense={"v": 2}, sparse=frozenset({"t"}))
NEAREST = {"query": [1, 2], "using": "v"}


def test_a_query_has_qdrants_defaults() -> None:
    request = query_request(NEAREST, SCHEMA)

    assert repr(request.query) == 'Query.Nearest(query=[1, 2], using="v")'
    assert (request.limit, request.offset) == (10, 0)
    assert (request.with_payload, request.with_vector) == (False, False)
    assert (request.filter, request.score_threshold, request.params) == (None, None, None)


def test_a_query_says_what_to_find_and_what_to_answer() -> None:
    asked = {
        "query": {"nearest": {"indices": [3], "values": [0.5]}},
        "using": "t",
        "limit": 3,
        "offset": 4,
        "score_threshold": 0.25,
        "params": {"hnsw_ef": 64, "exact": True},
        "with_payload": {"exclude": ["text"]},
        "with_vector": ["v"],
    }

    request = query_request(asked, SCHEMA)

    assert "SparseVector(indices=[3], values=[0.5])" in repr(request.query)
    assert (request.limit, request.offset, request.score_threshold) == (3, 4, 0.25)
    assert request.params is not None
    assert (request.params.hnsw_ef, request.params.exact) == (64, True)
    assert 'with_payload=PayloadSelector.Exclude(keys=["text"])' in repr(request)
    assert request.with_vector == ["v"]


@pytest.mark.parametrize(
    ("fusion", "expected"),
    [
        ({"fusion": "rrf"}, "Fusion.Rrf(k=2)"),
        ({"fusion": "dbsf"}, "Fusion.Dbsf()"),
        ({"rrf": {"k": 60}}, "Fusion.Rrf(k=60)"),
        ({"rrf": {"weights": [1, 0.5]}}, "Fusion.Rrf(k=2, weights=[1, 0.5])"),
    ],
)
def test_prefetches_are_fused(fusion: object, expected: str) -> None:
    inner = {"query": [1, 2], "using": "v", "limit": 20, "prefetch": NEAREST}

    request = query_request({"query": fusion, "prefetch": [inner]}, SCHEMA)

    assert repr(request.query) == expected
    assert [(prefetch.limit, len(prefetch.prefetches)) for prefetch in request.prefetches] == [(20, 1)]


def test_every_query_of_a_batch_is_read_and_its_place_named() -> None:
    batch = batch_request({"searches": [NEAREST, NEAREST]}, SCHEMA)

    assert len(batch.queries) == 2
    with pytest.raises(NotSupported, match=r"body\.searches\[1\]\.strange"):
        batch_request({"searches": [NEAREST, NEAREST | {"strange": 1}]}, SCHEMA)


def test_the_other_reads_have_qdrants_defaults() -> None:
    scroll = scroll_request({})
    facet = facet_request({"key": "k"})

    assert (scroll.limit, scroll.offset, scroll.with_payload, scroll.with_vector) == (10, None, True, False)
    assert count_request({}).exact
    assert (facet.limit, facet.exact) == (10, False)
    assert retrieval({"ids": [1]}) == ([1], True, False)


@pytest.mark.parametrize(
    "asked",
    [
        NEAREST | {"limit": 0},
        NEAREST | {"offset": -1},
        NEAREST | {"score_threshold": "high"},
        NEAREST | {"with_payload": [1]},
        NEAREST | {"with_vector": "v"},
        {"query": [1, 2]},
        {"query": {"fusion": "sum"}, "prefetch": [NEAREST]},
        {"query": {"rrf": {"k": 0}}, "prefetch": [NEAREST]},
        {"query": {"rrf": {"weights": ["1"]}}, "prefetch": [NEAREST]},
    ],
)
def test_a_malformed_query_is_refused(asked: object) -> None:
    with pytest.raises(BadRequest):
        query_request(asked, SCHEMA)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"query": 7},
        {"query": {"nearest": "00000000-0000-0000-0000-000000000001"}, "using": "v"},
        {"query": {"recommend": {"positive": [1]}}},
        {"query": {"nearest": [1, 2], "mmr": {"diversity": 0.5}}, "using": "v"},
        NEAREST | {"shard_key": "a"},
        NEAREST | {"params": {"quantization": {"ignore": True}}},
        NEAREST | {"with_payload": {"include": ["a"], "exclude": ["b"]}},
    ],
)
def test_a_query_the_service_does_not_know_is_not_guessed(asked: object) -> None:
    with pytest.raises(NotSupported):
        query_request(asked, SCHEMA)
