"""Staged bundles in, one vector a passage out."""

from itertools import islice

import numpy as np
import structlog
from temporalio import activity

from apex_memory.domain.messages import StagedBatch
from apex_memory.domain.staged import BUNDLES, VECTORS, dump_vectors, load_bundles
from apex_memory.ports import Embedder, StagingArea

#: Texts a call: small enough that a cancel is noticed between two calls.
_SLICE = 64

log = structlog.get_logger()


class EmbedActivities:
    """The activities of the embed queue: CPU, or a provider's rate limit."""

    def __init__(self, *, staging: StagingArea, embedder: Embedder) -> None:
        self._staging = staging
        self._embedder = embedder

    @activity.defn
    async def generate_embeddings_from_json_activity(self, staged: StagedBatch) -> None:
        await self._embed(staged)

    @activity.defn
    async def generate_embeddings_from_document_activity(self, staged: StagedBatch) -> None:
        await self._embed(staged)

    async def _embed(self, staged: StagedBatch) -> None:
        bundles = load_bundles(await self._staging.read(f"{staged.key}/{BUNDLES}"))
        texts = iter([b.bundle.embedded_text(p) for b in bundles for p in b.bundle.passages])
        parts = [np.zeros((0, self._embedder.dim), np.float32)]
        while some := list(islice(texts, _SLICE)):
            parts.append(await self._embedder.embed(some))
        vectors = np.concatenate(parts)
        await self._staging.write(f"{staged.key}/{VECTORS}", dump_vectors(vectors))
        log.info("passages.embedded", tenant_id=staged.tenant_id, passages=len(vectors))
