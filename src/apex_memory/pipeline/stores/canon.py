"""Versions in, the bundles that were written under them out: what lost stores are rebuilt from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from apex_memory.database import Connection, Database, ref_of
from apex_memory.domain.bundles import (
    Bundle,
    Claim,
    EntityRef,
    Manifest,
    Mention,
    Sample,
    VersionedBundle,
    VersionRef,
)
from apex_memory.domain.documents import Passage
from apex_memory.domain.ids import Part, part_id
from apex_memory.pipeline.stores.postgres import NAME

_WANTED: Final = "unnest(%(items)s::uuid[], %(versions)s::int[]) AS w (item_id, version)"

_VERSIONS: Final[LiteralString] = f"""
SELECT v.item_id, v.version, v.title, v.as_of, v.parent_item, v.parent_version,
       v.manifests -> '{NAME}' AS manifest, h.source, h.external_id, h.kind, s.embedder_id, s.dim
FROM {_WANTED}
JOIN item_version AS v
  ON v.tenant_id = %(tenant)s AND v.item_id = w.item_id AND v.version = w.version
JOIN item_head AS h ON h.tenant_id = v.tenant_id AND h.item_id = v.item_id
CROSS JOIN embedding_space AS s
WHERE v.manifests ? '{NAME}'
"""  # noqa: S608 - our constants

_CHUNKS: Final[LiteralString] = f"""
SELECT t.chunk_id AS part_id, t.item_id, t.version, t.ordinal, t.text, t.heading_path,
       t.start_offset AS start, t.end_offset AS "end", t.page, t.embedder_id, t.vector
FROM {_WANTED} JOIN chunk AS t
  ON t.tenant_id = %(tenant)s AND t.item_id = w.item_id AND t.version = w.version
"""  # noqa: S608

_MENTIONS: Final[LiteralString] = f"""
SELECT t.mention_id AS part_id, t.item_id, t.version, t.name, e.type, e.key
FROM {_WANTED} JOIN mention AS t
  ON t.tenant_id = %(tenant)s AND t.item_id = w.item_id AND t.version = w.version
JOIN entity AS e ON e.tenant_id = t.tenant_id AND e.entity_id = t.entity_id
"""  # noqa: S608

_CLAIMS: Final[LiteralString] = f"""
SELECT t.claim_id AS part_id, t.item_id, t.version, t.predicate, t.value, t.fact, t.valid_from, t.valid_to,
       t.confidence, t.passage, s.type, s.key, o.type AS object_type, o.key AS object_key
FROM {_WANTED} JOIN claim AS t
  ON t.tenant_id = %(tenant)s AND t.item_id = w.item_id AND t.version = w.version
JOIN entity AS s ON s.tenant_id = t.tenant_id AND s.entity_id = t.subject_id
LEFT JOIN entity AS o ON o.tenant_id = t.tenant_id AND o.entity_id = t.object_id
"""  # noqa: S608

_SAMPLES: Final[LiteralString] = f"""
SELECT t.sample_id AS part_id, t.item_id, t.version, t.metric, t.at, t.value, e.type, e.key
FROM {_WANTED} JOIN sample AS t
  ON t.tenant_id = %(tenant)s AND t.item_id = w.item_id AND t.version = w.version
JOIN entity AS e ON e.tenant_id = t.tenant_id AND e.entity_id = t.entity_id
"""  # noqa: S608

_TABLES: Final[Mapping[Part, LiteralString]] = {
    "chunk": _CHUNKS,
    "mention": _MENTIONS,
    "claim": _CLAIMS,
    "sample": _SAMPLES,
}

_Row = Mapping[str, Any]
_Rows = Mapping[UUID, _Row]
_Found = Mapping[VersionRef, _Rows]


class PostgresCanon:
    """The port `Canon` over PostgreSQL. Entities come under the one spelling of their keys that is kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def bundles(self, tenant_id: str, versions: Sequence[VersionRef]) -> Sequence[VersionedBundle]:
        """A version of which PostgreSQL itself holds other parts than its manifest says is left out too."""
        where = {
            "tenant": tenant_id,
            "items": [ref.item_id for ref in versions],
            "versions": [ref.version for ref in versions],
        }
        async with self._database.connection() as connection:
            heads = await _rows(connection, _VERSIONS, where)
            found: dict[Part, _Found] = {
                part: await _parts(connection, table, where) for part, table in _TABLES.items()
            }
        read = (_read(tenant_id, head, found) for head in heads)
        return [write for write in read if write is not None]


async def _rows(connection: Connection, query: LiteralString, where: dict[str, Any]) -> Sequence[_Row]:
    cursor = await connection.execute(query, where)
    return await cursor.fetchall()


async def _parts(connection: Connection, query: LiteralString, where: dict[str, Any]) -> _Found:
    found: defaultdict[VersionRef, dict[UUID, _Row]] = defaultdict(dict)
    for row in await _rows(connection, query, where):
        found[ref_of(row)][row["part_id"]] = row
    return found


def _read(tenant_id: str, head: _Row, found: Mapping[Part, _Found]) -> VersionedBundle | None:
    ref = ref_of(head)
    held: dict[Part, _Rows] = {part: of_version.get(ref, {}) for part, of_version in found.items()}
    # Its parts, or none, if it was discarded between two of the queries or if PostgreSQL lost something.
    if Manifest.of([part for rows in held.values() for part in rows]) != Manifest(**head["manifest"]):
        return None
    parts: dict[Part, Sequence[_Row]] = {
        part: _in_order(tenant_id, ref, part, rows) for part, rows in held.items()
    }
    return VersionedBundle(
        tenant_id=tenant_id,
        ref=ref,
        bundle=_bundle(head, parts),
        embedder_id=next((chunk["embedder_id"] for chunk in parts["chunk"]), head["embedder_id"]),
        vectors=_vectors(parts["chunk"], dim=head["dim"]),
    )


def _in_order(tenant_id: str, ref: VersionRef, part: Part, rows: _Rows) -> Sequence[_Row]:
    """The rows in the order of the bundle, which their ids were made of."""
    return [rows[part_id(tenant_id, ref.item_id, ref.version, part, n)] for n in range(len(rows))]


def _bundle(head: _Row, parts: Mapping[Part, Sequence[_Row]]) -> Bundle:
    parent = head["parent_item"]
    return Bundle(
        source=head["source"],
        external_id=head["external_id"],
        kind=head["kind"],
        title=head["title"],
        as_of=head["as_of"],
        parent=VersionRef(item_id=parent, version=head["parent_version"]) if parent else None,
        passages=tuple(Passage(**_only(Passage, chunk)) for chunk in parts["chunk"]),
        mentions=tuple(Mention(entity=_entity(row), name=row["name"]) for row in parts["mention"]),
        claims=tuple(
            Claim(**_only(Claim, row), subject=_entity(row), object=_object(row)) for row in parts["claim"]
        ),
        samples=tuple(Sample(**_only(Sample, row), entity=_entity(row)) for row in parts["sample"]),
    )


def _only(kind: type[Passage | Claim | Sample], row: _Row) -> dict[str, Any]:
    return {name: row[name] for name in kind.model_fields if name in row}


def _entity(row: _Row) -> EntityRef:
    return EntityRef(type=row["type"], key=row["key"])


def _object(row: _Row) -> EntityRef | None:
    return EntityRef(type=row["object_type"], key=row["object_key"]) if row["object_type"] else None


def _vectors(chunks: Sequence[_Row], *, dim: int) -> NDArray[np.float32]:
    if not chunks:
        return np.empty((0, dim), dtype=np.float32)
    return np.stack([np.frombuffer(chunk["vector"], dtype="<f4") for chunk in chunks])
