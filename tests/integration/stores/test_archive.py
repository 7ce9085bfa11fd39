"""What was said of a thing under its several names, and what is found by its words, on a real PostgreSQL."""

from uuid import UUID, uuid4

import pytest
from tests.contracts.archive_contract import ArchiveContract
from tests.contracts.writes import message, write_of

from apex_memory.database import Database
from apex_memory.domain.answers import SearchFilter
from apex_memory.domain.bundles import Bundle, Manifest, VersionedBundle
from apex_memory.domain.ledger import AllocationRequest, VersionManifests
from apex_memory.pipeline.ledger.ledger import PostgresLedger
from apex_memory.pipeline.stores import archive
from apex_memory.pipeline.stores.archive import PostgresArchive
from apex_memory.pipeline.stores.postgres import PostgresStore
from apex_memory.ports import Archive, Ledger

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

    @property
    def ledger(self) -> Ledger:
        return self._ledger

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


@pytest.fixture
def world(database: Database) -> _Remembering:
    return _Remembering(database)


class TestPostgresArchive(ArchiveContract):
    @pytest.fixture
    def world(self, world: _Remembering) -> _Remembering:
        return world


async def found(world: _Remembering, tenant: str, query: str, *, limit: int = 10) -> list[str]:
    """Which of the trucks, the best first."""
    seq = await world.ledger.snapshot(tenant)
    candidates = await world.archive.lexical(tenant, query, seq=seq, limit=limit, where=SearchFilter())
    hits = {
        hit.chunk_id: hit.external_id
        for hit in await world.archive.visible_hits(tenant, candidates, seq=seq, where=SearchFilter())
    }
    return [hits[candidate.chunk_id] for candidate in candidates]


@pytest.fixture
async def fleet(world: _Remembering, tenant: str, other_tenant: str) -> None:
    for name, said in (
        ("one", "Truck 1 waits at the dock."),
        ("two", "Truck 2 waits at the gate."),
        ("three", "Truck 3 waits at the gate."),
    ):
        await world.remember(tenant, message(name, texts=(said,)))
    for name in ("four", "five", "six"):
        await world.remember(other_tenant, message(name, texts=("Truck 1 waits at the dock.",)))


@pytest.mark.usefixtures("fleet")
class TestWords:
    @pytest.mark.parametrize("query", ["truck dock", "dock truck waits", "Where does truck 1 wait?"])
    async def test_few_enough_are_all_found_the_best_first(
        self, world: _Remembering, tenant: str, query: str
    ) -> None:
        names = await found(world, tenant, query)

        assert names[0] == "one"
        assert sorted(names) == ["one", "three", "two"]

    @pytest.mark.parametrize(
        ("query", "best"),
        [
            ("truck dock", {"one"}),  # 3 + 1
            ("truck gate", {"two", "three"}),  # 3 + 2
            ("truck 1 dock", {"one"}),  # 3 + 1 + 1
            ("truck dock helicopter", {"one"}),  # what occurs nowhere takes no part
            ("truck helicopter", {"one", "two", "three"}),  # nor does it hide the others
            ("waits truck", {"one", "two", "three"}),  # even the rarest is too common
            ("helicopter", set[str]()),
            ("the at", set[str]()),  # no word is left
        ],
    )
    async def test_of_too_many_those_with_the_rarest_words_are_found(
        self,
        world: _Remembering,
        tenant: str,
        query: str,
        best: set[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(archive, "RANKED_AT_MOST", 2)

        assert set(await found(world, tenant, query)) == best

    async def test_a_word_is_as_rare_as_it_is_with_its_tenant(
        self, world: _Remembering, tenant: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archive, "RANKED_AT_MOST", 1)

        assert await found(world, tenant, "truck dock") == ["one"]

    @pytest.mark.parametrize(
        "query", ["a' | 'b & !c", "x & y", "\\ ' \" :* <-> ()", "GATE-0A1B's | truck & 'dock'"]
    )
    async def test_a_question_is_only_words(self, world: _Remembering, tenant: str, query: str) -> None:
        assert set(await found(world, tenant, query)) <= {"one", "two", "three"}
