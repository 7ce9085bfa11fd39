"""What every Embedder keeps to; inherit, and give the fixture `embedder`."""

import numpy as np
import pytest

from apex_memory.ports import Embedder

TEXTS = [
    "The truck waits at the gate.",
    "A truck is waiting at a gate.",
    "Quarterly revenue grew by a fifth.",
]


class EmbedderContract:
    async def test_each_text_has_one_unit_vector_of_the_stated_size(self, embedder: Embedder) -> None:
        vectors = await embedder.embed(TEXTS)

        assert vectors.dtype == np.float32
        assert vectors.shape == (len(TEXTS), embedder.dim)
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-4)

    async def test_vectors_come_in_the_order_of_the_texts(self, embedder: Embedder) -> None:
        forward, backward = await embedder.embed(TEXTS), await embedder.embed(TEXTS[::-1])

        assert np.allclose(forward, backward[::-1], atol=1e-4)

    async def test_texts_that_mean_the_same_are_nearer_than_others(self, embedder: Embedder) -> None:
        gate, same, revenue = await embedder.embed(TEXTS)

        assert gate @ same > gate @ revenue

    async def test_no_texts_have_no_vectors(self, embedder: Embedder) -> None:
        vectors = await embedder.embed([])

        assert vectors.shape == (0, embedder.dim)
        assert vectors.dtype == np.float32

    async def test_a_text_without_words_has_a_vector_too(self, embedder: Embedder) -> None:
        vectors = await embedder.embed(["", "  \n", "…"])

        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-4)
