"""What every VectorSearcher keeps to; inherit, and give `vectors`: one object that is also the Store."""

from dataclasses import replace
from typing import Protocol

import pytest
from tests.contracts.writes import EMBEDDER, INVOICE, LATE, SHIPMENT, fresh_tenant, message, write_of

from apex_memory.domain.answers import Candidate, SearchFilter
from apex_memory.domain.bundles import EntityRef, VersionedBundle
from apex_memory.domain.errors import EmbedderMismatch
from apex_memory.ports import Store, VectorSearcher

EVERYTHING = SearchFilter()


class Vectors(Store, VectorSearcher, Protocol):
    """A store that can be searched by vector."""


async def near(
    vectors: Vectors, tenant: str, text: str, *, limit: int = 10, where: SearchFilter = EVERYTHING
) -> list[Candidate]:
    (vector,) = EMBEDDER.vectors([text])
    return list(await vectors.nearest(tenant, vector, limit=limit, where=where))


def chunks(*candidates: Candidate) -> list[object]:
    return [candidate.chunk_id for candidate in candidates]


class VectorContract:
    async def test_the_passage_that_says_the_same_comes_first(self, vectors: Vectors) -> None:
        write = write_of(fresh_tenant(), message(texts=(INVOICE, LATE)))
        await vectors.prepare([write])

        found = await near(vectors, write.tenant_id, "Which trailer waits at the gate in Dallas?")

        assert chunks(*found) == [write.chunk_ids[1], write.chunk_ids[0]]
        assert found[0].score > found[1].score

    async def test_the_score_is_the_cosine(self, vectors: Vectors) -> None:
        write = write_of(fresh_tenant(), message(texts=(LATE,)))
        await vectors.prepare([write])

        (found,) = await near(vectors, write.tenant_id, LATE)

        expected = Candidate(
            chunk_id=write.chunk_ids[0], item_id=write.ref.item_id, version=1, score=found.score
        )
        assert found == expected
        assert found.score == pytest.approx(1.0, abs=1e-5)

    async def test_no_more_than_the_limit_is_proposed(self, vectors: Vectors) -> None:
        write = write_of(fresh_tenant(), message(texts=(LATE,) * 5))
        await vectors.prepare([write])

        assert len(await near(vectors, write.tenant_id, LATE, limit=3)) == 3

    async def test_every_version_is_proposed_until_it_is_discarded(self, vectors: Vectors) -> None:
        tenant = fresh_tenant()
        writes = [write_of(tenant, message(texts=(LATE,)), version=version) for version in (1, 2)]
        await vectors.prepare(writes)

        assert {found.version for found in await near(vectors, tenant, LATE)} == {1, 2}
        await vectors.discard(tenant, [writes[0].ref])

        assert {found.version for found in await near(vectors, tenant, LATE)} == {2}

    async def test_two_tenants_with_the_same_texts_never_meet(self, vectors: Vectors) -> None:
        one, other = write_of(fresh_tenant(), message()), write_of(fresh_tenant(), message())
        await vectors.prepare([one, other])

        found = await near(vectors, one.tenant_id, LATE)

        assert set(chunks(*found)) == set(one.chunk_ids)
        assert await near(vectors, fresh_tenant(), LATE) == []

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (SearchFilter(sources=("turvo", "samsara")), {"turvo"}),
            (SearchFilter(kinds=("document",)), {"turvo"}),
            (SearchFilter(sources=("frontapp",), kinds=("document",)), set[str]()),
            (SearchFilter(entity=EntityRef(type="shipment", key="ship-2025-10-19-002 ")), {"frontapp"}),
            (SearchFilter(entity=SHIPMENT, sources=("turvo",)), set[str]()),
        ],
        ids=["source", "kind", "source and kind", "entity, spelled otherwise", "entity and source"],
    )
    async def test_a_filter_narrows_by_everything_it_names(
        self, vectors: Vectors, where: SearchFilter, expected: set[str]
    ) -> None:
        tenant = fresh_tenant()
        unrelated = message("doc-1", shipment=EntityRef(type="shipment", key="SHIP-1"))
        by_source: dict[str, VersionedBundle] = {
            "frontapp": write_of(tenant, message()),
            "turvo": write_of(tenant, unrelated.model_copy(update={"source": "turvo", "kind": "document"})),
        }
        await vectors.prepare(list(by_source.values()))

        found = {candidate.item_id for candidate in await near(vectors, tenant, LATE, where=where)}

        assert found == {by_source[source].ref.item_id for source in expected}

    async def test_vectors_of_another_embedder_are_refused(self, vectors: Vectors) -> None:
        write = replace(write_of(fresh_tenant(), message()), embedder_id="another-model")

        with pytest.raises(EmbedderMismatch):
            await vectors.prepare([write])
