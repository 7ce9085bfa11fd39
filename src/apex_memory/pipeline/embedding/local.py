"""Texts in, vectors out, computed in this process by all-MiniLM-L6-v2 on the CPU."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import structlog
from threadpoolctl import threadpool_limits

from apex_memory.pipeline.embedding.minilm import WIDTH, Floats, MiniLM, TokenIds
from apex_memory.pipeline.embedding.model_files import MODEL, SHA256, WEIGHTS, verified
from apex_memory.pipeline.embedding.tokenizer import MAX_TOKENS, ModelTokenizer

# 30 MB of intermediate results and half a second a thread; larger packs are no faster.
PACK_TOKENS: Final = 2048

log = structlog.get_logger()


class LocalEmbedder:
    """all-MiniLM-L6-v2. Loaded at the first call (0.4 s, 200 MB), then kept; use one per process.

    `threads` is how many forward passes run at a time, each on one core. Hazard: OpenBLAS has threads of its
    own, which spin while they wait and fight with a second pass for the cores. So the first call limits them
    to one for the whole process: a short text then costs 25 ms of CPU instead of 105, and two at a time
    take 25 ms a text of 165 tokens instead of 39 (numpy 2.4, 2 cores).
    """

    def __init__(self, model_dir: Path, *, threads: int) -> None:
        self.id = f"local:{MODEL}:{SHA256[WEIGHTS][:8]}:{WIDTH}"
        self.dim = WIDTH
        self.max_tokens = MAX_TOKENS
        self._model_dir = model_dir
        self._loaded: _Loaded | None = None
        self._loading = asyncio.Lock()
        self._threads = threads
        self._turns = asyncio.Semaphore(threads)

    async def embed(self, texts: Sequence[str]) -> Floats:
        """`float32 (len(texts), 384)`, L2-normalised, in input order; what follows token 256 is not read.

        Raises:
            DependencyMissing: the model's files are absent or altered.
        """
        if not texts:
            return np.empty((0, WIDTH), np.float32)
        tokenizer, model = await self._load()
        sequences = await asyncio.to_thread(tokenizer.token_ids, texts)
        packs = _packs(sequences, threads=self._threads)
        vectors = await asyncio.gather(*(self._forward(model, pack) for pack in packs))
        return np.concatenate(vectors)

    async def aclose(self) -> None:
        """Nothing to close."""

    async def _load(self) -> "_Loaded":
        async with self._loading:
            if self._loaded is None:
                self._loaded = await asyncio.to_thread(_load, self._model_dir)
                log.info("embedder.loaded", embedder=self.id, model_dir=str(self._model_dir))
            return self._loaded

    async def _forward(self, model: MiniLM, pack: list[TokenIds]) -> Floats:
        async with self._turns:
            return await asyncio.to_thread(model.forward, pack)


class _Loaded(NamedTuple):
    tokenizer: ModelTokenizer
    model: MiniLM


def _load(model_dir: Path) -> _Loaded:
    threadpool_limits(limits=1, user_api="blas")
    return _Loaded(ModelTokenizer.load(model_dir), MiniLM.load(verified(model_dir, WEIGHTS)))


def _packs(sequences: Sequence[TokenIds], *, threads: int) -> Iterator[list[TokenIds]]:
    """Consecutive sequences, so many at a time that every thread gets some and none gets much more."""
    total = sum(len(sequence) for sequence in sequences)
    enough = min(PACK_TOKENS, -(-total // threads))
    pack: list[TokenIds] = []
    tokens = 0
    for sequence in sequences:
        pack.append(sequence)
        tokens += len(sequence)
        if tokens >= enough:
            yield pack
            pack, tokens = [], 0
    if pack:
        yield pack
