"""A question and a snapshot in, the chunks that answer it and were visible then out."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from apex_memory.domain.answers import Candidate, EntityView, Hit
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.pipeline.retrieval.deadline import Deadline
from apex_memory.pipeline.retrieval.fusion import best_first, fuse
from apex_memory.pipeline.retrieval.legs import DenseProposals, Leg, LexicalProposals
from apex_memory.pipeline.retrieval.query_cache import QueryCache
from apex_memory.pipeline.retrieval.question import Question
from apex_memory.ports import Archive, VectorSearcher

# Candidates asked of each leg beyond what is wanted: room for versions that are not visible, and for chunks
# of which only one leg thinks well. For ten hits, legs of 50 lose 0.6 points of recall@10 to endless ones.
MARGIN: Final = 40
MAX_ROUNDS: Final = 3
# Decides among hits that match about as well: a fifth of a perfect match in one leg. More is a gamble:
# boosting names was measured to gain 2.2 points on true questions and to cost 5.7 on misleading ones.
NAMED_BONUS: Final = 0.1


class Passages(NamedTuple):
    """Hits, best first, and the legs that did not answer in time."""

    hits: tuple[Hit, ...]
    failures: tuple[StoreUnavailable, ...]


class PassageSearch:
    """The text part of a search: two legs, fused, then validated by the archive."""

    def __init__(
        self, archive: Archive, vectors: VectorSearcher, queries: QueryCache, *, deadline_s: float
    ) -> None:
        self._archive = archive
        self._vectors = vectors
        self._queries = queries
        self._deadline_s = deadline_s

    async def find(self, question: Question, *, seq: int, named: Sequence[EntityView]) -> Passages:
        """Raises StoreUnavailable: the archive, or every leg, does not answer."""
        deadline = Deadline(self._deadline_s)
        dense = Leg(DenseProposals(self._vectors, self._queries, question, named=named, deadline=deadline))
        lexical = Leg(LexicalProposals(self._archive, question, seq=seq, deadline=deadline))
        hits: tuple[Hit, ...] = ()
        fetch = question.limit + MARGIN
        for _ in range(MAX_ROUNDS):
            await asyncio.gather(dense.fetch(fetch), lexical.fetch(fetch))
            fused = fuse(dense=dense.candidates, lexical=lexical.candidates)
            hits = await self._visible(question, fused, seq=seq)
            if len(hits) >= question.limit or not (dense.more or lexical.more):
                break
            fetch *= 2
        if dense.failure and lexical.failure and not hits:
            # Nobody can say that there is nothing.
            raise lexical.failure
        ranked = best_first(_with_bonus(hit, named) for hit in hits)
        failures = tuple(leg.failure for leg in (dense, lexical) if leg.failure)
        return Passages(hits=ranked[: question.limit], failures=failures)

    async def _visible(self, question: Question, fused: Sequence[Candidate], *, seq: int) -> tuple[Hit, ...]:
        if not fused:
            return ()
        validated = self._archive.visible_hits(question.tenant_id, fused, seq=seq, where=question.where)
        return tuple(await Deadline(self._deadline_s).keep(self._archive.name, validated))


def _with_bonus(hit: Hit, named: Sequence[EntityView]) -> Hit:
    mentioned = {entity.entity_id for entity in hit.entities}
    if mentioned.isdisjoint(entity.entity_id for entity in named):
        return hit
    return hit.model_copy(update={"score": hit.score + NAMED_BONUS})
