"""A derived item is seen exactly as long as the version that it derives from, in the real stores."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from temporalio.client import Client
from tests.integration.raw import places_of
from tests.integration.workflows.product import at_work

from apex_memory.activities.maintain import MaintainActivities
from apex_memory.activities.write import WriteActivities
from apex_memory.bootstrap.clients import open_embedder, open_staging
from apex_memory.bootstrap.memory import Memory
from apex_memory.database import Database
from apex_memory.domain import ids
from apex_memory.domain.bundles import Bundle, Claim, EntityRef, Mention, VersionRef
from apex_memory.domain.documents import Passage
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.forgetting import ForgettingState
from apex_memory.domain.messages import Committed, StagedBatch, Undoing, WriteRound
from apex_memory.domain.staged import BUNDLES, VECTORS, StagedBundle, dump_bundles, dump_vectors
from apex_memory.pipeline.ledger.ledger import PostgresLedger
from apex_memory.pipeline.stores.registry import open_stores
from apex_memory.ports import Embedder, StagingArea, Store
from apex_memory.settings import Settings

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOURCE = "local_upload"


@dataclass(frozen=True)
class Writer:
    """The activities of a write, taken by hand one after the other."""

    tenant: str
    embedder: Embedder
    staging: StagingArea
    stores: tuple[Store, ...]
    write: WriteActivities
    maintain: MaintainActivities

    async def prepared(self, bundle: Bundle) -> StagedBatch:
        batch = uuid4()
        staged = StagedBatch(
            tenant_id=self.tenant,
            source=SOURCE,
            batch_id=batch,
            key=f"{self.tenant}/{SOURCE}/{batch}",
            items=1,
        )
        bundles = [StagedBundle(event_id=uuid4(), bundle=bundle)]
        vectors = await self.embedder.embed([bundle.embedded_text(p) for p in bundle.passages])
        await self.staging.write(f"{staged.key}/{BUNDLES}", dump_bundles(bundles))
        await self.staging.write(f"{staged.key}/{VECTORS}", dump_vectors(vectors))
        await self.write.allocate_versions_activity(WriteRound(staged=staged, round=0))
        for prepare in self.write.prepare_activities():
            await prepare(WriteRound(staged=staged, round=0))
        return staged

    async def committed(self, staged: StagedBatch) -> Committed:
        committed = await self.write.commit_versions_activity(WriteRound(staged=staged, round=0))
        undoing = Undoing(tenant_id=self.tenant, batch_id=staged.batch_id, reason="test")
        if committed.superseded:
            await self.maintain.abort_versions_activity(undoing)
            for discard in self.maintain.discard_activities():
                await discard(undoing)
            await self.maintain.confirm_discarded_activity(undoing)
        await self.staging.remove(staged.key)
        return committed

    async def written(self, bundle: Bundle) -> Committed:
        return await self.committed(await self.prepared(bundle))

    async def held(self, item: UUID) -> dict[str, int]:
        """How many versions of an item each store holds."""
        return {store.name: len(await store.versions_of(self.tenant, [item])) for store in self.stores}


@pytest.fixture
async def writer(settings: Settings, database: Database, tenant: str) -> AsyncGenerator[Writer, None]:
    async with AsyncExitStack() as stack:
        embedder = await stack.enter_async_context(open_embedder(settings, database))
        stores = await stack.enter_async_context(open_stores(settings, database, embedder))
        ledger, staging = PostgresLedger(database), open_staging(settings)
        write = WriteActivities(
            ledger=ledger, staging=staging, stores=stores.participants(), embedder_id=embedder.id
        )
        maintain = MaintainActivities(ledger=ledger, stores=stores.participants())
        yield Writer(tenant, embedder, staging, stores.participants(), write, maintain)


def document(text: str) -> Bundle:
    return _bundle("note.md", text, None)


def reading(text: str, parent: VersionRef) -> Bundle:
    """What a model read in one version of the document."""
    return _bundle("note.md#reading", text, parent)


def _bundle(external_id: str, text: str, parent: VersionRef | None) -> Bundle:
    subject, thing = EntityRef(type="document", key=external_id), EntityRef(type="thing", key=text)
    return Bundle(
        source=SOURCE,
        external_id=external_id,
        kind="document",
        title=external_id,
        as_of=NOON,
        parent=parent,
        passages=(Passage(ordinal=0, text=text, start=0, end=len(text)),),
        mentions=(Mention(entity=subject, name=external_id), Mention(entity=thing, name=text)),
        claims=(Claim(subject=subject, predicate="says", object=thing, fact=f"{external_id} says {text}"),),
    )


def _item(tenant: str, external_id: str = "note.md") -> UUID:
    return ids.item_id(tenant, SOURCE, external_id)


def _first(tenant: str) -> VersionRef:
    return VersionRef(item_id=_item(tenant), version=1)


async def _seen(memory: Memory, tenant: str, seq: int) -> dict[str, int]:
    """The visible versions of both items at a snapshot."""
    seen: dict[str, int] = {}
    for name in ("note.md", "note.md#reading"):
        try:
            seen[name] = await memory.archive.version(tenant, _item(tenant, name), seq=seq)
        except ItemNotFound:
            continue
    return seen


async def test_a_derived_item_is_found_beside_its_parent(memory: Memory, writer: Writer, tenant: str) -> None:
    await writer.written(document("dock seven opens at nine"))
    derived = await writer.written(reading("opening hours", _first(tenant)))

    answer = await memory.retrieval.search(tenant, "opening hours of dock seven", min_seq=derived.seq)

    assert {hit.external_id for hit in answer.hits} == {"note.md", "note.md#reading"}
    assert {fact.fact for fact in answer.facts} >= {"note.md#reading says opening hours"}


async def test_the_parents_update_ends_it_in_the_same_commit(
    memory: Memory, writer: Writer, tenant: str
) -> None:
    await writer.written(document("dock seven opens at nine"))
    derived = await writer.written(reading("opening hours", _first(tenant)))

    updated = await writer.written(document("dock seven opens at ten"))

    assert (derived.seq, updated.seq) == (2, 3)
    assert await _seen(memory, tenant, 2) == {"note.md": 1, "note.md#reading": 1}
    assert await _seen(memory, tenant, 3) == {"note.md": 2}
    answer = await memory.retrieval.search(tenant, "opening hours", min_seq=3)
    assert {hit.external_id for hit in answer.hits} == {"note.md"}


async def test_one_that_was_prepared_while_its_parent_was_updated_is_superseded_and_leaves_nothing(
    memory: Memory, writer: Writer, tenant: str
) -> None:
    await writer.written(document("dock seven opens at nine"))
    late = await writer.prepared(reading("opening hours", _first(tenant)))
    await writer.written(document("dock seven opens at ten"))

    committed = await writer.committed(late)

    assert (committed.committed, committed.superseded, committed.seq) == (0, 1, None)
    assert await _seen(memory, tenant, 2) == {"note.md": 2}
    assert set((await writer.held(_item(tenant, "note.md#reading"))).values()) == {0}


async def test_the_new_version_of_the_parent_gets_a_reading_of_its_own(
    memory: Memory, writer: Writer, tenant: str
) -> None:
    await writer.written(document("dock seven opens at nine"))
    await writer.written(reading("opening hours", _first(tenant)))
    await writer.written(document("dock seven opens at ten"))

    again = await writer.written(reading("opening hours", VersionRef(item_id=_item(tenant), version=2)))

    assert again.committed == 1
    assert await _seen(memory, tenant, 4) == {"note.md": 2, "note.md#reading": 2}


async def test_one_that_derives_from_what_is_not_there_is_superseded(writer: Writer, tenant: str) -> None:
    committed = await writer.written(reading("opening hours", _first(tenant)))

    assert (committed.committed, committed.superseded) == (0, 1)


async def test_who_forgets_the_parent_forgets_what_derives_from_it(
    settings: Settings, temporal: Client, memory: Memory, writer: Writer, tenant: str
) -> None:
    settings = settings.model_copy(update={"zombie_window_s": 0.5})
    word = f"q{uuid4().hex[:12]}7"
    await writer.written(document("dock seven opens at nine"))
    await writer.written(reading(word, _first(tenant)))
    other = await writer.prepared(reading(f"{word} again", _first(tenant)))
    before = await places_of(word, settings, temporal)

    asked = await memory.forgettings.request(tenant, _item(tenant), forget_id=uuid4())
    seen = await _seen(memory, tenant, asked.seq)
    late = await writer.committed(other)
    async with at_work(settings, temporal):
        while (await memory.forgettings.forgetting(tenant, asked.forget_id)).state != ForgettingState.DONE:
            await asyncio.sleep(0.1)

    assert {"chunk", "claim", "entity", "neo4j"} <= set(before)
    assert (seen, late.superseded) == ({}, 1)
    assert await places_of(word, settings, temporal) == {}
    for name in ("note.md", "note.md#reading"):
        assert set((await writer.held(_item(tenant, name))).values()) == {0}
