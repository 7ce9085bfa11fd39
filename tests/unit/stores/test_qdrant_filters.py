"""No filter is ever without its tenant, and none by versions is ever without a version."""

from uuid import uuid4

import pytest

from apex_memory.domain.answers import SearchFilter
from apex_memory.domain.bundles import EntityRef, VersionRef
from apex_memory.pipeline.stores.qdrant import filters
from apex_memory.pipeline.stores.qdrant.store import collection_name

REF = VersionRef(item_id=uuid4(), version=3)
TENANT = {"key": "tenant_id", "match": {"value": "acme"}}
NARROW = SearchFilter(
    sources=("turvo",), kinds=("record",), entity=EntityRef(type="vehicle", key="OpenHaul 247")
)


@pytest.mark.parametrize(
    "built",
    [
        filters.versions("acme", [REF]),
        filters.strays("acme", [REF], [uuid4()]),
        filters.search("acme", SearchFilter()),
        filters.search("acme", NARROW),
    ],
    ids=["versions", "strays", "search", "narrow search"],
)
def test_the_tenant_must_always_match(built: filters.models.Filter) -> None:
    must = built.model_dump(exclude_none=True)["must"]

    assert must[0] == TENANT


def test_a_version_is_matched_as_a_whole() -> None:
    built = filters.versions("acme", [REF]).model_dump(exclude_none=True)

    item, version = built["should"][0]["must"]
    assert item == {"key": "item_id", "match": {"value": str(REF.item_id)}}
    assert version == {"key": "version", "match": {"value": 3}}


def test_no_versions_make_no_filter() -> None:
    with pytest.raises(ValueError, match="every version"):
        filters.versions("acme", [])


def test_embedders_and_sizes_have_collections_of_their_own() -> None:
    names = {collection_name(embedder, dim) for embedder in ("a/b", "a-b") for dim in (384, 1536)}

    assert len(names) == 4
    assert all(name.startswith("apex-a-b-") for name in names)
