"""Text in, vectors out that depend on its words alone: an Embedder without a model."""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

DIM: Final = 128


class HashEmbedder:
    """Keeps the contract of `ports.Embedder`. Texts that share words have similar vectors.

    Each word is a vector of +1 and -1 taken from its hash, so two words are nearly orthogonal
    (the cosine's spread is 1/sqrt(128), about 0.09); a text is the normalised sum of its words.
    """

    id = f"hash-words-{DIM}"
    dim = DIM
    max_tokens = 256

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.vectors(texts)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """What `embed` answers, for callers that cannot wait."""
        if not texts:
            return np.empty((0, DIM), dtype=np.float32)
        return np.stack([_unit(text) for text in texts])


def _unit(text: str) -> NDArray[np.float32]:
    # The empty word stands for itself, so that a text without words has a direction too.
    words = re.findall(r"\w+", text.casefold()) or [""]
    total = np.stack([_signs(word) for word in words]).sum(axis=0)
    return (total / np.linalg.norm(total)).astype(np.float32)


def _signs(word: str) -> NDArray[np.float32]:
    digest = hashlib.blake2b(word.encode(), digest_size=DIM // 8).digest()
    bits = np.unpackbits(np.frombuffer(digest, dtype=np.uint8))
    return bits.astype(np.float32) * 2 - 1
