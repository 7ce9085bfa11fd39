"""The in-memory cache, embedder and staging area, held to the contracts of the real ones."""

import numpy as np
import pytest
from tests.contracts.cache_contract import CacheContract
from tests.contracts.embedder_contract import EmbedderContract
from tests.contracts.staging_contract import StagingContract

from apex_memory.ports import Cache, Embedder, StagingArea
from apex_memory.testing import HashEmbedder, MemoryCache, MemoryStaging


class TestMemoryCache(CacheContract):
    @pytest.fixture
    def cache(self) -> Cache:
        return MemoryCache()


class TestHashEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return HashEmbedder()


class TestMemoryStaging(StagingContract):
    @pytest.fixture
    def staging(self) -> StagingArea:
        return MemoryStaging()


async def test_a_cached_value_is_gone_when_its_time_is_up() -> None:
    times = iter([0.0, 59.0, 60.0])
    cache = MemoryCache(clock=lambda: next(times))

    await cache.put("acme", "answer", b"42", ttl_s=60)

    assert await cache.get("acme", "answer") == b"42"
    assert await cache.get("acme", "answer") is None


async def test_the_same_words_have_the_same_vector_whatever_their_case_and_order() -> None:
    (one,), (other,) = [await HashEmbedder().embed([text]) for text in ("Truck at gate", "gate: AT truck!")]

    assert np.allclose(one, other)
