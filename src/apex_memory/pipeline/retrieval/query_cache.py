"""A question in, what an earlier search kept for it out; without a cache everything is only slower."""

import hashlib
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import ValidationError

from apex_memory.domain.answers import SearchAnswer
from apex_memory.domain.cached import answer_key, vector_key
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.pipeline.retrieval.deadline import Deadline
from apex_memory.pipeline.retrieval.question import Question
from apex_memory.ports import Cache, Embedder

# The key carries the snapshot, so an answer never goes stale; the time only bounds how long a text that was
# forgotten meanwhile rests in Redis, out of any reader's reach.
ANSWER_TTL_S: Final = 60
# A text has the same vector for ever; an hour bounds the memory.
VECTOR_TTL_S: Final = 3_600
# A hit saves an embedding (16 ms here) and some round trips: a cache slower than this is as good as none.
PATIENCE_S: Final = 0.1


class QueryCache:
    """Whole answers by question and snapshot, query vectors by text; both also by embedder."""

    def __init__(self, cache: Cache, embedder: Embedder) -> None:
        self._cache = cache
        self._embedder = embedder

    async def answer(self, question: Question, *, seq: int) -> SearchAnswer | None:
        kept = await self._get(question.tenant_id, self._answer_key(question, seq))
        if kept is None:
            return None
        try:
            return SearchAnswer.model_validate_json(kept)
        except ValidationError:
            # Written by another release: a miss.
            return None

    async def keep_answer(self, question: Question, answer: SearchAnswer) -> None:
        """Keep an answer unless a store was missing: the next caller may be luckier."""
        if not answer.missing:
            key = self._answer_key(question, answer.seq)
            await self._put(question.tenant_id, key, answer.model_dump_json().encode(), ttl_s=ANSWER_TTL_S)

    async def vector(self, question: Question) -> NDArray[np.float32]:
        """The question's vector, kept or computed. Raises what `Embedder.embed` raises."""
        key = vector_key(_digest([self._embedder.id, question.text]))
        kept = await self._get(question.tenant_id, key)
        if kept is not None and len(kept) == self._embedder.dim * np.dtype(np.float32).itemsize:
            return np.frombuffer(kept, dtype=np.float32)
        [vector] = await self._embedder.embed([question.text])
        await self._put(question.tenant_id, key, vector.tobytes(), ttl_s=VECTOR_TTL_S)
        return vector

    def _answer_key(self, question: Question, seq: int) -> str:
        return answer_key(seq, _digest([self._embedder.id, question.model_dump(mode="json")]))

    async def _get(self, tenant_id: str, key: str) -> bytes | None:
        try:
            return await Deadline(PATIENCE_S).keep(self._cache.name, self._cache.get(tenant_id, key))
        except StoreUnavailable:
            return None

    async def _put(self, tenant_id: str, key: str, value: bytes, *, ttl_s: int) -> None:
        put = self._cache.put(tenant_id, key, value, ttl_s=ttl_s)
        try:
            await Deadline(PATIENCE_S).keep(self._cache.name, put)
        except StoreUnavailable:
            return


def _digest(parts: list[object]) -> str:
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()
