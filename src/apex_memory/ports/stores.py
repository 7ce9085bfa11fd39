"""Versioned bundles in, what a store holds of them out."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from apex_memory.domain.answers import Candidate, SearchFilter
from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.domain.upkeep import VersionPage


class Store(Protocol):
    """One participant of the write. Everything it keeps lies under ids that contain the version."""

    name: str

    async def ensure(self) -> None:
        """Whatever must be there before the first `prepare` is; any number of processes may do so at once."""
        ...

    def parts(self, write: VersionedBundle) -> Sequence[UUID]:
        """The ids of all that `prepare` will keep of this version in this store."""
        ...

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        """Idempotent upserts. Raises StoreUnavailable: the outcome is unknown, try again."""
        ...

    async def read_back(self, tenant_id: str, refs: Sequence[VersionRef]) -> Mapping[VersionRef, Manifest]:
        """What the store really holds of each version, read from the store."""
        ...

    async def discard(self, tenant_id: str, refs: Sequence[VersionRef]) -> None:
        """Delete exactly these versions; nothing there is fine."""
        ...

    async def versions(self, tenant_id: str, *, after: str | None, limit: int) -> VersionPage:
        """Page through all that is held of a tenant: each version at least once over all pages.

        What is written meanwhile may be missed. `limit` bounds a page's work, not exactly its length.
        """
        ...

    async def versions_of(self, tenant_id: str, items: Sequence[UUID]) -> Sequence[VersionRef]:
        """Every version of these items that something is held of, known to the ledger or not."""
        ...

    async def ping(self) -> None:
        """Raises StoreUnavailable."""
        ...


class Projection(Store, Protocol):
    """A store that holds nothing of its own: whatever it loses is written again from the canon."""

    async def altered(self, writes: Sequence[VersionedBundle]) -> Sequence[VersionRef]:
        """Those of the versions whose parts, right by their ids, say something else than was written."""
        ...


class Canon(Protocol):
    """The canonical content: what the other stores are rebuilt from, without a model call."""

    async def bundles(self, tenant_id: str, versions: Sequence[VersionRef]) -> Sequence[VersionedBundle]:
        """The versions as they were first prepared, vectors included; one that is not held is left out."""
        ...


class VectorSearcher(Protocol):
    """The dense leg: a query vector in, candidates out."""

    name: str

    async def nearest(
        self, tenant_id: str, vector: NDArray[np.float32], *, limit: int, where: SearchFilter
    ) -> Sequence[Candidate]: ...


class GraphSearcher(Protocol):
    """The graph leg: entities in, claims around them out, nearest first."""

    name: str

    async def claims_around(
        self, tenant_id: str, entities: Sequence[UUID], *, steps: int, limit: int
    ) -> Sequence[UUID]:
        """Ids of claims within `steps` of the entities, of any version: the ledger says which are visible."""
        ...


class Cache(Protocol):
    """May vanish at any time: a miss and an outage are the same answer."""

    name: str

    async def get(self, tenant_id: str, key: str) -> bytes | None: ...

    async def put(self, tenant_id: str, key: str, value: bytes, *, ttl_s: int) -> bool:
        """False: not kept."""
        ...

    async def put_all(self, tenant_id: str, values: Mapping[str, bytes], *, ttl_s: int) -> bool:
        """Each under its key. False: not every one was kept."""
        ...

    async def keys(self, tenant_id: str) -> Sequence[str]:
        """Under which keys something is kept for the tenant. Raises StoreUnavailable."""
        ...

    async def forget(self, tenant_id: str) -> None:
        """Drop all that is kept for the tenant. Raises StoreUnavailable: it may still be there."""
        ...

    async def ping(self) -> None:
        """Raises StoreUnavailable."""
        ...
