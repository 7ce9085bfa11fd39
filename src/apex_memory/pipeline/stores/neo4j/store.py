"""Versioned bundles in, one transaction a chunk of them out; what a version holds, or claims, back."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

from neo4j import AsyncDriver, AsyncGraphDatabase, NotificationMinimumSeverity
from neo4j.exceptions import Neo4jError
from neo4j.time import DateTime
from pydantic import SecretStr

from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.upkeep import VersionPage, cursor_at, position_after
from apex_memory.pipeline.stores.neo4j import rows, statements, writing
from apex_memory.pipeline.stores.neo4j.transactions import NAME, TWINS, Transactions

# On two busy cores 340 to 700 items/s are written in fifties, 70 to 130 one by one.
CHUNK: Final = 50
# Relationships read a step, shared among the entities it starts from: a hub must not cost seconds.
SCAN: Final = 5_000
# A chunk takes 0.15 s; the first statement after a recovery from kill -9 took 22 s.
DEADLINE_S: Final = 30.0
PING_DEADLINE_S: Final = 2.0

_T = TypeVar("_T")


def open_neo4j(url: str, *, user: str = "neo4j", password: SecretStr | None = None) -> AsyncDriver:
    """A driver that has not connected yet; close it. Without a password it sends no credentials."""
    return AsyncGraphDatabase.driver(  # pyright: ignore[reportUnknownMemberType] - its options are untyped
        url,
        auth=(user, password.get_secret_value()) if password else None,
        connection_timeout=5.0,
        connection_acquisition_timeout=10.0,
        max_connection_pool_size=50,
        disable_auto_commit_retries=True,
        notifications_min_severity=NotificationMinimumSeverity.OFF,
        telemetry_disabled=True,
    )


class Neo4jStore:
    """Implements `ports.Projection` and `ports.GraphSearcher`."""

    name = NAME

    def __init__(self, driver: AsyncDriver, *, deadline_s: float = DEADLINE_S) -> None:
        self._transactions = Transactions(driver, deadline_s=deadline_s)
        self._pings = Transactions(driver, deadline_s=min(deadline_s, PING_DEADLINE_S))

    async def ensure(self) -> None:
        """Create the constraints and indexes that are missing; any number of processes may, at once."""
        for statement in statements.SCHEMA:
            try:
                await self._transactions.write(partial(writing.run, statement))
            except StoreUnavailable as exc:
                if not (isinstance(exc.__cause__, Neo4jError) and exc.__cause__.code == TWINS):
                    raise
                for twins in statements.DELETE_TWINS:
                    await self._transactions.write(partial(writing.run, twins))
                await self._transactions.write(partial(writing.run, statement))
        await self._transactions.read_written(statements.AWAIT_INDEXES, {})

    def parts(self, write: VersionedBundle) -> Sequence[UUID]:
        return rows.part_ids(write)

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        for tenant_id, of_tenant in _by_tenant(writes).items():
            for chunk in _chunks(of_tenant):
                await self._transactions.write(partial(writing.replace, tenant_id, chunk))

    async def read_back(self, tenant_id: str, refs: Sequence[VersionRef]) -> Mapping[VersionRef, Manifest]:
        held: dict[VersionRef, Manifest] = {}
        for chunk in _chunks(refs):
            parameters = {"tenant": tenant_id, "versions": rows.version_rows(chunk)}
            for record in await self._transactions.read_written(statements.READ_BACK, parameters):
                ref = VersionRef(item_id=UUID(record["item_id"]), version=record["version"])
                episodes = [rows.episode_id(ref)] * record["episodes"]
                held[ref] = Manifest.of([*episodes, *map(UUID, record["part_ids"])])
        return held

    async def discard(self, tenant_id: str, refs: Sequence[VersionRef]) -> None:
        for chunk in _chunks(refs):
            await self._transactions.write(partial(writing.delete, tenant_id, chunk))

    async def versions(self, tenant_id: str, *, after: str | None, limit: int) -> VersionPage:
        start = position_after(after)
        where = {
            "tenant": tenant_id,
            "item_id": str(start.item_id),
            "version": start.version,
            "limit": limit,
        }
        found = await self._transactions.read_written(statements.VERSIONS, where)
        refs = [VersionRef(item_id=UUID(record["item_id"]), version=record["version"]) for record in found]
        following = cursor_at(refs[-1]) if len(refs) == limit else None
        return VersionPage(refs=tuple(dict.fromkeys(refs)), after=following)

    async def versions_of(self, tenant_id: str, items: Sequence[UUID]) -> Sequence[VersionRef]:
        where = {"tenant": tenant_id, "item_ids": [str(item) for item in items]}
        found = await self._transactions.read_written(statements.VERSIONS_OF, where)
        return [VersionRef(item_id=UUID(record["item_id"]), version=record["version"]) for record in found]

    async def altered(self, writes: Sequence[VersionedBundle]) -> Sequence[VersionRef]:
        different: list[VersionRef] = []
        for tenant_id, of_tenant in _by_tenant(writes).items():
            for chunk in _chunks(of_tenant):
                held = await self._said(tenant_id, [write.ref for write in chunk])
                different += [w.ref for w in chunk if held[w.ref] != rows.said_by(tenant_id, w)]
        return different

    async def ping(self) -> None:
        await self._pings.read_written(statements.PING, {})

    async def claims_around(
        self, tenant_id: str, entities: Sequence[UUID], *, steps: int, limit: int
    ) -> Sequence[UUID]:
        """Nearest first, of equally near ones the newest first. A step follows a RELATES_TO either way."""
        found: dict[UUID, None] = {}
        walked: set[str] = set()
        frontier = {str(entity) for entity in entities}
        for _ in range(steps):
            if not frontier or len(found) >= limit:
                break
            parameters = {
                "tenant": tenant_id,
                "entity_ids": sorted(frontier),
                "walked": sorted(walked),
                "share": max(1, SCAN // len(frontier)),
                "limit": limit - len(found),
            }
            (reached,) = await self._transactions.read(statements.CLAIMS_AROUND, parameters)
            found.update(dict.fromkeys(UUID(claim_id) for claim_id in reached["claim_ids"]))
            walked |= frontier
            frontier = {entity_id for others in reached["others"] for entity_id in others} - walked
        return list(found)

    async def _said(
        self, tenant_id: str, refs: Sequence[VersionRef]
    ) -> Mapping[VersionRef, Sequence[rows.Row]]:
        said: dict[VersionRef, list[rows.Row]] = {ref: [] for ref in refs}
        where = {"tenant": tenant_id, "versions": rows.version_rows(refs)}
        for record in await self._transactions.read_written(statements.SAID, where):
            ref = VersionRef(item_id=UUID(record["item_id"]), version=record["version"])
            ends = {end: record[end] for end in ("of", "object") if record[end] is not None}
            said[ref].append({name: _plain(value) for name, value in record["said"].items()} | ends)
        return {ref: rows.in_order(relationships) for ref, relationships in said.items()}


def _plain(value: object) -> object:
    return value.to_native() if isinstance(value, DateTime) else value


def _by_tenant(writes: Sequence[VersionedBundle]) -> Mapping[str, Sequence[VersionedBundle]]:
    grouped: dict[str, list[VersionedBundle]] = {}
    for write in writes:
        grouped.setdefault(write.tenant_id, []).append(write)
    return grouped


def _chunks(things: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (things[start : start + CHUNK] for start in range(0, len(things), CHUNK))
