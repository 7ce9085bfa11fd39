"""What a step is given of a batch that an earlier step of the same process has read."""

import asyncio
import weakref
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import numpy as np
import pytest

from apex_memory.activities import content
from apex_memory.activities.content import ContentReader
from apex_memory.domain.bundles import Bundle, VersionRef
from apex_memory.domain.documents import Passage
from apex_memory.domain.messages import StagedBatch
from apex_memory.domain.staged import BUNDLES, VECTORS, StagedBundle, dump_bundles, dump_vectors
from apex_memory.testing import MemoryStaging

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
EVENT = UUID(int=1)


@pytest.fixture
def staging() -> MemoryStaging:
    return MemoryStaging()


@pytest.fixture
def reader(staging: MemoryStaging) -> ContentReader:
    return ContentReader(staging, embedder_id="model")


async def stage(staging: MemoryStaging, titles: Sequence[str], *, tenant: str = "acme") -> StagedBatch:
    """One record a title, of the events 1, 2 and so on; the first has no passage, each other one has one."""
    staged = StagedBatch(
        tenant_id=tenant, source="samsara", batch_id=uuid4(), key=f"{tenant}/{uuid4()}", items=len(titles)
    )
    await restage(staging, staged, titles)
    return staged


async def restage(staging: MemoryStaging, staged: StagedBatch, titles: Sequence[str]) -> None:
    bundles = [
        StagedBundle(event_id=UUID(int=n), bundle=a_bundle(title, passages=min(n - 1, 1)))
        for n, title in enumerate(titles, start=1)
    ]
    await staging.write(f"{staged.key}/{BUNDLES}", dump_bundles(bundles))
    vectors = np.arange(len(titles) - 1, dtype=np.float32).reshape(-1, 1)
    await staging.write(f"{staged.key}/{VECTORS}", dump_vectors(vectors))


def a_bundle(title: str, *, passages: int) -> Bundle:
    said = tuple(Passage(ordinal=n, text=title, start=0, end=len(title)) for n in range(passages))
    return Bundle(source="samsara", external_id=title, kind="record", title=title, as_of=NOW, passages=said)


def a_version() -> VersionRef:
    return VersionRef(item_id=uuid4(), version=1)


async def test_each_version_has_its_own_bundle_and_vectors(
    staging: MemoryStaging, reader: ContentReader
) -> None:
    staged = await stage(staging, ["dock 1", "dock 2", "dock 3"])
    second, third = a_version(), a_version()

    writes = (await reader.read(staged)).under({UUID(int=2): second, UUID(int=3): third})

    assert [(w.ref, w.bundle.title, w.vectors.tolist()) for w in writes] == [
        (second, "dock 2", [[0.0]]),
        (third, "dock 3", [[1.0]]),
    ]


async def test_the_next_step_gets_what_this_one_has_derived(
    staging: MemoryStaging, reader: ContentReader
) -> None:
    staged, version = await stage(staging, ["dock 1"]), {EVENT: a_version()}

    [first] = (await reader.read(staged)).under(version)
    [second] = (await reader.read(staged)).under(version)

    assert second is first


async def test_what_a_step_wrote_again_is_read_again(staging: MemoryStaging, reader: ContentReader) -> None:
    staged, version = await stage(staging, ["dock 1"]), {EVENT: a_version()}
    await reader.read(staged)

    await restage(staging, staged, ["dock 4"])

    [write] = (await reader.read(staged)).under(version)
    assert write.bundle.title == "dock 4"


async def test_the_same_content_of_two_tenants_has_ids_of_its_own(
    staging: MemoryStaging, reader: ContentReader
) -> None:
    version = {UUID(int=2): a_version()}
    titles = ["dock 1", "dock 2"]

    [own] = (await reader.read(await stage(staging, titles, tenant="acme"))).under(version)
    [other] = (await reader.read(await stage(staging, titles, tenant="globex"))).under(version)

    assert (own.tenant_id, other.tenant_id) == ("acme", "globex")
    assert set(own.chunk_ids).isdisjoint(other.chunk_ids)


async def test_a_long_batch_is_read_by_each_step(
    staging: MemoryStaging, reader: ContentReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "_MOST_BYTES", 1)
    staged, version = await stage(staging, ["dock 1"]), {EVENT: a_version()}

    [first] = (await reader.read(staged)).under(version)
    [second] = (await reader.read(staged)).under(version)

    assert second is not first
    assert second.bundle == first.bundle


async def test_text_does_not_stay_in_memory(
    staging: MemoryStaging, reader: ContentReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "_KEPT_S", 0.0)
    read = weakref.ref(await reader.read(await stage(staging, ["dock 1"])))

    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert read() is None
