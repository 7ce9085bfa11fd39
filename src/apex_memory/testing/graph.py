"""Versioned bundles in, the nodes and relationships that Neo4j would hold of them out, without a service."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Literal, cast
from uuid import UUID

from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.domain.upkeep import VersionPage, cursor_at, position_after
from apex_memory.pipeline.stores.neo4j import rows
from apex_memory.pipeline.stores.neo4j.rows import Row

Properties = Mapping[str, object]
RelationshipType = Literal["MENTIONS", "RELATES_TO", "STATES"]


@dataclass(frozen=True)
class NodeKey:
    """What identifies a node: its label, its tenant, and the rest of its unique key."""

    label: Literal["Entity", "Episode"]
    tenant_id: str
    key: tuple[object, ...]


@dataclass(frozen=True)
class Relationship:
    type: RelationshipType
    start: NodeKey
    end: NodeKey
    properties: Properties


class MemoryGraph:
    """Keeps the contracts of `ports.Projection` and `ports.GraphSearcher`.

    It holds what the Cypher of the real store makes, made of the same rows: an entity is shared and set when
    it is created, all else belongs to one version, and an entity that loses its last relationship goes.
    """

    def __init__(self, *, name: str = "neo4j") -> None:
        self.name = name
        self._numbers = count()
        self._nodes: dict[NodeKey, Properties] = {}
        self._relationships: dict[int, Relationship] = {}
        self._of_version: defaultdict[NodeKey, set[int]] = defaultdict(set)
        self._at_entity: defaultdict[NodeKey, set[int]] = defaultdict(set)

    async def ensure(self) -> None:
        return

    async def ping(self) -> None:
        return

    def parts(self, write: VersionedBundle) -> Sequence[UUID]:
        return rows.part_ids(write)

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        for tenant_id in dict.fromkeys(write.tenant_id for write in writes):
            self._replace(tenant_id, [write for write in writes if write.tenant_id == tenant_id])

    async def read_back(self, tenant_id: str, refs: Sequence[VersionRef]) -> Mapping[VersionRef, Manifest]:
        return {ref: Manifest.of(list(self._parts_of(tenant_id, ref))) for ref in refs}

    async def discard(self, tenant_id: str, refs: Sequence[VersionRef]) -> None:
        episodes = [_episode(tenant_id, row) for row in rows.version_rows(refs)]
        left = self._delete_parts(episodes)
        for episode in episodes:
            self._nodes.pop(episode, None)
        self._delete_orphans(left)

    async def versions(self, tenant_id: str, *, after: str | None, limit: int) -> VersionPage:
        start = _order(position_after(after))
        page = sorted((ref for ref in self._held(tenant_id) if _order(ref) > start), key=_order)[:limit]
        return VersionPage(refs=tuple(page), after=cursor_at(page[-1]) if len(page) == limit else None)

    async def versions_of(self, tenant_id: str, items: Sequence[UUID]) -> Sequence[VersionRef]:
        return [ref for ref in self._held(tenant_id) if ref.item_id in items]

    async def altered(self, writes: Sequence[VersionedBundle]) -> Sequence[VersionRef]:
        return [
            write.ref
            for write in writes
            if rows.in_order(self._said(write.tenant_id, write.ref)) != rows.said_by(write.tenant_id, write)
        ]

    async def claims_around(
        self, tenant_id: str, entities: Sequence[UUID], *, steps: int, limit: int
    ) -> Sequence[UUID]:
        found: dict[UUID, None] = {}
        walked: set[NodeKey] = set()
        frontier = {_entity(tenant_id, str(entity)) for entity in entities}
        for _ in range(steps):
            reached = self._claims_at(frontier, walked)[: limit - len(found)]
            found.update(dict.fromkeys(UUID(str(claim.properties["claim_id"])) for claim in reached))
            walked |= frontier
            ends = {end for claim in reached for end in (claim.start, claim.end) if end.label == "Entity"}
            frontier = ends - walked
        return list(found)

    def nodes(self, tenant_id: str) -> Sequence[tuple[NodeKey, Properties]]:
        """All of a tenant's nodes with their properties, as a test wants to look at them."""
        return [(node, kept) for node, kept in self._nodes.items() if node.tenant_id == tenant_id]

    def relationships(self, tenant_id: str) -> Sequence[Relationship]:
        """All relationships that begin or end at a tenant's node."""
        return [
            relationship
            for relationship in self._relationships.values()
            if tenant_id in {relationship.start.tenant_id, relationship.end.tenant_id}
        ]

    def properties_of(self, node: NodeKey) -> Properties:
        return self._nodes[node]

    def _replace(self, tenant_id: str, writes: Sequence[VersionedBundle]) -> None:
        """The statements of `writing.replace`, in their order."""
        episodes: list[NodeKey] = []
        for row in rows.version_rows([write.ref for write in writes]):
            episode = _episode(tenant_id, row)
            self._nodes.setdefault(episode, {"tenant_id": tenant_id, **row})
            episodes.append(episode)
        left = self._delete_parts(episodes)
        for row in rows.entity_rows(writes):
            self._nodes.setdefault(_entity(tenant_id, row["entity_id"]), {"tenant_id": tenant_id, **row})
        for row in rows.mention_rows(writes):
            self._create("MENTIONS", tenant_id, row, start=None, end="entity_id")
        for row in rows.relation_rows(writes):
            self._create("RELATES_TO", tenant_id, row, start="subject_id", end="object_id")
        for row in rows.statement_rows(writes):
            self._create("STATES", tenant_id, row, start=None, end="subject_id")
        self._delete_orphans(left)

    def _create(
        self, kind: RelationshipType, tenant_id: str, row: Row, *, start: str | None, end: str
    ) -> None:
        """`start` and `end` are the row's terms for the entities; without a start it is the episode."""
        episode = _episode(tenant_id, row)
        said = {term: value for term, value in row.items() if term not in {start, end} and value is not None}
        relationship = Relationship(
            type=kind,
            start=_entity(tenant_id, row[start]) if start else episode,
            end=_entity(tenant_id, row[end]),
            properties={"tenant_id": tenant_id, **said},
        )
        number = next(self._numbers)
        self._relationships[number] = relationship
        self._of_version[episode].add(number)
        for node in (relationship.start, relationship.end):
            self._at_entity[node].add(number)

    def _delete_parts(self, episodes: Sequence[NodeKey]) -> set[NodeKey]:
        """Returns the entities that the versions spoke of."""
        spoken_of: set[NodeKey] = set()
        for episode in episodes:
            for number in self._of_version.pop(episode, set()):
                relationship = self._relationships.pop(number)
                for node in {relationship.start, relationship.end}:
                    self._at_entity[node].discard(number)
                    spoken_of.add(node)
        return {node for node in spoken_of if node.label == "Entity"}

    def _delete_orphans(self, entities: set[NodeKey]) -> None:
        for entity in entities:
            if not self._at_entity[entity]:
                del self._at_entity[entity]
                self._nodes.pop(entity, None)

    def _held(self, tenant_id: str) -> Sequence[VersionRef]:
        """The versions of which there is an episode, or anything said."""
        places = {*self._nodes, *(episode for episode, parts in self._of_version.items() if parts)}
        return [
            VersionRef(item_id=UUID(str(place.key[0])), version=cast("int", place.key[1]))
            for place in places
            if place.label == "Episode" and place.tenant_id == tenant_id
        ]

    def _said(self, tenant_id: str, ref: VersionRef) -> Iterator[Row]:
        [row] = rows.version_rows([ref])
        for number in self._of_version.get(_episode(tenant_id, row), ()):
            relationship = self._relationships[number]
            [start, end] = (node.key[0] for node in (relationship.start, relationship.end))
            between = {"of": start, "object": end} if relationship.type == "RELATES_TO" else {"of": end}
            yield {**relationship.properties, **between}

    def _parts_of(self, tenant_id: str, ref: VersionRef) -> Iterator[UUID]:
        [row] = rows.version_rows([ref])
        episode = _episode(tenant_id, row)
        if episode in self._nodes:
            yield rows.episode_id(ref)
        for number in self._of_version.get(episode, ()):
            said = self._relationships[number].properties
            yield UUID(str(said.get("mention_id") or said["claim_id"]))

    def _claims_at(self, entities: set[NodeKey], walked: set[NodeKey]) -> list[Relationship]:
        """The claims about these entities that lead to none of the walked ones, the newest first."""
        touching = {number for entity in entities for number in self._at_entity.get(entity, ())}
        claims = [
            relationship
            for relationship in map(self._relationships.__getitem__, touching)
            if relationship.type != "MENTIONS" and not walked & {relationship.start, relationship.end}
        ]
        claims.sort(key=lambda claim: str(claim.properties["claim_id"]))
        return sorted(
            claims, key=lambda claim: cast("datetime", claim.properties["valid_from"]), reverse=True
        )


def _order(ref: VersionRef) -> tuple[UUID, int]:
    return ref.item_id, ref.version


def _entity(tenant_id: str, entity_id: object) -> NodeKey:
    return NodeKey("Entity", tenant_id, (entity_id,))


def _episode(tenant_id: str, row: Row) -> NodeKey:
    return NodeKey("Episode", tenant_id, (row["item_id"], row["version"]))
