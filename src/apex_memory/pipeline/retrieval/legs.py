"""A question in, the chunks that the dense and the lexical leg propose out, or what kept them from it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from apex_memory.domain.answers import Candidate, EntityView, SearchFilter
from apex_memory.domain.bundles import EntityRef
from apex_memory.domain.errors import PermanentError, RateLimited, StoreUnavailable
from apex_memory.pipeline.retrieval.deadline import Deadline
from apex_memory.pipeline.retrieval.query_cache import QueryCache
from apex_memory.pipeline.retrieval.question import Question
from apex_memory.ports import Archive, VectorSearcher

EMBEDDER: Final = "embedder"
# Each costs one more vector query, in parallel; few questions name more things than this.
MAX_NARROWED: Final = 3


class Proposed(NamedTuple):
    """What a leg found; `more`: asking for a longer list may find more."""

    candidates: Sequence[Candidate]
    more: bool


Propose = Callable[[int], Awaitable[Proposed]]
"""How many candidates in, the candidates out. Raises StoreUnavailable under the name that is missing."""


class Leg:
    """One leg of one search. A leg that failed keeps what it had found, and is not asked again."""

    def __init__(self, propose: Propose) -> None:
        self.candidates: Sequence[Candidate] = ()
        self.more = True
        self.failure: StoreUnavailable | None = None
        self._propose = propose

    async def fetch(self, count: int) -> None:
        if not self.more:
            return
        try:
            self.candidates, self.more = await self._propose(count)
        except StoreUnavailable as exc:
            self.failure, self.more = exc, False


class DenseProposals:
    """The chunks nearest to the question, among all and among those that speak of what it names.

    The second kind finds what is about SHIP-2025-10-19-002 even if a thousand texts are nearer in meaning
    and none of its own spells the key.
    """

    def __init__(
        self,
        vectors: VectorSearcher,
        queries: QueryCache,
        question: Question,
        *,
        named: Sequence[EntityView],
        deadline: Deadline,
    ) -> None:
        self._vectors = vectors
        self._queries = queries
        self._question = question
        self._filters = _narrowed(question.where, named)
        self._deadline = deadline
        self._vector: NDArray[np.float32] | None = None

    async def __call__(self, count: int) -> Proposed:
        if self._vector is None:
            self._vector = await self._embedded()
        searches = [
            self._vectors.nearest(self._question.tenant_id, self._vector, limit=count, where=where)
            for where in self._filters
        ]
        lists = await self._deadline.keep(self._vectors.name, asyncio.gather(*searches))
        return Proposed(
            candidates=tuple(chain.from_iterable(lists)), more=any(len(found) >= count for found in lists)
        )

    async def _embedded(self) -> NDArray[np.float32]:
        try:
            return await self._deadline.keep(EMBEDDER, self._queries.vector(self._question))
        except (RateLimited, PermanentError) as exc:
            raise StoreUnavailable(EMBEDDER, type(exc).__name__) from exc


class LexicalProposals:
    """The chunks that share words with the question."""

    def __init__(self, archive: Archive, question: Question, *, seq: int, deadline: Deadline) -> None:
        self._archive = archive
        self._question = question
        self._seq = seq
        self._deadline = deadline

    async def __call__(self, count: int) -> Proposed:
        question = self._question
        search = self._archive.lexical(
            question.tenant_id, question.text, seq=self._seq, limit=count, where=question.where
        )
        found = await self._deadline.keep(self._archive.name, search)
        return Proposed(candidates=found, more=len(found) >= count)


def _narrowed(where: SearchFilter, named: Sequence[EntityView]) -> tuple[SearchFilter, ...]:
    if where.entity is not None:
        return (where,)
    entities = [EntityRef(type=entity.type, key=entity.key) for entity in named[:MAX_NARROWED]]
    return (where, *(where.model_copy(update={"entity": entity}) for entity in entities))
