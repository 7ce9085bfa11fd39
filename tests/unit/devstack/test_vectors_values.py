"""Ids and vectors, checked before the engine is given them."""

from uuid import UUID

import pytest
import qdrant_edge as qe

from apex_memory.devstack.vectors.errors import BadRequest, NotSupported
from apex_memory.devstack.vectors.values import Schema, point_id, point_vectors, vector

SCHEMA = Schema(dense={"": 2, "v": 3}, sparse=frozenset({"t"}))


def test_a_point_id_is_an_unsigned_integer_or_a_uuid() -> None:
    assert point_id(2**64 - 1, at="id") == 2**64 - 1
    assert point_id("00000000-0000-0000-0000-000000000001", at="id") == UUID(int=1)


@pytest.mark.parametrize("value", [-1, 2**64, True, 1.0, "seven", None])
def test_any_other_point_id_is_refused(value: object) -> None:
    with pytest.raises(BadRequest, match="not a valid point ID"):
        point_id(value, at="id")


def test_a_bare_list_is_the_vector_without_a_name() -> None:
    assert point_vectors([1, 2.5], SCHEMA, at="vector") == {"": [1, 2.5]}


def test_vectors_are_read_by_the_kind_the_collection_has_under_their_name() -> None:
    given = {"v": [1, 2, 3], "t": {"indices": [7, 4], "values": [0.5, 1]}}

    vectors = point_vectors(given, SCHEMA, at="vector")

    sparse = vectors["t"]
    assert vectors["v"] == [1, 2, 3]
    assert isinstance(sparse, qe.SparseVector)
    assert (sparse.indices, sparse.values) == ([7, 4], [0.5, 1.0])


def test_an_empty_sparse_vector_is_one() -> None:
    assert isinstance(vector({"indices": [], "values": []}, SCHEMA, name="t", at="vector"), qe.SparseVector)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("v", [1, 2], "expected dim: 3, got 2"),
        ("v", [1, 2, float("nan")], "not finite"),
        ("v", [1, 2, float("inf")], "not finite"),
        ("v", [1, 2, -1e39], "not finite"),
        ("v", [1, 2, True], "numbers only"),
        ("v", [1, 2, None], "numbers only"),
        ("v", "123", "must be a list"),
        ("unknown", [1, 2, 3], "Not existing vector name error: unknown"),
        ("t", [1, 2, 3], "must be an object"),
        ("t", {"indices": [1], "values": [1, 2]}, "differ in length"),
        ("t", {"indices": [1, 1], "values": [1, 2]}, "must be unique"),
        ("t", {"indices": [-1], "values": [1]}, "unsigned 32-bit"),
        ("t", {"indices": [2**32], "values": [1]}, "unsigned 32-bit"),
        ("t", {"indices": [1.5], "values": [1]}, "must be integers"),
        ("t", {"indices": [True], "values": [1]}, "must be integers"),
        ("t", {"indices": [1], "values": [float("inf")]}, "not finite"),
        ("t", {"indices": [1]}, "values is missing"),
    ],
)
def test_a_vector_the_engine_would_take_wrongly_is_refused(name: str, value: object, problem: str) -> None:
    with pytest.raises(BadRequest, match=problem):
        vector(value, SCHEMA, name=name, at="vector")


@pytest.mark.parametrize("value", [[[1, 2, 3]], {"text": "embed me", "model": "m"}])
def test_multivectors_and_inference_are_not_supported(value: object) -> None:
    with pytest.raises(NotSupported):
        vector(value, SCHEMA, name="v", at="vector")
