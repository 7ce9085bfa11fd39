"""A question's entities and hits in, the facts around them that were visible at a snapshot out."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from apex_memory.domain.answers import EntityView, FactView, Hit, SearchFilter
from apex_memory.domain.ids import entity_id
from apex_memory.pipeline.retrieval.deadline import Deadline
from apex_memory.pipeline.retrieval.paths import STEPS, most_relevant_first, reached
from apex_memory.pipeline.retrieval.question import Question
from apex_memory.ports import Archive, GraphSearcher

MAX_FACTS: Final = 50
# Entities from which the graph is walked.
MAX_SEEDS: Final = 32
# Claims asked of the graph for each one wanted: an item that changes every second has, until the garbage
# collector's grace is over, hundreds of superseded versions around its entity.
MARGIN: Final = 4
MAX_ROUNDS: Final = 3


class FactSearch:
    """The graph part of a search: claims around entities, validated by the archive."""

    def __init__(self, graph: GraphSearcher, archive: Archive, *, deadline_s: float) -> None:
        self._graph = graph
        self._archive = archive
        self._deadline_s = deadline_s

    async def about(
        self, question: Question, *, named: Sequence[EntityView], hits: Sequence[Hit], seq: int
    ) -> tuple[FactView, ...]:
        """The facts that matter most to a question: around what it names, then around what its hits mention.

        Raises:
            StoreUnavailable: under the graph's name or the archive's.
        """
        pinned = [entity.entity_id for entity in named]
        if where := question.where.entity:
            pinned.insert(0, entity_id(question.tenant_id, where.type, where.key))
        mentioned = [entity.entity_id for hit in hits for entity in hit.entities]
        seeds = tuple(dict.fromkeys(pinned + mentioned))[:MAX_SEEDS]
        if not seeds:
            return ()
        matches = partial(_matches, question.where)
        facts = await self.around(question.tenant_id, seeds, seq=seq, limit=MAX_FACTS, wanted=matches)
        return most_relevant_first(facts, named=pinned, hits=hits)[:MAX_FACTS]

    async def around(
        self,
        tenant_id: str,
        seeds: Sequence[UUID],
        *,
        seq: int,
        limit: int,
        wanted: Callable[[FactView], bool] = lambda _fact: True,
    ) -> tuple[FactView, ...]:
        """At least `limit` facts if there are as many, nearest first, over visible paths only.

        Raises:
            StoreUnavailable: under the graph's name or the archive's.
        """
        facts: tuple[FactView, ...] = ()
        fetch = limit * MARGIN
        for _ in range(MAX_ROUNDS):
            claims = await self._claims(tenant_id, seeds, limit=fetch)
            visible = await self._visible(tenant_id, claims, seq=seq)
            facts = tuple(fact for fact in reached(visible, seeds) if wanted(fact))
            if len(facts) >= limit or len(claims) < fetch:
                break
            fetch *= 2
        return facts

    async def _claims(self, tenant_id: str, seeds: Sequence[UUID], *, limit: int) -> Sequence[UUID]:
        walk = self._graph.claims_around(tenant_id, seeds, steps=STEPS, limit=limit)
        return await Deadline(self._deadline_s).keep(self._graph.name, walk)

    async def _visible(self, tenant_id: str, claims: Sequence[UUID], *, seq: int) -> Sequence[FactView]:
        if not claims:
            return ()
        validated = self._archive.visible_facts(tenant_id, claims, seq=seq)
        return await Deadline(self._deadline_s).keep(self._archive.name, validated)


def _matches(where: SearchFilter, fact: FactView) -> bool:
    return (not where.sources or fact.source in where.sources) and (
        not where.kinds or fact.kind in where.kinds
    )
