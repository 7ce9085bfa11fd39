"""Versions as the ledger sees them in, an archive over them out: what was visible at a snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from apex_memory.domain import ids
from apex_memory.domain.answers import Candidate, EntityView, FactView, Hit, ItemView, SearchFilter
from apex_memory.domain.bundles import EntityRef, VersionedBundle, VersionRef
from apex_memory.domain.errors import ItemNotFound

NOON: Final = datetime(2025, 10, 19, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """One version, as the ledger sees it; a version that is preparing or aborted has no `commit_seq`."""

    write: VersionedBundle
    commit_seq: int | None = None
    superseded_seq: int | None = None

    def visible(self, seq: int) -> bool:
        committed = self.commit_seq is not None and self.commit_seq <= seq
        return committed and (self.superseded_seq is None or self.superseded_seq > seq)


class LedgerArchive:
    """Keeps the contract of `ports.Archive`, and of the ledger its snapshot, over rows in a dictionary."""

    name = "postgres"

    def __init__(self) -> None:
        self.rows: dict[tuple[str, VersionRef], Row] = {}
        self.clock: dict[str, int] = {}
        self.rebuilding: dict[str, list[str]] = {}

    def visible(self, tenant_id: str, seq: int) -> Sequence[Row]:
        return [row for (tenant, _), row in self.rows.items() if tenant == tenant_id and row.visible(seq)]

    def facts(self, tenant_id: str, seq: int) -> Sequence[FactView]:
        visible = self.visible(tenant_id, seq)
        return [fact_of(row.write, n) for row in visible for n in range(len(row.write.bundle.claims))]

    async def snapshot(self, tenant_id: str) -> int:
        return self.clock.get(tenant_id, 0)

    async def incomplete(self, tenant_id: str) -> Sequence[str]:
        return self.rebuilding.get(tenant_id, [])

    async def lexical(
        self, tenant_id: str, query: str, *, seq: int, limit: int, where: SearchFilter
    ) -> Sequence[Candidate]:
        words = set(query.casefold().split())
        found = [
            Candidate(
                chunk_id=chunk, item_id=row.write.ref.item_id, version=row.write.ref.version, score=shared
            )
            for row in self.visible(tenant_id, seq)
            if passes(row.write, where)
            for chunk, passage in zip(row.write.chunk_ids, row.write.bundle.passages, strict=True)
            if (shared := len(words & set(passage.text.casefold().split())))
        ]
        return sorted(found, key=lambda candidate: -candidate.score)[:limit]

    async def visible_hits(
        self, tenant_id: str, candidates: Sequence[Candidate], *, seq: int, where: SearchFilter
    ) -> Sequence[Hit]:
        hits = {
            chunk: hit_of(row.write, n)
            for row in self.visible(tenant_id, seq)
            if passes(row.write, where)
            for n, chunk in enumerate(row.write.chunk_ids)
        }
        return [
            hits[one.chunk_id].model_copy(update={"score": one.score})
            for one in candidates
            if one.chunk_id in hits
        ]

    async def visible_facts(
        self, tenant_id: str, claim_ids: Sequence[UUID], *, seq: int
    ) -> Sequence[FactView]:
        facts = {fact.claim_id: fact for fact in self.facts(tenant_id, seq)}
        return [facts[claim] for claim in claim_ids if claim in facts]

    async def entity(self, tenant_id: str, entity_id: UUID, *, seq: int) -> EntityView:
        for row in self.visible(tenant_id, seq):
            for named in row.write.entities:
                if row.write.entity_id(named) == entity_id:
                    return view(row.write, named)
        raise ItemNotFound("entity", str(entity_id))

    async def entities_named(self, tenant_id: str, keys: Sequence[str], *, seq: int) -> Sequence[EntityView]:
        named = {
            row.write.entity_id(entity): view(row.write, entity)
            for row in self.visible(tenant_id, seq)
            for entity in row.write.entities
            if ids.entity_key(entity.key) in keys
        }
        return list(named.values())

    async def same_as(
        self, tenant_id: str, entity_ids: Sequence[UUID], *, seq: int, limit: int
    ) -> Sequence[EntityView]:
        said = [fact for fact in self.facts(tenant_id, seq) if fact.predicate == "same_as" and fact.object]
        pairs = [(fact.subject, fact.object) for fact in said if fact.object]
        both = [*pairs, *((other, one) for one, other in pairs)]
        known = set(entity_ids)
        found = {b.entity_id: b for a, b in both if a.entity_id in known and b.entity_id not in known}
        return sorted(found.values(), key=lambda view: view.entity_id.bytes)[:limit]

    async def said_of(
        self, tenant_id: str, entity_ids: Sequence[UUID], predicates: Sequence[str], *, seq: int, limit: int
    ) -> Sequence[FactView]:
        said = [fact for fact in self.facts(tenant_id, seq) if fact.subject.entity_id in entity_ids]
        kept = [
            fact
            for predicate in predicates
            for fact in sorted((one for one in said if one.predicate == predicate), key=newest_first)[:limit]
        ]
        return sorted(kept, key=newest_first)

    async def version(self, tenant_id: str, item_id: UUID, *, seq: int) -> int:
        return (await self.item(tenant_id, item_id, seq=seq)).version

    async def item(self, tenant_id: str, item_id: UUID, *, seq: int) -> ItemView:
        items = await self.items(tenant_id, [item_id], seq=seq)
        if not items:
            raise ItemNotFound("item", str(item_id))
        return items[0]

    async def items(self, tenant_id: str, item_ids: Sequence[UUID], *, seq: int) -> Sequence[ItemView]:
        visible = [row.write for row in self.visible(tenant_id, seq)]
        return [item_of(write) for write in visible if write.ref.item_id in item_ids]


def item_of(write: VersionedBundle) -> ItemView:
    bundle = write.bundle
    return ItemView(
        item_id=write.ref.item_id,
        version=write.ref.version,
        source=bundle.source,
        external_id=bundle.external_id,
        kind=bundle.kind,
        title=bundle.title,
        as_of=bundle.as_of,
        committed_at=NOON,
        chunks=len(bundle.passages),
        claims=len(bundle.claims),
    )


def passes(write: VersionedBundle, where: SearchFilter) -> bool:
    bundle = write.bundle
    about = {write.entity_id(entity) for entity in write.entities}
    return (
        (not where.sources or bundle.source in where.sources)
        and (not where.kinds or bundle.kind in where.kinds)
        and (where.entity is None or write.entity_id(where.entity) in about)
    )


def view(write: VersionedBundle, entity: EntityRef) -> EntityView:
    return EntityView(entity_id=write.entity_id(entity), type=entity.type, key=entity.key, name=entity.key)


def hit_of(write: VersionedBundle, n: int) -> Hit:
    bundle, passage = write.bundle, write.bundle.passages[n]
    return Hit(
        chunk_id=write.chunk_ids[n],
        item_id=write.ref.item_id,
        version=write.ref.version,
        source=bundle.source,
        external_id=bundle.external_id,
        kind=bundle.kind,
        title=bundle.title,
        text=passage.text,
        heading_path=passage.heading_path,
        start=passage.start,
        end=passage.end,
        page=passage.page,
        as_of=bundle.as_of,
        score=0.0,
        entities=tuple(view(write, entity) for entity in write.entities),
    )


def fact_of(write: VersionedBundle, n: int) -> FactView:
    claim, bundle = write.bundle.claims[n], write.bundle
    return FactView(
        claim_id=write.claim_ids[n],
        item_id=write.ref.item_id,
        version=write.ref.version,
        source=bundle.source,
        external_id=bundle.external_id,
        kind=bundle.kind,
        subject=view(write, claim.subject),
        predicate=claim.predicate,
        object=view(write, claim.object) if claim.object else None,
        value=claim.value,
        fact=claim.fact,
        valid_from=claim.valid_from or bundle.as_of,
        valid_to=claim.valid_to,
        confidence=claim.confidence,
    )


def newest_first(fact: FactView) -> tuple[float, str, str, str]:
    return -fact.valid_from.timestamp(), fact.fact, fact.source, fact.external_id
