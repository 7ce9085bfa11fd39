"""What the in-memory vector store holds, searched: a query vector in, candidates out."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from apex_memory.domain.answers import Candidate, SearchFilter
from apex_memory.domain.bundles import VersionedBundle, VersionRef
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

    async def altered(self, writes: Sequence[VersionedBundle]) -> Sequence[VersionRef]:
        held = {(write.tenant_id, one.ref): one for write in writes for one in self.held(write.tenant_id)}
        return [write.ref for write in writes if not _alike(held.get((write.tenant_id, write.ref)), write)]

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


def _matches(write: VersionedBundle, where: SearchFilter) -> bool:
    bundle = write.bundle
    named = {write.entity_id(entity) for entity in write.entities}
    return (
        (not where.sources or bundle.source in where.sources)
        and (not where.kinds or bundle.kind in where.kinds)
        and (where.entity is None or write.entity_id(where.entity) in named)
    )


def _alike(held: VersionedBundle | None, written: VersionedBundle) -> bool:
    return held is not None and np.array_equal(held.vectors, written.vectors)
