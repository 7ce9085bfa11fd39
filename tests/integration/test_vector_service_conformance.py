"""Seeded random operations against the vector service and qdrant_client's in-memory engine: the same answers.

More seeds: `python tests/integration/test_vector_service_conformance.py 100 200`.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import ApiException

from apex_memory.devstack.vectors.process import ServiceProcess

pytestmark = pytest.mark.integration

OPERATIONS = 400
NAME = "points"
IDS = [*range(40), *(str(UUID(int=n)) for n in range(1, 21))]
WORDS = ["truck", "driver", "invoice", "delay", "pickup"]
SPRING = datetime(2024, 3, 1, tzinfo=UTC)
SUMMER = datetime(2024, 7, 15, 5, tzinfo=timezone(timedelta(hours=2)))
DENSE = {
    "cosine": models.VectorParams(size=8, distance=models.Distance.COSINE),
    "dot": models.VectorParams(size=4, distance=models.Distance.DOT),
    "euclid": models.VectorParams(size=4, distance=models.Distance.EUCLID),
}
SPARSE = {
    "plain": models.SparseVectorParams(),
    "idf": models.SparseVectorParams(modifier=models.Modifier.IDF),
}
INDEXES = {"n": "integer", "f": "float", "b": "bool", "when": "datetime", "tags": "keyword", "o.k": "integer"}
OPTIMISING = ("--flush-every", "0.2", "--optimise-above", "20")


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_service_answers_as_qdrants_own_in_memory_engine(seed: int, tmp_path: Path) -> None:
    await conform(seed, tmp_path)


@pytest.mark.parametrize("seed", [4])
async def test_it_also_does_while_it_optimises_and_after_a_kill(seed: int, tmp_path: Path) -> None:
    await conform(seed, tmp_path, *OPTIMISING)


async def conform(seed: int, root: Path, *options: str) -> None:
    """Compare, in the middle restart, or kill if `options` make it optimise."""
    comparison = Comparison(seed, root, options)
    async with AsyncExitStack() as stack:
        await comparison.open(stack)
        await comparison.run(OPERATIONS // 2, until="collection.optimised" if options else None)
        await comparison.restart()
        await comparison.run(OPERATIONS // 2)


class Dice:
    """Random requests; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def dense(self, size: int) -> list[float]:
        return [self.random.uniform(-1, 1) for _ in range(size)]

    def sparse(self) -> models.SparseVector:
        indices = self.random.sample(range(12), self.random.randint(1, 5))
        return models.SparseVector(indices=indices, values=[self.random.uniform(0.1, 3) for _ in indices])

    def ids(self, most: int) -> list[Any]:
        return self.random.sample(IDS, self.random.randint(1, most))

    def point(self, point_id: Any) -> models.PointStruct:
        vectors: dict[str, Any] = {name: self.dense(params.size) for name, params in DENSE.items()}
        vectors |= {name: self.sparse() for name in SPARSE if self.random.random() < 0.8}
        if self.random.random() < 0.1:
            del vectors["dot"]
        return models.PointStruct(id=point_id, vector=vectors, payload=self.payload())

    def payload(self) -> dict[str, Any]:
        roll = self.random
        whole: dict[str, Any] = {
            "tenant": roll.choice("abc"),
            "n": roll.randint(0, 9),
            "f": round(roll.uniform(0, 10), 2),
            "b": roll.random() < 0.5,
            "when": f"2024-0{roll.randint(1, 9)}-{roll.randint(10, 28)}T0{roll.randint(0, 9)}:30:00Z",
            "tags": roll.sample(WORDS, roll.randint(0, 3)),
            "text": " ".join(roll.sample(WORDS, 3)),
            "o": {"k": roll.randint(0, 3), "deep": [1, None, {"x": "y"}]},
            "nothing": None,
        }
        return {key: value for key, value in whole.items() if roll.random() < 0.85}

    def condition(self, depth: int) -> Any:
        roll, on = self.random, models.FieldCondition
        choices: list[Any] = [
            on(key="tenant", match=models.MatchValue(value=roll.choice("abcd"))),
            on(key="n", match=models.MatchValue(value=roll.randint(0, 9))),
            on(key="o.k", match=models.MatchValue(value=roll.randint(0, 3))),
            on(key="b", match=models.MatchValue(value=roll.random() < 0.5)),
            on(key="tags", match=models.MatchAny(any=roll.sample(WORDS, 2))),
            on(key="n", match=models.MatchAny(any=roll.sample(range(10), 3))),
            on(key="tags", match=models.MatchExcept(**{"except": roll.sample(WORDS, 2)})),
            on(key="text", match=models.MatchText(text=roll.choice(WORDS))),
            on(key="f", range=models.Range(gte=roll.uniform(0, 5), lt=roll.uniform(5, 10))),
            on(key="n", range=models.Range(gt=roll.randint(0, 5), lte=roll.randint(5, 9))),
            on(key="when", range=models.DatetimeRange(gte=SPRING, lt=SUMMER)),
            models.HasIdCondition(has_id=self.ids(30)),
            models.IsEmptyCondition(is_empty=models.PayloadField(key=roll.choice(["tags", "n", "nothing"]))),
            models.IsNullCondition(is_null=models.PayloadField(key=roll.choice(["nothing", "b"]))),
            *([self.filter(depth + 1), self.filter(depth + 1)] if depth < 2 else []),
        ]
        return roll.choice(choices)

    def filter(self, depth: int = 0) -> models.Filter:
        clauses = self.random.sample(["must", "should", "must_not"], self.random.randint(1, 2))
        chosen: dict[str, Any] = {clause: [self.condition(depth)] for clause in clauses}
        chosen[clauses[0]].append(self.condition(depth))
        return models.Filter(**chosen)

    def perhaps_filter(self) -> models.Filter | None:
        return self.filter() if self.random.random() < 0.6 else None


class Comparison:
    """The same operation on both sides, and what they answer compared."""

    def __init__(self, seed: int, root: Path, options: tuple[str, ...]) -> None:
        self.seed = seed
        self.dice = Dice(seed)
        self.random = self.dice.random
        self.root = root
        self.options = options
        # For IDF the engine counts points deleted from an optimised segment until it is rebuilt.
        self.scored = ["plain"] if options else ["plain", "idf"]
        self.number = 0
        self.last = ""
        self.weighted: dict[Callable[[], Awaitable[None]], int] = {
            self.upsert: 30,
            self.delete: 6,
            self.set_payload: 5,
            self.query_dense: 15,
            self.query_sparse: 10,
            self.query_fused: 8,
            self.scroll: 6,
            self.retrieve: 6,
            self.count_and_facet: 8,
        }

    async def open(self, stack: AsyncExitStack) -> None:
        self.memory = AsyncQdrantClient(":memory:")
        stack.push_async_callback(self.memory.close)
        self.running = await stack.enter_async_context(AsyncExitStack())
        await self.start()
        for client in (self.client, self.memory):
            await client.create_collection(NAME, vectors_config=DENSE, sparse_vectors_config=SPARSE)
        await self.client.create_payload_index(NAME, "tenant", models.PayloadSchemaType.KEYWORD)
        for field in self.random.sample(sorted(INDEXES), 3):
            await self.client.create_payload_index(NAME, field, models.PayloadSchemaType(INDEXES[field]))

    async def start(self) -> None:
        started = ServiceProcess.started(self.root, *self.options)
        self.service = await self.running.enter_async_context(started)
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        self.client = AsyncQdrantClient(url=self.service.url, limits=limits, check_compatibility=False)
        self.running.push_async_callback(self.client.close)

    async def restart(self) -> None:
        await (self.service.kill() if self.options else self.service.stop())
        await self.running.aclose()
        await self.start()

    async def run(self, operations: int, until: str | None = None) -> None:
        """So many operations, and as many more as it takes until the service has logged an event."""
        logged = asyncio.create_task(self.service.event(until)) if until else None
        enough = self.number + operations
        while self.number < enough or (logged and not logged.done()):
            await self.step()
            self.number += 1

    async def step(self) -> None:
        operation = self.random.choices([*self.weighted], [*self.weighted.values()])[0]
        self.last = operation.__name__
        try:
            await operation()
        except (AssertionError, ApiException) as exc:
            exc.add_note(f"seed {self.seed}, operation {self.number}: {self.last}")
            raise

    async def both(self, ask: Callable[[AsyncQdrantClient], Awaitable[Any]]) -> tuple[Any, Any]:
        return await ask(self.client), await ask(self.memory)

    async def upsert(self) -> None:
        points = [self.dice.point(point_id) for point_id in self.dice.ids(6)]
        await self.both(lambda client: client.upsert(NAME, points))

    async def delete(self) -> None:
        few = models.Filter(must=[self.dice.condition(1), models.HasIdCondition(has_id=self.dice.ids(30))])
        by_filter = models.FilterSelector(filter=few)
        selector = self.random.choice([models.PointIdsList(points=self.dice.ids(4)), by_filter])
        await self.both(lambda client: client.delete(NAME, selector))

    async def set_payload(self) -> None:
        found = [record.id for record in await self.memory.retrieve(NAME, self.dice.ids(6))]
        selector: Any = self.random.choice([found or self.dice.filter(), self.dice.filter()])
        key, change = self.random.choice(
            [(None, {"n": self.random.randint(0, 9)}), ("o", {"k": 2, "new": "x"})]
        )
        await self.both(lambda client: client.set_payload(NAME, change, selector, key=key))

    async def query_dense(self) -> None:
        name = self.random.choice(sorted(DENSE))
        query, chosen = self.dice.dense(DENSE[name].size), self.dice.perhaps_filter()
        threshold = self.random.choice([None, None, self.random.uniform(0.1, 1)])
        await self.ranked(query=query, using=name, query_filter=chosen, score_threshold=threshold)

    async def query_sparse(self) -> None:
        using, chosen = self.random.choice(self.scored), self.dice.perhaps_filter()
        await self.ranked(query=self.dice.sparse(), using=using, query_filter=chosen)

    async def query_fused(self) -> None:
        chosen, using = self.dice.perhaps_filter(), self.random.choice(self.scored)
        dense = models.Prefetch(query=self.dice.dense(8), using="cosine", limit=20, filter=chosen)
        sparse = models.Prefetch(query=self.dice.sparse(), using=using, limit=20)
        by_rank = models.FusionQuery(fusion=models.Fusion.RRF)
        by_score = models.FusionQuery(fusion=models.Fusion.DBSF)
        weighted = models.RrfQuery(rrf=models.Rrf(k=60, weights=[1.0, 0.5]))
        await self.ranked(prefetch=[dense, sparse], query=self.random.choice([by_rank, by_score, weighted]))

    async def ranked(self, **asked: Any) -> None:
        """Compare with everything that matches, so that a cut through equal scores can be judged."""
        limit, offset = self.random.randint(1, 12), self.random.choice([0, 0, 0, 3])
        self.last += f" limit={limit} offset={offset} {asked}"
        exact = models.SearchParams(exact=True)
        found = await self.client.query_points(NAME, limit=limit, offset=offset, search_params=exact, **asked)
        everything = await self.memory.query_points(NAME, limit=len(IDS), **asked)

        expected = [point.score for point in everything.points]
        score_of = {point.id: point.score for point in everything.points}
        scores = [point.score for point in found.points]
        assert scores == pytest.approx(expected[offset : offset + limit], abs=1e-4)
        assert scores == pytest.approx([score_of[point.id] for point in found.points], abs=1e-4)
        assert len({point.id for point in found.points}) == len(scores)

    async def scroll(self) -> None:
        chosen, offset = self.dice.perhaps_filter(), None
        while True:
            ours, theirs = await self.both(
                lambda client, at=offset: client.scroll(NAME, chosen, limit=7, offset=at, with_vectors=True)
            )
            assert ours[1] == theirs[1]
            same_records(ours[0], theirs[0])
            offset = ours[1]
            if offset is None:
                return

    async def retrieve(self) -> None:
        ids, vectors = self.dice.ids(8), self.random.choice([True, False, ["plain", "dot"]])
        ours, theirs = await self.both(lambda client: client.retrieve(NAME, ids, with_vectors=vectors))
        by_id = [sorted(side, key=lambda record: str(record.id)) for side in (ours, theirs)]
        same_records(by_id[0], by_id[1])

    async def count_and_facet(self) -> None:
        chosen = self.dice.perhaps_filter()
        self.last += f" {chosen}"
        counts = await self.both(lambda client: client.count(NAME, chosen))
        facets = await self.both(lambda client: client.facet(NAME, "tenant", chosen, exact=True))
        hits = [{hit.value: hit.count for hit in side.hits} for side in facets]
        assert counts[0] == counts[1]
        assert hits[0] == hits[1]


def same_records(ours: list[models.Record], theirs: list[models.Record]) -> None:
    assert [(record.id, record.payload) for record in ours] == [
        (record.id, record.payload) for record in theirs
    ]
    for mine, other in zip(ours, theirs, strict=True):
        assert numbers(mine.vector) == pytest.approx(numbers(other.vector), abs=1e-5)


def numbers(vectors: Any) -> dict[str, float]:
    """Every number of a point's vectors, by vector and place."""
    found: dict[str, float] = {}
    for name, vector in cast("dict[str, list[float] | models.SparseVector]", vectors or {}).items():
        sparse = isinstance(vector, models.SparseVector)
        values = zip(vector.indices, vector.values, strict=True) if sparse else enumerate(vector)
        found |= {f"{name}[{place}]": value for place, value in values}
    return found


async def main(first: int, last: int) -> None:
    for seed in range(first, last):
        for options in ((), OPTIMISING):
            with tempfile.TemporaryDirectory() as root:
                await conform(seed, Path(root), *options)
        sys.stdout.write(f"seed {seed}: the same answers\n")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
