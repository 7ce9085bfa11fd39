"""Feeds in this process keep the same promises as those in PostgreSQL."""

import pytest
from tests.contracts.feeds_contract import FeedsContract, Kept

from apex_memory.testing import MemoryFeeds


class TestMemoryFeeds(FeedsContract):
    @pytest.fixture
    def feeds(self) -> MemoryFeeds:
        return MemoryFeeds()

    @pytest.fixture
    def kept(self, feeds: MemoryFeeds) -> Kept:
        async def keys(tenant: str) -> list[str]:
            return [entry.dedupe_key for entry in feeds.entries(tenant)]

        return keys
