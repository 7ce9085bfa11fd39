"""Versioned bundles in, one point a chunk kept; what a version holds, or what is near a vector, back."""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from itertools import chain
from typing import Final, TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from apex_memory.domain.answers import Candidate, SearchFilter
from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.domain.errors import EmbedderMismatch
from apex_memory.domain.upkeep import VersionPage
from apex_memory.pipeline.stores.qdrant import filters
from apex_memory.pipeline.stores.qdrant.connection import NAME, outages_named

VECTOR: Final = "dense"
POINTS_A_REQUEST: Final = 256
VERSIONS_A_REQUEST: Final = 64
IDS_A_PAGE: Final = 1_000
PING_DEADLINE_S: Final = 2.0

_CONFLICT: Final = 409

_T = TypeVar("_T")


class QdrantStore:
    """Implements `ports.Projection` and `ports.VectorSearcher`: a collection an embedder, for all tenants."""

    name = NAME

    def __init__(self, client: AsyncQdrantClient, *, embedder_id: str, dim: int) -> None:
        self._client = client
        self._embedder_id = embedder_id
        self._dim = dim
        self._collection = collection_name(embedder_id, dim)

    async def ensure(self) -> None:
        """Create the collection and its indexes if missing; any number of processes may, at once."""
        with outages_named():
            if not await self._client.collection_exists(self._collection):
                await self._create_collection()
            for field, schema in filters.INDEXES.items():
                await self._client.create_payload_index(self._collection, field, schema, wait=True)

    def parts(self, write: VersionedBundle) -> Sequence[UUID]:
        return write.point_ids

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        """Raises EmbedderMismatch: a bundle's vectors are another embedder's."""
        for write in writes:
            if write.embedder_id != self._embedder_id:
                raise EmbedderMismatch(stored=self._embedder_id, configured=write.embedder_id)
        points = list(chain.from_iterable(map(_points, writes)))
        with outages_named():
            for batch in _batches(points, POINTS_A_REQUEST):
                await self._client.upsert(self._collection, batch, wait=True)
            for tenant_id in {write.tenant_id for write in writes}:
                of_tenant = [write for write in writes if write.tenant_id == tenant_id]
                for chunk in _batches(of_tenant, VERSIONS_A_REQUEST):
                    await self._delete_strays(tenant_id, chunk)

    async def read_back(self, tenant_id: str, refs: Sequence[VersionRef]) -> Mapping[VersionRef, Manifest]:
        held: dict[VersionRef, list[UUID]] = {ref: [] for ref in refs}
        with outages_named():
            for chunk in _batches(list(held), VERSIONS_A_REQUEST):
                async for ref, point in self._held(filters.versions(tenant_id, chunk)):
                    held[ref].append(point)
        return {ref: Manifest.of(points) for ref, points in held.items()}

    async def discard(self, tenant_id: str, refs: Sequence[VersionRef]) -> None:
        with outages_named():
            for chunk in _batches(refs, VERSIONS_A_REQUEST):
                await self._delete(filters.versions(tenant_id, chunk))

    async def versions(self, tenant_id: str, *, after: str | None, limit: int) -> VersionPage:
        """A page is `limit` points; where a version has more, it comes again on the next."""
        with outages_named():
            page, following = await self._client.scroll(
                self._collection,
                scroll_filter=filters.everything(tenant_id),
                limit=limit,
                offset=after,
                with_payload=["item_id", "version"],
            )
        refs = dict.fromkeys(VersionRef(**(point.payload or {})) for point in page)
        return VersionPage(refs=tuple(refs), after=None if following is None else str(following))

    async def versions_of(self, tenant_id: str, items: Sequence[UUID]) -> Sequence[VersionRef]:
        with outages_named():
            held = {
                ref: None
                for chunk in _batches(items, VERSIONS_A_REQUEST)
                async for ref, _ in self._held(filters.items(tenant_id, chunk))
            }
        return list(held)

    async def altered(self, writes: Sequence[VersionedBundle]) -> Sequence[VersionRef]:
        different: dict[VersionRef, None] = {}
        points = [(write.ref, point) for write in writes for point in _points(write)]
        with outages_named():
            for batch in _batches(points, POINTS_A_REQUEST):
                found = await self._client.retrieve(
                    self._collection, [point.id for _, point in batch], with_payload=True, with_vectors=True
                )
                held = {str(record.id): record for record in found}
                for ref, point in batch:
                    if not _alike(held.get(str(point.id)), point):
                        different[ref] = None
        return list(different)

    async def ping(self) -> None:
        with outages_named():
            async with asyncio.timeout(PING_DEADLINE_S):
                await self._client.info()

    async def nearest(
        self, tenant_id: str, vector: NDArray[np.float32], *, limit: int, where: SearchFilter
    ) -> Sequence[Candidate]:
        with outages_named():
            answer = await self._client.query_points(
                self._collection,
                query=vector.tolist(),
                using=VECTOR,
                query_filter=filters.search(tenant_id, where),
                limit=limit,
                with_payload=["chunk_id", "item_id", "version"],
            )
        return [Candidate(score=point.score, **(point.payload or {})) for point in answer.points]

    async def _create_collection(self) -> None:
        vectors = {VECTOR: models.VectorParams(size=self._dim, distance=models.Distance.COSINE)}
        try:
            await self._client.create_collection(self._collection, vectors_config=vectors)
        except UnexpectedResponse as exc:
            # Another process was first.
            if exc.status_code != _CONFLICT:
                raise

    async def _delete_strays(self, tenant_id: str, writes: Sequence[VersionedBundle]) -> None:
        """What an earlier try left of these versions under ids that this one does not write."""
        expected = chain.from_iterable(write.point_ids for write in writes)
        strays = filters.strays(tenant_id, [write.ref for write in writes], expected)
        # A delete waits for the disk even if it finds nothing; looking first does not.
        found, _ = await self._client.scroll(
            self._collection, scroll_filter=strays, limit=1, with_payload=False
        )
        if found:
            await self._delete(strays)

    async def _delete(self, selected: models.Filter) -> None:
        await self._client.delete(self._collection, models.FilterSelector(filter=selected), wait=True)

    async def _held(self, selected: models.Filter) -> AsyncGenerator[tuple[VersionRef, UUID]]:
        following = None
        while True:
            page, following = await self._client.scroll(
                self._collection,
                scroll_filter=selected,
                limit=IDS_A_PAGE,
                offset=following,
                with_payload=["item_id", "version"],
            )
            for point in page:
                yield VersionRef(**(point.payload or {})), UUID(str(point.id))
            if following is None:
                return


def collection_name(embedder_id: str, dim: int) -> str:
    """Readable for an operator, and different whenever vectors could not be compared."""
    readable = re.sub(r"[^a-z0-9]+", "-", embedder_id.lower()).strip("-")[:64]
    digest = hashlib.sha256(f"{dim} {embedder_id}".encode()).hexdigest()[:8]
    return f"apex-{readable}-{digest}"


def _points(write: VersionedBundle) -> Sequence[models.PointStruct]:
    shared = {
        "tenant_id": write.tenant_id,
        "item_id": str(write.ref.item_id),
        "version": write.ref.version,
        "source": write.bundle.source,
        "kind": write.bundle.kind,
        "entity_ids": [str(write.entity_id(entity)) for entity in write.entities],
    }
    return [
        models.PointStruct(
            id=str(point), vector={VECTOR: vector.tolist()}, payload={**shared, "chunk_id": str(chunk)}
        )
        for point, chunk, vector in zip(write.point_ids, write.chunk_ids, write.vectors, strict=True)
    ]


def _alike(held: models.Record | None, written: models.PointStruct) -> bool:
    if held is None or held.payload != written.payload:
        return False
    mine, theirs = written.vector, held.vector
    if not isinstance(mine, dict) or not isinstance(theirs, dict) or VECTOR not in theirs:
        return False
    # Qdrant normalises what it is given; the last bit may differ.
    return np.allclose(_as_array(mine[VECTOR]), _as_array(theirs[VECTOR]), rtol=0, atol=1e-6)


def _as_array(vector: object) -> NDArray[np.float32]:
    return np.asarray(vector, dtype=np.float32)


def _batches(things: Sequence[_T], size: int) -> Generator[Sequence[_T]]:
    return (things[start : start + size] for start in range(0, len(things), size))
