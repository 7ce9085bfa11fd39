"""What comes first in an answer, what a filter leaves of it, and how it is filled up."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.retrieval.world import World, saying

from apex_memory.domain.answers import Candidate, SearchFilter
from apex_memory.domain.bundles import EntityRef
from apex_memory.domain.errors import QueryRejected
from apex_memory.pipeline.retrieval.passages import MARGIN

ACME = EntityRef(type="customer", key="Acme Manufacturing Corp")
LOAD = EntityRef(type="shipment", key="SHIP-2025-10-19-002")
OTHER_LOAD = EntityRef(type="shipment", key="SHIP-2025-10-19-003")
QUESTION = "when does the load arrive"


class CrowdedWorld(World):
    """Only the vectors propose, and stale versions match best. Notes how many candidates were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_for: list[int] = []
        self.archive.lexical = self._nothing
        self._nearest, self.vectors.nearest = self.vectors.nearest, self._noted

    async def crowd(self, *, stale: int, visible: int) -> list[UUID]:
        for _ in range(stale):
            await self.prepare("acme", saying("stale", QUESTION))
        writes = [await self.remember("acme", saying(f"item-{n}", f"{QUESTION} {n}")) for n in range(visible)]
        return [write.chunk_ids[0] for write in writes]

    async def _nothing(self, *_call: object, **_options: object) -> Sequence[Candidate]:
        return ()

    async def _noted(
        self, tenant_id: str, vector: NDArray[np.float32], *, limit: int, where: SearchFilter
    ) -> Sequence[Candidate]:
        self.asked_for.append(limit)
        return await self._nearest(tenant_id, vector, limit=limit, where=where)


async def test_an_answer_is_filled_up_when_stale_versions_crowd_out_the_visible_ones() -> None:
    world = CrowdedWorld()
    visible = await world.crowd(stale=60, visible=5)

    answer = await world.retrieval().search("acme", QUESTION, limit=5)

    assert {hit.chunk_id for hit in answer.hits} == set(visible)
    assert world.asked_for == [5 + MARGIN, 2 * (5 + MARGIN)]


async def test_filling_up_ends_after_three_rounds() -> None:
    world = CrowdedWorld()
    await world.crowd(stale=200, visible=1)

    answer = await world.retrieval().search("acme", QUESTION, limit=5)

    assert answer.hits == ()
    assert world.asked_for == [45, 90, 180]


async def test_legs_that_have_nothing_more_are_not_asked_again() -> None:
    world = CrowdedWorld()
    await world.crowd(stale=0, visible=2)

    answer = await world.retrieval().search("acme", QUESTION, limit=5)

    assert len(answer.hits) == 2
    assert world.asked_for == [45]


async def test_of_hits_that_match_alike_the_one_that_speaks_of_what_is_named_comes_first() -> None:
    world = World()
    texts = [f"{QUESTION} {n}" for n in range(6)]
    for n, text in enumerate(texts):
        about = LOAD if n == 4 else OTHER_LOAD
        await world.remember("acme", saying(f"item-{n}", text, mentions=(about,)))

    answer = await world.retrieval().search("acme", f"{QUESTION}, {LOAD.key}?", limit=6)

    assert answer.hits[0].external_id == "item-4"
    assert len(answer.hits) == 6


async def test_what_is_named_is_found_although_no_text_spells_it_and_many_are_nearer() -> None:
    world = CrowdedWorld()
    for n in range(80):
        await world.remember("acme", saying(f"noise-{n}", "anything"))
    await world.remember("acme", saying("mail", "anything paid", mentions=(ACME,)))

    answer = await world.retrieval().search("acme", "anything about Acme Manufacturing Corp")

    assert answer.hits[0].external_id == "mail"
    assert len(answer.hits) == 10


async def test_facts_about_what_is_named_come_before_facts_about_what_hits_mention() -> None:
    world = World()
    driver, city = EntityRef(type="person", key="Ana Ruiz"), EntityRef(type="city", key="Dallas")
    await world.remember("acme", saying("mail", QUESTION, links=((driver, "lives in", city),)))
    await world.remember("acme", saying("order", links=((ACME, "ordered", LOAD),)))

    answer = await world.retrieval().search("acme", f"{QUESTION} {LOAD.key}")

    assert [fact.predicate for fact in answer.facts] == ["ordered", "lives in"]


async def test_a_filter_holds_for_hits_and_for_facts() -> None:
    world = World()
    links = ((ACME, "ordered", LOAD),)
    record = saying("r", QUESTION, source="turvo", links=links)
    document = saying("d", QUESTION, source="upload", kind="document", links=links)
    for bundle in (record, document):
        await world.remember("acme", bundle)
    retrieval = world.retrieval()

    for where in (SearchFilter(sources=("turvo",)), SearchFilter(kinds=("record",))):
        answer = await retrieval.search("acme", QUESTION, where=where)

        assert {hit.source for hit in answer.hits} == {"turvo"}
        assert {fact.source for fact in answer.facts} == {"turvo"}


async def test_a_filter_by_entity_gives_what_speaks_of_it_and_the_facts_around_it() -> None:
    world = World()
    for n, load in enumerate((LOAD, OTHER_LOAD)):
        bundle = saying(f"item-{n}", QUESTION, links=((ACME, "ordered", load),))
        await world.remember("acme", bundle)

    answer = await world.retrieval().search("acme", QUESTION, where=SearchFilter(entity=LOAD))

    assert [hit.external_id for hit in answer.hits] == ["item-0"]
    assert [fact.external_id for fact in answer.facts] == ["item-0", "item-1"]


async def test_a_filter_by_entity_gives_its_facts_even_if_no_text_speaks_of_it() -> None:
    world = World()
    await world.remember("acme", saying("order", links=((ACME, "ordered", LOAD),)))

    answer = await world.retrieval().search("acme", QUESTION, where=SearchFilter(entity=LOAD))

    assert answer.hits == ()
    assert [fact.predicate for fact in answer.facts] == ["ordered"]


async def test_a_question_that_cannot_be_asked_reaches_no_store() -> None:
    world = CrowdedWorld()

    with pytest.raises(QueryRejected):
        await world.retrieval().search("acme", "   ")

    assert world.asked_for == []
