"""Candidates and a snapshot in, what was visible then out: the one place where visibility is decided."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from apex_memory.database import Connection, Database
from apex_memory.domain.answers import Candidate, EntityView, FactView, Hit, ItemView, SearchFilter
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.ids import entity_id, entity_key
from apex_memory.pipeline.stores.matching import RANKED_AT_MOST, Q

# The read filter. A version is seen at a snapshot if it had committed and was not yet superseded; judging by
# "now" instead would tear an answer apart when a commit falls between the search and its validation.
_VISIBLE: Final[LiteralString] = """
    v.state = 'committed' AND NOT v.tombstone AND v.commit_seq <= %(seq)s
    AND (v.superseded_seq IS NULL OR v.superseded_seq > %(seq)s)
"""

_VERSION_OF: Final[LiteralString] = (
    "JOIN item_version AS v ON v.tenant_id = t.tenant_id AND v.item_id = t.item_id AND v.version = t.version"
)

_ITEM_OF: Final[LiteralString] = "JOIN item_head AS h ON h.tenant_id = v.tenant_id AND h.item_id = v.item_id"

_WHERE: Final[LiteralString] = """
    (%(sources)s::text[] IS NULL OR h.source = ANY(%(sources)s))
    AND (%(kinds)s::text[] IS NULL OR h.kind = ANY(%(kinds)s))
    AND (%(entity)s::uuid IS NULL OR EXISTS (
        SELECT 1 FROM mention AS m WHERE m.tenant_id = v.tenant_id AND m.item_id = v.item_id
        AND m.version = v.version AND m.entity_id = %(entity)s))
"""

_INCOMPLETE: Final = """
SELECT DISTINCT store FROM rebuild WHERE tenant_id = %s AND finished_at IS NULL ORDER BY store
"""

# ts_rank with length normalisation (1) leads ts_rank_cd by 7 to 19 points of recall.
_LEXICAL: Final[LiteralString] = f"""
WITH {Q}
SELECT t.chunk_id, t.item_id, t.version, ts_rank(t.terms, q.terms, 1) AS score
FROM q, chunk AS t {_VERSION_OF} {_ITEM_OF}
WHERE t.tenant_id = %(tenant)s AND t.terms @@ q.matched AND {_VISIBLE} AND {_WHERE}
ORDER BY score DESC, t.chunk_id LIMIT %(limit)s
"""  # noqa: S608 - composed of constants

_HITS: Final[LiteralString] = f"""
SELECT t.chunk_id, t.item_id, t.version, h.source, h.external_id, h.kind, v.title, t.text, t.heading_path,
       t.start_offset AS start, t.end_offset AS "end", t.page, v.as_of
FROM chunk AS t {_VERSION_OF} {_ITEM_OF}
WHERE t.tenant_id = %(tenant)s AND t.chunk_id = ANY(%(chunks)s) AND {_VISIBLE} AND {_WHERE}
"""  # noqa: S608

_MENTIONED: Final[LiteralString] = """
SELECT DISTINCT ON (m.item_id, m.version, m.entity_id)
       m.item_id, m.version, m.entity_id, e.type, e.key, m.name
FROM mention AS m
JOIN unnest(%(items)s::uuid[], %(versions)s::int[]) AS w (item_id, version)
  ON m.item_id = w.item_id AND m.version = w.version
JOIN entity AS e ON e.tenant_id = m.tenant_id AND e.entity_id = m.entity_id
WHERE m.tenant_id = %(tenant)s
ORDER BY m.item_id, m.version, m.entity_id, m.mention_id
"""

_FACT: Final[LiteralString] = """
    t.claim_id, t.item_id, t.version, h.source, h.external_id, h.kind, t.subject_id, t.predicate,
    t.object_id, t.value, t.fact, t.valid_from, t.valid_to, t.confidence
"""

_FACTS: Final[LiteralString] = f"""
SELECT {_FACT} FROM claim AS t {_VERSION_OF} {_ITEM_OF}
WHERE t.tenant_id = %(tenant)s AND t.claim_id = ANY(%(claims)s) AND {_VISIBLE}
"""  # noqa: S608

# An entity is seen through a visible mention, under the name that the newest of them uses.
_SEEN: Final[LiteralString] = f"""
SELECT DISTINCT ON (t.entity_id) t.entity_id, e.type, e.key, t.name
FROM mention AS t {_VERSION_OF} JOIN entity AS e ON e.tenant_id = t.tenant_id AND e.entity_id = t.entity_id
WHERE t.tenant_id = %(tenant)s AND t.entity_id = ANY(%(entities)s) AND {_VISIBLE}
ORDER BY t.entity_id, v.as_of DESC, t.mention_id
"""  # noqa: S608

_BY_KEY: Final[LiteralString] = "SELECT entity_id FROM entity WHERE tenant_id = %s AND key = ANY(%s) LIMIT 64"

# What has been said of one moment is ordered by what it says: claims' ids tell which version came first.
_NEWEST_FIRST: Final[LiteralString] = """
    valid_from DESC, fact COLLATE "C", source COLLATE "C", external_id COLLATE "C"
"""

# A vehicle's entries say all day long which VIN it has, and the newest of them say it as well. What has been
# superseded counts among the newest until it is collected.
_SAME_AS: Final[LiteralString] = f"""
SELECT DISTINCT t.other FROM unnest(%(entities)s::uuid[]) AS e (entity_id)
CROSS JOIN LATERAL (
    (SELECT c.tenant_id, c.item_id, c.version, c.object_id AS other FROM claim AS c
     WHERE c.tenant_id = %(tenant)s AND c.subject_id = e.entity_id AND c.predicate = 'same_as'
       AND c.object_id IS NOT NULL
     ORDER BY c.valid_from DESC LIMIT 512)
    UNION ALL
    (SELECT c.tenant_id, c.item_id, c.version, c.subject_id FROM claim AS c
     WHERE c.tenant_id = %(tenant)s AND c.object_id = e.entity_id AND c.predicate = 'same_as'
     ORDER BY c.valid_from DESC LIMIT 512)
) AS t {_VERSION_OF}
WHERE t.other <> ALL(%(entities)s) AND {_VISIBLE}
ORDER BY t.other LIMIT %(limit)s
"""  # noqa: S608

# One walk down the index an entity and predicate: of a vehicle's hundred thousand places it reads the newest.
_SAID_OF: Final[LiteralString] = f"""
SELECT said.* FROM unnest(%(entities)s::uuid[]) AS e (entity_id)
CROSS JOIN unnest(%(predicates)s::text[]) AS p (predicate)
CROSS JOIN LATERAL (
    SELECT {_FACT} FROM claim AS t {_VERSION_OF} {_ITEM_OF}
    WHERE t.tenant_id = %(tenant)s AND t.subject_id = e.entity_id AND t.predicate = p.predicate AND {_VISIBLE}
    ORDER BY {_NEWEST_FIRST} LIMIT %(limit)s
) AS said
ORDER BY {_NEWEST_FIRST}
"""  # noqa: S608

_VERSION: Final[LiteralString] = f"""
SELECT v.version FROM item_version AS v
WHERE v.tenant_id = %(tenant)s AND v.item_id = %(item)s AND {_VISIBLE}
"""  # noqa: S608

_ITEMS: Final[LiteralString] = f"""
SELECT v.item_id, v.version, h.source, h.external_id, h.kind, v.title, v.as_of, v.decided_at AS committed_at,
       (SELECT count(*) FROM chunk AS c
        WHERE c.tenant_id = v.tenant_id AND c.item_id = v.item_id AND c.version = v.version) AS chunks,
       (SELECT count(*) FROM claim AS c
        WHERE c.tenant_id = v.tenant_id AND c.item_id = v.item_id AND c.version = v.version) AS claims
FROM item_version AS v {_ITEM_OF}
WHERE v.tenant_id = %(tenant)s AND v.item_id = ANY(%(items)s) AND {_VISIBLE}
"""  # noqa: S608


class PostgresArchive:
    """The port `Archive` over PostgreSQL."""

    name = "postgres"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def incomplete(self, tenant_id: str) -> Sequence[str]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_INCOMPLETE, (tenant_id,))
            return [row["store"] async for row in cursor]

    async def lexical(
        self, tenant_id: str, query: str, *, seq: int, limit: int, where: SearchFilter
    ) -> Sequence[Candidate]:
        parameters = {"tenant": tenant_id, "query": query, "seq": seq, "limit": limit}
        parameters |= {"ranked_at_most": RANKED_AT_MOST, **_filter(tenant_id, where)}
        async with self._database.connection() as connection:
            cursor = await connection.execute(_LEXICAL, parameters)
            return [Candidate(**row) async for row in cursor]

    async def visible_hits(
        self, tenant_id: str, candidates: Sequence[Candidate], *, seq: int, where: SearchFilter
    ) -> Sequence[Hit]:
        chunks = [c.chunk_id for c in candidates]
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                _HITS, {"tenant": tenant_id, "chunks": chunks, "seq": seq, **_filter(tenant_id, where)}
            )
            rows = {row["chunk_id"]: row async for row in cursor}
            entities = await _mentioned(connection, tenant_id, list(rows.values()))
        return [
            Hit(**row, score=c.score, entities=entities.get((row["item_id"], row["version"]), ()))
            for c in candidates
            if (row := rows.get(c.chunk_id)) is not None
        ]

    async def visible_facts(
        self, tenant_id: str, claim_ids: Sequence[UUID], *, seq: int
    ) -> Sequence[FactView]:
        parameters = {"tenant": tenant_id, "claims": list(claim_ids), "seq": seq}
        async with self._database.connection() as connection:
            cursor = await connection.execute(_FACTS, parameters)
            facts = await _facts(connection, tenant_id, await cursor.fetchall(), seq=seq)
        found = {fact.claim_id: fact for fact in facts}
        return [found[claim_id] for claim_id in dict.fromkeys(claim_ids) if claim_id in found]

    async def entity(self, tenant_id: str, entity_id: UUID, *, seq: int) -> EntityView:
        async with self._database.connection() as connection:
            seen = await _seen(connection, tenant_id, [entity_id], seq=seq)
        if entity_id not in seen:
            raise ItemNotFound("entity", str(entity_id))
        return seen[entity_id]

    async def entities_named(self, tenant_id: str, keys: Sequence[str], *, seq: int) -> Sequence[EntityView]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_BY_KEY, (tenant_id, [entity_key(k) for k in keys]))
            ids = [row["entity_id"] async for row in cursor]
            seen = await _seen(connection, tenant_id, ids, seq=seq) if ids else {}
        return list(seen.values())

    async def same_as(
        self, tenant_id: str, entity_ids: Sequence[UUID], *, seq: int, limit: int
    ) -> Sequence[EntityView]:
        parameters = {"tenant": tenant_id, "entities": list(entity_ids), "seq": seq, "limit": limit}
        async with self._database.connection() as connection:
            cursor = await connection.execute(_SAME_AS, parameters)
            others = [row["other"] async for row in cursor]
            seen = await _seen(connection, tenant_id, others, seq=seq) if others else {}
        return [seen[other] for other in others]

    async def said_of(
        self, tenant_id: str, entity_ids: Sequence[UUID], predicates: Sequence[str], *, seq: int, limit: int
    ) -> Sequence[FactView]:
        parameters = {
            "tenant": tenant_id,
            "entities": list(entity_ids),
            "predicates": list(predicates),
            "seq": seq,
            "limit": limit,
        }
        async with self._database.connection() as connection:
            cursor = await connection.execute(_SAID_OF, parameters)
            rows = _at_most(limit, await cursor.fetchall())
            return await _facts(connection, tenant_id, rows, seq=seq)

    async def version(self, tenant_id: str, item_id: UUID, *, seq: int) -> int:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_VERSION, {"tenant": tenant_id, "item": item_id, "seq": seq})
            row = await cursor.fetchone()
        if row is None:
            raise ItemNotFound("item", str(item_id))
        return row["version"]

    async def item(self, tenant_id: str, item_id: UUID, *, seq: int) -> ItemView:
        items = await self.items(tenant_id, [item_id], seq=seq)
        if not items:
            raise ItemNotFound("item", str(item_id))
        return items[0]

    async def items(self, tenant_id: str, item_ids: Sequence[UUID], *, seq: int) -> Sequence[ItemView]:
        where = {"tenant": tenant_id, "items": list(item_ids), "seq": seq}
        async with self._database.connection() as connection:
            cursor = await connection.execute(_ITEMS, where)
            return [ItemView(**row) async for row in cursor]


async def _facts(
    connection: Connection, tenant_id: str, rows: Sequence[Mapping[str, Any]], *, seq: int
) -> Sequence[FactView]:
    named = {row[end] for row in rows for end in ("subject_id", "object_id") if row[end]}
    seen = await _seen(connection, tenant_id, list(named), seq=seq) if named else {}
    # A claim names only entities that its own version mentions, so both ends are seen whenever it is.
    return [_fact(row, seen) for row in rows]


def _at_most(limit: int, rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The first ones of each predicate."""
    places: Counter[str] = Counter()
    kept: list[Mapping[str, Any]] = []
    for row in rows:
        places[row["predicate"]] += 1
        if places[row["predicate"]] <= limit:
            kept.append(row)
    return kept


def _fact(row: Mapping[str, Any], seen: Mapping[UUID, EntityView]) -> FactView:
    fields = {k: v for k, v in row.items() if k not in {"subject_id", "object_id"}}
    return FactView(**fields, subject=seen[row["subject_id"]], object=seen.get(row["object_id"]))


async def _mentioned(
    connection: Connection, tenant_id: str, rows: Sequence[Mapping[str, Any]]
) -> dict[tuple[UUID, int], tuple[EntityView, ...]]:
    versions = {(row["item_id"], row["version"]) for row in rows}
    cursor = await connection.execute(
        _MENTIONED,
        {"tenant": tenant_id, "items": [i for i, _ in versions], "versions": [v for _, v in versions]},
    )
    mentioned: dict[tuple[UUID, int], tuple[EntityView, ...]] = {}
    async for row in cursor:
        version = (row.pop("item_id"), row.pop("version"))
        mentioned[version] = (*mentioned.get(version, ()), EntityView(**row))
    return mentioned


async def _seen(
    connection: Connection, tenant_id: str, entities: Sequence[UUID], *, seq: int
) -> dict[UUID, EntityView]:
    cursor = await connection.execute(_SEEN, {"tenant": tenant_id, "entities": list(entities), "seq": seq})
    return {row["entity_id"]: EntityView(**row) async for row in cursor}


def _filter(tenant_id: str, where: SearchFilter) -> dict[str, Any]:
    entity = where.entity
    return {
        "sources": list(where.sources) or None,
        "kinds": list(where.kinds) or None,
        "entity": entity_id(tenant_id, entity.type, entity.key) if entity else None,
    }
