"""What was said of a thing under its several names, asked of a real PostgreSQL."""

from uuid import UUID, uuid4

import pytest
from tests.contracts.archive_contract import ArchiveContract
from tests.contracts.writes import write_of

from apex_memory.database import Database
from apex_memory.domain.bundles import Bundle, Manifest, VersionedBundle
from apex_memory.domain.ledger import AllocationRequest, VersionManifests
from apex_memory.pipeline.ledger.ledger import PostgresLedger
from apex_memory.pipeline.stores.archive import PostgresArchive
from apex_memory.pipeline.stores.postgres import PostgresStore
from apex_memory.ports import Archive

pytestmark = pytest.mark.integration


class _Remembering:
    """Ledger and content of one database; no other store is asked about names and statuses."""

    def __init__(self, database: Database) -> None:
        self._ledger = PostgresLedger(database)
        self._store = PostgresStore(database)
        self._archive = PostgresArchive(database)

    @property
    def archive(self) -> Archive:
        return self._archive

    async def remember(self, tenant_id: str, bundle: Bundle) -> int:
        batch = uuid4()
        write = await self._prepared(tenant_id, bundle, batch)
        await self._ledger.commit(tenant_id, batch, verified=[write.ref])
        return await self._ledger.snapshot(tenant_id)

    async def begin(self, tenant_id: str, bundle: Bundle) -> None:
        await self._prepared(tenant_id, bundle, uuid4())

    async def _prepared(self, tenant_id: str, bundle: Bundle, batch: UUID) -> VersionedBundle:
        named = bundle.model_dump(include={"source", "external_id", "kind", "title", "as_of", "parent"})
        request = AllocationRequest(
            request_id=str(batch),
            event_id=uuid4(),
            item_id=write_of(tenant_id, bundle).ref.item_id,
            content_hash=str(batch),
            **named,
        )
        [allocation] = await self._ledger.allocate(tenant_id, batch, [request])
        write = write_of(tenant_id, bundle, version=allocation.ref.version)
        manifests = {"postgres": Manifest.of(self._store.parts(write))}
        await self._ledger.expect(tenant_id, [VersionManifests(ref=write.ref, manifests=manifests)])
        await self._store.prepare([write])
        return write


class TestPostgresArchive(ArchiveContract):
    @pytest.fixture
    def world(self, database: Database) -> _Remembering:
        return _Remembering(database)
