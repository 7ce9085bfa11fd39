"""The archive of this folder's world, held to the contract that PostgreSQL's is held to."""

import pytest
from tests.contracts.archive_contract import ArchiveContract
from tests.unit.retrieval.world import World

from apex_memory.domain.bundles import Bundle
from apex_memory.ports import Archive


class _Remembering:
    def __init__(self) -> None:
        self._world = World()

    @property
    def archive(self) -> Archive:
        return self._world.archive

    async def remember(self, tenant_id: str, bundle: Bundle) -> int:
        return self._world.commit(await self._world.prepare(tenant_id, bundle))

    async def begin(self, tenant_id: str, bundle: Bundle) -> None:
        await self._world.prepare(tenant_id, bundle)


class TestLedgerArchive(ArchiveContract):
    @pytest.fixture
    def world(self) -> _Remembering:
        return _Remembering()
