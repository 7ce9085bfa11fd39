"""The vector service stopped, killed, started twice, optimising: nothing that it acknowledged is lost."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException

from apex_memory.devstack.vectors.process import ServiceProcess

pytestmark = pytest.mark.integration

LIMITS = httpx.Limits(max_connections=16, max_keepalive_connections=16)
CONFIG: dict[str, Any] = {
    "vectors_config": {"v": models.VectorParams(size=2, distance=models.Distance.DOT)},
    "sparse_vectors_config": {"t": models.SparseVectorParams(modifier=models.Modifier.IDF)},
}
ROUNDS = 3
WRITERS = 8


@asynccontextmanager
async def serving(root: Path, *options: str) -> AsyncGenerator[tuple[ServiceProcess, AsyncQdrantClient]]:
    async with ServiceProcess.started(root, *options) as service:
        # Its own check of the version runs in a thread, which may ask when the service is already killed.
        client = AsyncQdrantClient(url=service.url, limits=LIMITS, check_compatibility=False)
        try:
            yield service, client
        finally:
            await client.close()


def point(number: int) -> models.PointStruct:
    sparse = models.SparseVector(indices=[number % 9, 100 + number], values=[1.0, 2.0])
    return models.PointStruct(id=number, vector={"v": [1.0, number], "t": sparse}, payload={"n": number})


async def held(client: AsyncQdrantClient, name: str = "c") -> dict[Any, models.PointStruct]:
    """Every point of a collection as it was once upserted."""
    found, _ = await client.scroll(name, limit=100_000, with_vectors=True)
    return {
        record.id: models.PointStruct(id=record.id, vector=cast("Any", record.vector), payload=record.payload)
        for record in found
    }


class Writers:
    """Several clients that create, upsert, delete and drop until the service dies under them."""

    def __init__(self, service: ServiceProcess, client: AsyncQdrantClient, *, acknowledgements: int) -> None:
        self.service = service
        self.client = client
        self.left = acknowledgements
        self.present: set[int] = set()
        self.absent: set[int] = set()
        self.created: set[str] = set()
        self.dropped: set[str] = set()

    async def write(self, start: int) -> None:
        try:
            for number in range(start, start + 1_000):
                await self.client.upsert("c", [point(number)])
                self.present.add(number)
                await self.acknowledged()
                if number % 5 == 0:
                    self.present.remove(number)
                    await self.client.delete("c", models.PointIdsList(points=[number]))
                    self.absent.add(number)
                    await self.acknowledged()
        except ResponseHandlingException:
            return

    async def create_and_drop(self, prefix: str) -> None:
        try:
            for number in range(1_000):
                name = f"{prefix}-{number}"
                await self.client.create_collection(name, **CONFIG)
                self.created.add(name)
                await self.acknowledged()
                if number % 2 == 0:
                    self.created.remove(name)
                    await self.client.delete_collection(name)
                    self.dropped.add(name)
        except ResponseHandlingException:
            return

    async def acknowledged(self) -> None:
        self.left -= 1
        if self.left == 0:
            await self.service.kill()


async def test_whatever_was_acknowledged_before_a_kill_is_there_again(tmp_path: Path) -> None:
    seed = random.Random(20)
    present: set[int] = set()
    created: set[str] = {"c"}
    async with serving(tmp_path) as (_, client):
        await client.create_collection("c", **CONFIG)

    for turn in range(ROUNDS):
        async with serving(tmp_path, "--flush-every", "0.1") as (service, client):
            writers = Writers(service, client, acknowledgements=seed.randint(20, 150))
            async with asyncio.TaskGroup() as tasks:
                for writer in range(WRITERS):
                    tasks.create_task(writers.write((turn * WRITERS + writer) * 1_000))
                tasks.create_task(writers.create_and_drop(f"t{turn}"))
        present |= writers.present
        created |= writers.created

        async with serving(tmp_path) as (_, client):
            points = await held(client)
            names = {described.name for described in (await client.get_collections()).collections}
            for name in names - {"c"}:
                await client.upsert(name, [point(1)])
                assert await held(client, name) == {1: point(1)}

        assert present <= points.keys(), f"round {turn}"
        assert points.keys().isdisjoint(writers.absent), f"round {turn}"
        assert all(points[number] == point(number) for number in points)
        assert created <= names
        assert names.isdisjoint(writers.dropped)


async def test_a_second_owner_of_the_root_is_refused_by_name(tmp_path: Path) -> None:
    async with serving(tmp_path) as (service, _):
        second = await ServiceProcess.launch(tmp_path)
        status = await second.ended()

    assert status == 1
    refused = [event["reason"] for event in second.log if event["event"] == "vectors.refused"]
    assert refused == [
        f"{tmp_path} is in use by another vector service (pid {service.pid}); one process owns a root"
    ]


async def test_a_stopped_service_ends_with_0_and_opens_with_nothing_lost(tmp_path: Path) -> None:
    points = {number: point(number) for number in range(50)}
    async with serving(tmp_path) as (service, client):
        await client.create_collection("c", **CONFIG)
        await client.upsert("c", [*points.values()])

        status = await service.stop()

    assert status == 0
    async with serving(tmp_path) as (_, client):
        assert await held(client) == points


async def test_what_an_interruption_left_behind_is_removed_at_the_next_start(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, client):
        await client.create_collection("c", **CONFIG)
    whole = tmp_path / "collections" / "c"
    rubbish = [tmp_path / "making" / "half", tmp_path / "dropped" / "gone", whole / "shard-9"]
    for path in rubbish:
        path.mkdir()

    async with serving(tmp_path) as (_, client):
        names = [described.name for described in (await client.get_collections()).collections]

    assert names == ["c"]
    assert not any(path.exists() for path in rubbish)


async def test_writes_during_an_optimisation_are_not_lost(tmp_path: Path) -> None:
    async with serving(tmp_path, "--flush-every", "0.1", "--optimise-above", "200") as (service, client):
        await client.create_collection("c", **CONFIG)
        await client.upsert("c", [point(number) for number in range(200)])
        optimised = asyncio.create_task(service.event("collection.optimised"))
        written = 200
        while not optimised.done():
            await client.upsert("c", [point(written)])
            await client.delete("c", models.PointIdsList(points=[written - 200]))
            written += 1
        replayed = optimised.result()["replayed"]
        surviving = await held(client)

    assert isinstance(replayed, int)
    assert replayed > 0
    assert surviving == {number: point(number) for number in range(written - 200, written)}
    async with serving(tmp_path) as (_, client):
        assert await held(client) == surviving
