"""all-MiniLM-L6-v2 against the vectors of its reference implementation."""

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.contracts.embedder_contract import EmbedderContract

from apex_memory.pipeline.embedding.local import LocalEmbedder
from apex_memory.ports import Embedder

GOLDEN = Path(__file__).parents[2] / "data" / "minilm"


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Empty, blank, emoji, many scripts, control characters, code, special-token strings, 1 to 3000 words."""
    return json.loads((GOLDEN / "texts.json").read_text())


@pytest.fixture(scope="module")
def reference() -> NDArray[np.float32]:
    """What sentence-transformers makes of them."""
    return np.load(GOLDEN / "ref.npy")


@pytest.fixture(scope="module")
async def vectors(local: LocalEmbedder, texts: list[str]) -> NDArray[np.float32]:
    return await local.embed(texts)


class TestContract(EmbedderContract):
    @pytest.fixture
    def embedder(self, local: LocalEmbedder) -> Embedder:
        return local


def test_every_vector_is_the_one_of_the_reference_implementation(
    vectors: NDArray[np.float32], reference: NDArray[np.float32]
) -> None:
    cosines = np.einsum("nd,nd->n", vectors, reference)

    assert len(cosines) == 200
    assert cosines.min() >= 0.9999


def test_the_id_names_model_weights_and_size(local: LocalEmbedder) -> None:
    assert local.id == "local:all-MiniLM-L6-v2:53aa5117:384"
    assert (local.dim, local.max_tokens) == (384, 256)


async def test_a_text_has_the_same_vector_alone_and_among_others(
    local: LocalEmbedder, texts: list[str], vectors: NDArray[np.float32]
) -> None:
    chosen = [n for n, text in enumerate(texts) if len(text) < 400][::12]

    alone = np.concatenate([await local.embed([texts[n]]) for n in chosen])

    assert np.abs(alone - vectors[chosen]).max() < 1e-5


async def test_several_threads_give_the_vectors_of_one(
    model_dir: Path, texts: list[str], vectors: NDArray[np.float32]
) -> None:
    short = [n for n, text in enumerate(texts) if len(text) < 400][::4]
    threaded = LocalEmbedder(model_dir, threads=3)

    found = await threaded.embed([texts[n] for n in short])

    assert np.abs(found - vectors[short]).max() < 1e-5


async def test_nothing_after_token_256_is_read(local: LocalEmbedder) -> None:
    filled = "word " * 254

    whole, cut, changed = await local.embed([filled + "and this", filled, filled[:-5] + "other"])

    assert np.allclose(whole, cut, atol=1e-6)
    assert not np.allclose(cut, changed, atol=1e-4)


async def test_callers_at_the_same_time_load_the_model_once_and_each_get_their_own(model_dir: Path) -> None:
    fresh = LocalEmbedder(model_dir, threads=1)

    one, two = await asyncio.gather(fresh.embed(["a truck"]), fresh.embed(["a ship"]))

    assert np.allclose(one, await fresh.embed(["a truck"]), atol=1e-5)
    assert np.allclose(two, await fresh.embed(["a ship"]), atol=1e-5)
