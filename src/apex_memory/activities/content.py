"""A staged batch in, its bundles under their versions out: parsed, and their parts named, once a process."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from apex_memory.domain.bundles import VersionedBundle, VersionRef
from apex_memory.domain.messages import StagedBatch
from apex_memory.domain.staged import BUNDLES, VECTORS, StagedBundle, load_bundles, load_vectors
from apex_memory.ports import StagingArea

#: Steps of one batch follow each other within a second. What is forgotten leaves the memory as soon as this.
_KEPT_S: Final = 10.0
#: Of JSON; parsed it takes ten times as much. What is longer is read anew by each step.
_MOST_BYTES: Final = 8 * 1024 * 1024


class BatchContent:
    """What one batch says. The same version is the same object each time, so its ids are derived once."""

    def __init__(
        self, tenant_id: str, bundles: Sequence[StagedBundle], vectors: NDArray[np.float32], embedder_id: str
    ) -> None:
        self.bundles = bundles
        self._tenant_id = tenant_id
        self._vectors = vectors
        self._embedder_id = embedder_id
        self._versioned: dict[VersionRef, VersionedBundle] = {}

    def under(self, versions: Mapping[UUID, VersionRef]) -> list[VersionedBundle]:
        """The bundles of these events, each under its version and with its vectors."""
        writes: list[VersionedBundle] = []
        row = 0
        for staged in self.bundles:
            end = row + len(staged.bundle.passages)
            if ref := versions.get(staged.event_id):
                if ref not in self._versioned:
                    self._versioned[ref] = VersionedBundle(
                        self._tenant_id, ref, staged.bundle, self._embedder_id, self._vectors[row:end]
                    )
                writes.append(self._versioned[ref])
            row = end
        return writes


class ContentReader:
    """Reads batches from the staging area; what was parsed lately is known by the hash of its bytes."""

    def __init__(self, staging: StagingArea, *, embedder_id: str) -> None:
        self._staging = staging
        self._embedder_id = embedder_id
        self._lately: OrderedDict[bytes, tuple[int, BatchContent]] = OrderedDict()

    async def read(self, staged: StagedBatch) -> BatchContent:
        """Raises what the staging area raises for files that are not there."""
        bundles = await self._staging.read(f"{staged.key}/{BUNDLES}")
        vectors = await self._staging.read(f"{staged.key}/{VECTORS}")
        # Not by the batch's key: a step that is run again writes its files again.
        key = hashlib.sha256(b"\0".join((staged.tenant_id.encode(), bundles, vectors))).digest()
        if key in self._lately:
            return self._lately[key][1]
        content = BatchContent(
            staged.tenant_id, load_bundles(bundles), load_vectors(vectors), self._embedder_id
        )
        self._keep(key, len(bundles), content)
        return content

    def _keep(self, key: bytes, size: int, content: BatchContent) -> None:
        self._lately[key] = size, content
        while sum(size for size, _ in self._lately.values()) > _MOST_BYTES:
            self._lately.popitem(last=False)
        asyncio.get_running_loop().call_later(_KEPT_S, self._lately.pop, key, None)
