"""Versioned bundles in, canonical rows out: the content that every other store can be rebuilt from."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from apex_memory.database import Connection, Database, columns_of
from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.domain.ids import entity_key
from apex_memory.domain.upkeep import VersionPage, cursor_at, position_after
from apex_memory.pipeline.stores import orphans

NAME: Final = "postgres"
_TABLES: Final[tuple[LiteralString, ...]] = ("chunk", "mention", "claim", "sample")

_CHUNKS: Final = """
INSERT INTO chunk (tenant_id, chunk_id, item_id, version, ordinal, header, text, heading_path,
                   start_offset, end_offset, page, embedder_id, vector)
SELECT %(tenant)s, * FROM unnest(
    %(chunk_id)s::uuid[], %(item_id)s::uuid[], %(version)s::int[], %(ordinal)s::int[], %(header)s::text[],
    %(text)s::text[], %(heading_path)s::jsonb[], %(start)s::int[], %(end)s::int[], %(page)s::int[],
    %(embedder_id)s::text[], %(vector)s::bytea[])
ON CONFLICT DO NOTHING
"""

# Sorted: concurrent prepares that share entities take the rows in one order.
_ENTITIES: Final = """
INSERT INTO entity (tenant_id, entity_id, type, key)
SELECT %(tenant)s, * FROM unnest(%(entity_id)s::uuid[], %(type)s::text[], %(key)s::text[])
ON CONFLICT DO NOTHING
"""

_MENTIONS: Final = """
INSERT INTO mention (tenant_id, mention_id, item_id, version, entity_id, name)
SELECT %(tenant)s, * FROM unnest(
    %(mention_id)s::uuid[], %(item_id)s::uuid[], %(version)s::int[], %(entity_id)s::uuid[], %(name)s::text[])
ON CONFLICT DO NOTHING
"""

_CLAIMS: Final = """
INSERT INTO claim (tenant_id, claim_id, item_id, version, subject_id, predicate, object_id, value, fact,
                   valid_from, valid_to, confidence, passage)
SELECT %(tenant)s, * FROM unnest(
    %(claim_id)s::uuid[], %(item_id)s::uuid[], %(version)s::int[], %(subject_id)s::uuid[],
    %(predicate)s::text[], %(object_id)s::uuid[], %(value)s::text[], %(fact)s::text[],
    %(valid_from)s::timestamptz[], %(valid_to)s::timestamptz[], %(confidence)s::float8[], %(passage)s::int[])
ON CONFLICT DO NOTHING
"""

_SAMPLES: Final = """
INSERT INTO sample (tenant_id, sample_id, item_id, version, entity_id, metric, at, value)
SELECT %(tenant)s, * FROM unnest(
    %(sample_id)s::uuid[], %(item_id)s::uuid[], %(version)s::int[], %(entity_id)s::uuid[],
    %(metric)s::text[], %(at)s::timestamptz[], %(value)s::float8[])
ON CONFLICT DO NOTHING
"""

_WANTED: Final = "unnest(%(items)s::uuid[], %(versions)s::int[]) AS w (item_id, version)"

_READ_BACK: Final[LiteralString] = " UNION ALL ".join(
    f"SELECT t.item_id, t.version, t.{table}_id AS part_id FROM {table} AS t JOIN {_WANTED} "  # noqa: S608 - our constants
    "ON t.item_id = w.item_id AND t.version = w.version WHERE t.tenant_id = %(tenant)s"
    for table in _TABLES
)

_DISCARD: Final[Sequence[LiteralString]] = [
    f"DELETE FROM {table} AS t USING {_WANTED} "  # noqa: S608 - our constants
    "WHERE t.tenant_id = %(tenant)s AND t.item_id = w.item_id AND t.version = w.version"
    for table in _TABLES
]


# Each table's index gives its first rows in order. The page ends at a version, of which the rest is skipped.
_HELD: Final[LiteralString] = " UNION ALL ".join(
    f"(SELECT item_id, version FROM {table} WHERE tenant_id = %(tenant)s "  # noqa: S608 - our constants
    "AND (item_id, version) > (%(item)s, %(version)s) ORDER BY item_id, version LIMIT %(limit)s)"
    for table in _TABLES
)
_VERSIONS: Final = _HELD + " ORDER BY item_id, version LIMIT %(limit)s"


_VERSIONS_OF: Final[LiteralString] = " UNION ".join(
    f"SELECT item_id, version FROM {table} "  # noqa: S608 - our constants
    "WHERE tenant_id = %(tenant)s AND item_id = ANY(%(items)s)"
    for table in _TABLES
)


class PostgresStore:
    """The port `Store` over PostgreSQL."""

    name = NAME

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure(self) -> None:
        """The schema is the migrations' business."""

    def parts(self, write: VersionedBundle) -> Sequence[UUID]:
        return [*write.chunk_ids, *write.mention_ids, *write.claim_ids, *write.sample_ids]

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        # Pipelined: ten statements in one round trip.
        async with self._database.transaction() as connection, connection.pipeline():
            for tenant_id, group in _by_tenant(writes).items():
                await _prepare(connection, tenant_id, group)

    async def read_back(self, tenant_id: str, refs: Sequence[VersionRef]) -> Mapping[VersionRef, Manifest]:
        found: dict[VersionRef, list[UUID]] = {ref: [] for ref in refs}
        async with self._database.connection() as connection:
            cursor = await connection.execute(_READ_BACK, {"tenant": tenant_id, **columns_of(refs)})
            async for row in cursor:
                found[VersionRef(item_id=row["item_id"], version=row["version"])].append(row["part_id"])
        return {ref: Manifest.of(parts) for ref, parts in found.items()}

    async def discard(self, tenant_id: str, refs: Sequence[VersionRef]) -> None:
        where = {"tenant": tenant_id, **columns_of(refs)}
        async with self._database.transaction() as connection:
            await _lock(connection, tenant_id, refs)
            entities = await orphans.named_by(connection, where)
            await _delete(connection, where)
            await orphans.delete_orphans(connection, tenant_id, entities)

    async def versions(self, tenant_id: str, *, after: str | None, limit: int) -> VersionPage:
        start = position_after(after)
        where = {"tenant": tenant_id, "item": start.item_id, "version": start.version, "limit": limit}
        async with self._database.connection() as connection:
            cursor = await connection.execute(_VERSIONS, where)
            refs = [VersionRef(item_id=row["item_id"], version=row["version"]) async for row in cursor]
        following = cursor_at(refs[-1]) if len(refs) == limit else None
        return VersionPage(refs=tuple(dict.fromkeys(refs)), after=following)

    async def versions_of(self, tenant_id: str, items: Sequence[UUID]) -> Sequence[VersionRef]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_VERSIONS_OF, {"tenant": tenant_id, "items": list(items)})
            return [VersionRef(**row) async for row in cursor]

    async def ping(self) -> None:
        await self._database.ping()


async def _prepare(connection: Connection, tenant_id: str, writes: Sequence[VersionedBundle]) -> None:
    refs = [w.ref for w in writes]
    await _lock(connection, tenant_id, refs)
    await _delete(connection, {"tenant": tenant_id, **columns_of(refs)})
    await orphans.speaking(connection, tenant_id)
    steps: list[tuple[LiteralString, list[dict[str, Any]]]] = [
        (_ENTITIES, _entities(writes)),
        (_CHUNKS, list(chain.from_iterable(map(_chunks, writes)))),
        (_MENTIONS, list(chain.from_iterable(map(_mentions, writes)))),
        (_CLAIMS, list(chain.from_iterable(map(_claims, writes)))),
        (_SAMPLES, list(chain.from_iterable(map(_samples, writes)))),
    ]
    for statement, rows in steps:
        if rows:
            columns = {name: [row[name] for row in rows] for name in rows[0]}
            await connection.execute(statement, {"tenant": tenant_id, **columns})


async def _lock(connection: Connection, tenant_id: str, refs: Sequence[VersionRef]) -> None:
    # Two writers of one version (a zombie and its successor) would delete each other's rows crosswise.
    locks = sorted(_lock_key(tenant_id, ref) for ref in refs)
    await connection.execute("SELECT pg_advisory_xact_lock(k) FROM unnest(%s::bigint[]) AS k", (locks,))


async def _delete(connection: Connection, where: dict[str, Any]) -> None:
    for statement in _DISCARD:
        await connection.execute(statement, where)


def _lock_key(tenant_id: str, ref: VersionRef) -> int:
    digest = hashlib.blake2b(f"{ref.item_id}:{ref.version}:{tenant_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _entities(writes: Sequence[VersionedBundle]) -> list[dict[str, Any]]:
    named = {w.entity_id(e): e for w in writes for e in w.entities}
    return [
        {"entity_id": id_, "type": entity.type, "key": entity_key(entity.key)}
        for id_, entity in sorted(named.items(), key=lambda pair: pair[0].bytes)
    ]


def _chunks(write: VersionedBundle) -> list[dict[str, Any]]:
    return [
        {
            "chunk_id": chunk_id,
            **_version(write),
            "ordinal": passage.ordinal,
            "header": write.bundle.header(passage),
            "text": passage.text,
            "heading_path": Jsonb(passage.heading_path),
            "start": passage.start,
            "end": passage.end,
            "page": passage.page,
            "embedder_id": write.embedder_id,
            "vector": vector.astype("<f4").tobytes(),
        }
        for chunk_id, passage, vector in zip(
            write.chunk_ids, write.bundle.passages, write.vectors, strict=True
        )
    ]


def _mentions(write: VersionedBundle) -> list[dict[str, Any]]:
    return [
        {
            "mention_id": mention_id,
            **_version(write),
            "entity_id": write.entity_id(mention.entity),
            "name": mention.name,
        }
        for mention_id, mention in zip(write.mention_ids, write.bundle.mentions, strict=True)
    ]


def _claims(write: VersionedBundle) -> list[dict[str, Any]]:
    return [
        {
            "claim_id": claim_id,
            **_version(write),
            "subject_id": write.entity_id(claim.subject),
            "predicate": claim.predicate,
            "object_id": write.entity_id(claim.object) if claim.object else None,
            "value": claim.value,
            "fact": claim.fact,
            "valid_from": claim.valid_from or write.bundle.as_of,
            "valid_to": claim.valid_to,
            "confidence": claim.confidence,
            "passage": claim.passage,
        }
        for claim_id, claim in zip(write.claim_ids, write.bundle.claims, strict=True)
    ]


def _samples(write: VersionedBundle) -> list[dict[str, Any]]:
    return [
        {
            "sample_id": sample_id,
            **_version(write),
            "entity_id": write.entity_id(sample.entity),
            "metric": sample.metric,
            "at": sample.at,
            "value": sample.value,
        }
        for sample_id, sample in zip(write.sample_ids, write.bundle.samples, strict=True)
    ]


def _version(write: VersionedBundle) -> dict[str, Any]:
    return {"item_id": write.ref.item_id, "version": write.ref.version}


def _by_tenant(writes: Sequence[VersionedBundle]) -> Mapping[str, Sequence[VersionedBundle]]:
    groups: defaultdict[str, list[VersionedBundle]] = defaultdict(list)
    for write in writes:
        groups[write.tenant_id].append(write)
    return groups
