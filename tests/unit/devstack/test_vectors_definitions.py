"""Collections and indexes as JSON, translated into the engine's configuration."""

import pytest
import qdrant_edge as qe

from apex_memory.devstack.vectors.definitions import collection_config, field_index
from apex_memory.devstack.vectors.errors import BadRequest, NotSupported
from apex_memory.devstack.vectors.values import Schema

VECTOR = {"size": 384, "distance": "Cosine"}


def test_a_collection_has_named_dense_and_sparse_vectors() -> None:
    body = {"vectors": {"text": VECTOR}, "sparse_vectors": {"words": {"modifier": "idf"}, "plain": {}}}

    schema, config = collection_config(body, exact_below=100_000)

    assert schema == Schema(dense={"text": 384}, sparse=frozenset({"words", "plain"}))
    assert config.vectors["text"].distance == qe.Distance.Cosine
    assert config.sparse_vectors["words"].modifier == qe.Modifier.Idf
    assert config.sparse_vectors["plain"].modifier is None


def test_a_collection_may_have_one_vector_without_a_name() -> None:
    schema, _ = collection_config({"vectors": VECTOR}, exact_below=100_000)

    assert schema.dense == {"": 384}


def test_a_vector_may_be_named_size() -> None:
    schema, _ = collection_config({"vectors": {"size": VECTOR}}, exact_below=100_000)

    assert schema.dense == {"size": 384}


def test_no_approximate_index_is_built_for_fewer_points_than_told() -> None:
    _, config = collection_config({"vectors": VECTOR}, exact_below=100_000)

    assert config.optimizers is not None
    assert config.optimizers.indexing_threshold == 100_000 * 384 * 4 // 1024


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"vectors": []},
        {"vectors": {"v": {"size": 0, "distance": "Dot"}}},
        {"vectors": {"v": {"size": 4, "distance": "near"}}},
        {"vectors": {"v": {"size": 4}}},
        {"sparse_vectors": {"s": {"modifier": "tf"}}},
    ],
)
def test_a_malformed_collection_is_refused(body: object) -> None:
    with pytest.raises(BadRequest):
        collection_config(body, exact_below=1)


@pytest.mark.parametrize(
    "body",
    [
        {"vectors": {"v": VECTOR | {"on_disk": True}}},
        {"vectors": {"v": VECTOR | {"multivector_config": {"comparator": "max_sim"}}}},
        {"vectors": {"v": VECTOR}, "shard_number": 2},
        {"sparse_vectors": {"s": {"index": {"on_disk": True}}}},
    ],
)
def test_an_option_of_a_collection_that_would_be_ignored_is_refused(body: object) -> None:
    with pytest.raises(NotSupported):
        collection_config(body, exact_below=1)


def test_an_index_is_asked_for_by_name_or_with_options() -> None:
    plain = field_index({"field_name": "when", "field_schema": "datetime"})
    name, kind = field_index({"field_name": "tenant", "field_schema": {"type": "keyword", "is_tenant": True}})

    assert plain == ("when", qe.PayloadSchemaType.Datetime)
    assert name == "tenant"
    assert isinstance(kind, qe.KeywordIndexParams)
    assert kind.is_tenant
    for unknown in ("geo", {"type": "text", "tokenizer": "word"}):
        with pytest.raises(NotSupported):
            field_index({"field_name": "f", "field_schema": unknown})
