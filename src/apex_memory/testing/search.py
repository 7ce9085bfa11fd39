"""What the in-memory stores hold, searched: a query vector or entities in, candidates or claim ids out."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from apex_memory.domain.answers import Candidate, SearchFilter
from apex_memory.domain.bundles import VersionedBundle
from apex_memory.domain.errors import EmbedderMismatch
from apex_memory.testing.stores import MemoryStore


class MemoryVectors(MemoryStore):
    """Keeps the contracts of `ports.Store` and `ports.VectorSearcher`, by exact scan."""

    def __init__(self, embedder_id: str, *, name: str = "qdrant") -> None:
        super().__init__(name)
        self._embedder_id = embedder_id

    def parts(self, write: VersionedBundle) -> Sequence[UUID]:
        return write.point_ids

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        for write in writes:
            if write.embedder_id != self._embedder_id:
                raise EmbedderMismatch(stored=self._embedder_id, configured=write.embedder_id)
        await super().prepare(writes)

    async def nearest(
        self, tenant_id: str, vector: NDArray[np.float32], *, limit: int, where: SearchFilter
    ) -> Sequence[Candidate]:
        found = [
            Candidate(
                chunk_id=chunk, item_id=write.ref.item_id, version=write.ref.version, score=float(score)
            )
            for write in self.held(tenant_id)
            if _matches(write, where)
            for chunk, score in zip(write.chunk_ids, write.vectors @ vector, strict=True)
        ]
        return sorted(found, key=lambda candidate: candidate.score, reverse=True)[:limit]


class MemoryGraph(MemoryStore):
    """Keeps the contracts of `ports.Store` and `ports.GraphSearcher`, by walking every claim."""

    def __init__(self, *, name: str = "neo4j") -> None:
        super().__init__(name)

    def parts(self, write: VersionedBundle) -> Sequence[UUID]:
        return (*write.claim_ids, *write.mention_ids)

    async def claims_around(
        self, tenant_id: str, entities: Sequence[UUID], *, steps: int, limit: int
    ) -> Sequence[UUID]:
        edges = sorted(self._edges(tenant_id), key=lambda edge: edge.valid_from, reverse=True)
        reached = set(entities)
        found: dict[UUID, None] = {}
        for _ in range(steps):
            touched = [edge for edge in edges if edge.ends & reached]
            found.update(dict.fromkeys(edge.claim_id for edge in touched))
            reached = reached.union(*(edge.ends for edge in touched))
        return list(found)[:limit]

    def _edges(self, tenant_id: str) -> Iterator["_Edge"]:
        for write in self.held(tenant_id):
            for claim_id, claim in zip(write.claim_ids, write.bundle.claims, strict=True):
                ends = [claim.subject, claim.object] if claim.object else [claim.subject]
                yield _Edge(
                    claim_id=claim_id,
                    ends=frozenset(write.entity_id(entity) for entity in ends),
                    valid_from=claim.valid_from or write.bundle.as_of,
                )


class _Edge(NamedTuple):
    claim_id: UUID
    ends: frozenset[UUID]
    valid_from: datetime


def _matches(write: VersionedBundle, where: SearchFilter) -> bool:
    bundle = write.bundle
    named = {write.entity_id(entity) for entity in write.entities}
    return (
        (not where.sources or bundle.source in where.sources)
        and (not where.kinds or bundle.kind in where.kinds)
        and (where.entity is None or write.entity_id(where.entity) in named)
    )
