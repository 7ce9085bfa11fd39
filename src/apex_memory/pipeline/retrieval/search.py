"""A question, an entity or an item in, what is visible of it at one snapshot out."""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog

from apex_memory.domain import ids
from apex_memory.domain.answers import (
    EntityView,
    FactView,
    ItemView,
    Neighbourhood,
    SearchAnswer,
    SearchFilter,
)
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.pipeline.retrieval.cards import Cards
from apex_memory.pipeline.retrieval.deadline import Deadline
from apex_memory.pipeline.retrieval.facts import FactSearch
from apex_memory.pipeline.retrieval.names import candidate_keys
from apex_memory.pipeline.retrieval.passages import PassageSearch
from apex_memory.pipeline.retrieval.query_cache import QueryCache
from apex_memory.pipeline.retrieval.question import Question, asked, check_limit
from apex_memory.pipeline.retrieval.snapshot import SnapshotReader, Snapshots
from apex_memory.pipeline.retrieval.standing import StandingSearch, current
from apex_memory.ports import Archive, Cache, Embedder, GraphSearcher, VectorSearcher

EVERYTHING: Final = SearchFilter()

log = structlog.get_logger()


class Retrieval:
    """Reads at a snapshot. Stores propose; PostgreSQL alone says what was visible.

    `deadline_s` is the time that one store has to answer: the dense and the lexical leg run side by side
    within it, and each question to PostgreSQL and Neo4j has it anew.
    """

    def __init__(
        self,
        ledger: Snapshots,
        archive: Archive,
        vectors: VectorSearcher,
        graph: GraphSearcher,
        embedder: Embedder,
        cache: Cache,
        *,
        deadline_s: float,
    ) -> None:
        self._archive = archive
        self._graph = graph
        self._deadline_s = deadline_s
        # Ledger and archive are one database; an outage carries its name.
        self._snapshots = SnapshotReader(ledger, store=archive.name, deadline_s=deadline_s)
        self._queries = QueryCache(cache, embedder)
        self._cards = Cards(cache)
        self._passages = PassageSearch(archive, vectors, self._queries, deadline_s=deadline_s)
        self._facts = FactSearch(graph, archive, deadline_s=deadline_s)
        self._standing = StandingSearch(archive, deadline_s=deadline_s)

    async def search(
        self,
        tenant_id: str,
        query: str,
        *,
        limit: int = 10,
        min_seq: int | None = None,
        where: SearchFilter = EVERYTHING,
    ) -> SearchAnswer:
        """The best hits and the facts around them, all visible at the answer's `seq`.

        `min_seq` is the token that an ingestion returned: the answer is not older than that.

        Raises:
            QueryRejected: the question cannot be asked.
            SnapshotBehind: `min_seq` was not reached in time.
            StoreUnavailable: PostgreSQL does not answer. Any other store that does not is named in `missing`.
        """
        question = asked(tenant_id, query, limit=limit, where=where)
        seq = await self._snapshots.at(tenant_id, min_seq=min_seq)
        kept = await self._queries.answer(question, seq=seq)
        if kept is not None:
            return kept
        answer = await self._answer(question, seq=seq)
        await self._queries.keep_answer(question, answer)
        return answer

    async def neighbourhood(
        self, tenant_id: str, entity_id: UUID, *, min_seq: int | None = None, limit: int = 50
    ) -> Neighbourhood:
        """An entity, what else it is called, how it stands and stood, and the facts around it, nearest first.

        `limit` is that of the facts, and of each functional predicate's part of the timeline.

        Raises:
            ItemNotFound: nothing visible speaks of the entity.
            QueryRejected, SnapshotBehind: as for `search`.
            StoreUnavailable: PostgreSQL or Neo4j does not answer, or Neo4j is being rebuilt.
        """
        check_limit(limit)
        seq = await self._snapshots.at(tenant_id, min_seq=min_seq)
        incomplete, entity = await asyncio.gather(
            self._incomplete(tenant_id),
            Deadline(self._deadline_s).keep(
                self._archive.name, self._archive.entity(tenant_id, entity_id, seq=seq)
            ),
        )
        if self._graph.name in incomplete:
            raise StoreUnavailable(self._graph.name, "it is being rebuilt")
        facts, aliases = await asyncio.gather(
            self._facts.around(tenant_id, [entity_id], seq=seq, limit=limit),
            self._standing.aliases(tenant_id, entity_id, seq=seq),
        )
        names = [entity_id, *(alias.entity_id for alias in aliases)]
        timeline = await self._standing.timeline(tenant_id, names, seq=seq, limit=limit)
        return Neighbourhood(
            seq=seq,
            entity=entity,
            facts=facts[:limit],
            aliases=aliases,
            current=current(timeline),
            timeline=timeline,
        )

    async def item(self, tenant_id: str, item_id: UUID) -> ItemView:
        """Raises ItemNotFound, StoreUnavailable."""
        seq = await self._snapshots.at(tenant_id, min_seq=None)
        deadline = Deadline(self._deadline_s)
        version = await deadline.keep(self._archive.name, self._archive.version(tenant_id, item_id, seq=seq))
        if card := await self._cards.get(tenant_id, item_id, version):
            return card
        return await deadline.keep(self._archive.name, self._archive.item(tenant_id, item_id, seq=seq))

    async def _answer(self, question: Question, *, seq: int) -> SearchAnswer:
        # Asked before the stores are: one that is filled in the meantime was not when it answered.
        incomplete, named = await asyncio.gather(
            self._incomplete(question.tenant_id), self._named(question, seq=seq)
        )
        hits, failures = await self._passages.find(question, seq=seq, named=named)
        facts: tuple[FactView, ...] = ()
        try:
            facts = await self._facts.about(question, named=named, hits=hits, seq=seq)
        except StoreUnavailable as exc:
            if exc.store != self._graph.name:
                raise
            failures += (exc,)
        _log_missing(question, failures)
        missing = dict.fromkeys((*incomplete, *(failure.store for failure in failures)))
        return SearchAnswer(seq=seq, hits=hits, facts=facts, missing=tuple(missing))

    async def _incomplete(self, tenant_id: str) -> Sequence[str]:
        return await Deadline(self._deadline_s).keep(self._archive.name, self._archive.incomplete(tenant_id))

    async def _named(self, question: Question, *, seq: int) -> Sequence[EntityView]:
        """The entities that the question names, the most telling name first."""
        keys = candidate_keys(question.text)
        if not keys:
            return ()
        search = self._archive.entities_named(question.tenant_id, keys, seq=seq)
        found = await Deadline(self._deadline_s).keep(self._archive.name, search)
        place = {key: n for n, key in enumerate(keys)}
        return sorted(
            found, key=lambda view: (place.get(ids.entity_key(view.key), len(keys)), view.entity_id)
        )


def _log_missing(question: Question, failures: Sequence[StoreUnavailable]) -> None:
    for failure in failures:
        log.warning(
            "search.leg_missing",
            tenant_id=question.tenant_id,
            store=failure.store,
            reason=failure.reason,
        )
