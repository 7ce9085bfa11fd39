"""Staged bundles in, one vector a passage out."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray
from temporalio import activity

from apex_memory.domain.messages import StagedBatch
from apex_memory.domain.staged import BUNDLES, VECTORS, dump_vectors, load_bundles
from apex_memory.ports import Embedder, StagingArea

#: Texts a call: small enough that a cancel is noticed between two calls.
_SLICE: Final = 64
#: At 384 dimensions, 15 MB of vectors.
_REMEMBERED: Final = 10_000

Vector = NDArray[np.float32]

log = structlog.get_logger()


class EmbedActivities:
    """The activities of the embed queue: CPU, or a provider's rate limit."""

    def __init__(self, *, staging: StagingArea, embedder: Embedder) -> None:
        self._staging = staging
        self._embedder = embedder
        self._lately = _Lately()

    @activity.defn
    async def generate_embeddings_from_json_activity(self, staged: StagedBatch) -> None:
        """What a fleet says all day differs in little else than times: each text is embedded once."""
        texts = await self._texts(staged)
        vectors = self._lately.among(staged.tenant_id, texts)
        new = [text for text in dict.fromkeys(texts) if text not in vectors]
        made = dict(zip(new, await self._embedded(new), strict=True))
        self._lately.learn(staged.tenant_id, made)
        vectors |= made
        await self._keep(staged, [vectors[text] for text in texts], new=len(new))

    @activity.defn
    async def generate_embeddings_from_document_activity(self, staged: StagedBatch) -> None:
        texts = await self._texts(staged)
        await self._keep(staged, await self._embedded(texts), new=len(texts))

    async def _texts(self, staged: StagedBatch) -> list[str]:
        bundles = load_bundles(await self._staging.read(f"{staged.key}/{BUNDLES}"))
        return [b.bundle.embedded_text(p) for b in bundles for p in b.bundle.passages]

    async def _embedded(self, texts: Iterable[str]) -> list[Vector]:
        waiting, vectors = iter(texts), list[Vector]()
        while some := list(islice(waiting, _SLICE)):
            vectors += list(await self._embedder.embed(some))
        return vectors

    async def _keep(self, staged: StagedBatch, vectors: Sequence[Vector], *, new: int) -> None:
        table = np.stack(vectors) if vectors else np.zeros((0, self._embedder.dim), np.float32)
        await self._staging.write(f"{staged.key}/{VECTORS}", dump_vectors(table))
        log.info("passages.embedded", tenant_id=staged.tenant_id, passages=len(vectors), new=new)


class _Lately:
    """Vectors of texts that were embedded not long ago, each tenant's apart; the oldest go first."""

    def __init__(self) -> None:
        self._vectors: OrderedDict[bytes, Vector] = OrderedDict()

    def among(self, tenant_id: str, texts: Iterable[str]) -> dict[str, Vector]:
        found: dict[str, Vector] = {}
        for text in texts:
            key = _key(tenant_id, text)
            if key in self._vectors:
                self._vectors.move_to_end(key)
                found[text] = self._vectors[key]
        return found

    def learn(self, tenant_id: str, vectors: Mapping[str, Vector]) -> None:
        for text, vector in vectors.items():
            # A copy: a row would keep the whole table that it was made in.
            self._vectors[_key(tenant_id, text)] = vector.copy()
        while len(self._vectors) > _REMEMBERED:
            self._vectors.popitem(last=False)


def _key(tenant_id: str, text: str) -> bytes:
    return hashlib.sha256(f"{tenant_id}\0{text}".encode()).digest()
