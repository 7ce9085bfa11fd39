"""Items and commits in, the ports that reading needs out: stores that hold all, a ledger that knows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from apex_memory.domain import ids
from apex_memory.domain.answers import Candidate, EntityView, FactView, Hit, ItemView, SearchFilter
from apex_memory.domain.bundles import (
    Bundle,
    Claim,
    EntityRef,
    ItemKind,
    Mention,
    VersionedBundle,
    VersionRef,
)
from apex_memory.domain.documents import Passage
from apex_memory.domain.errors import ItemNotFound
from apex_memory.pipeline.retrieval.search import Retrieval
from apex_memory.testing import HashEmbedder, MemoryCache, MemoryGraph, MemoryVectors

NOON = datetime(2025, 10, 19, 12, tzinfo=UTC)
Link = tuple[EntityRef, str, EntityRef]


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
        facts = {
            claim: fact_of(row.write, n)
            for row in self.visible(tenant_id, seq)
            for n, claim in enumerate(row.write.claim_ids)
        }
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

    async def version(self, tenant_id: str, item_id: UUID, *, seq: int) -> int:
        return (await self.item(tenant_id, item_id, seq=seq)).version

    async def item(self, tenant_id: str, item_id: UUID, *, seq: int) -> ItemView:
        for row in self.visible(tenant_id, seq):
            bundle, ref = row.write.bundle, row.write.ref
            if ref.item_id == item_id:
                return ItemView(
                    item_id=item_id,
                    version=ref.version,
                    source=bundle.source,
                    external_id=bundle.external_id,
                    kind=bundle.kind,
                    title=bundle.title,
                    as_of=bundle.as_of,
                    committed_at=NOON,
                    chunks=len(bundle.passages),
                    claims=len(bundle.claims),
                )
        raise ItemNotFound("item", str(item_id))


class World:
    """One memory whose stores are in this process. Any method of theirs can be replaced by a fault."""

    def __init__(self) -> None:
        self.archive = LedgerArchive()
        self.embedder = HashEmbedder()
        self.vectors = MemoryVectors(self.embedder.id)
        self.graph = MemoryGraph()
        self.cache = MemoryCache()

    def retrieval(self, *, deadline_s: float = 5.0) -> Retrieval:
        return Retrieval(
            self.archive,
            self.archive,
            self.vectors,
            self.graph,
            self.embedder,
            self.cache,
            deadline_s=deadline_s,
        )

    async def prepare(self, tenant_id: str, bundle: Bundle) -> VersionedBundle:
        """The item's next version, in every store, seen by nobody."""
        item = ids.item_id(tenant_id, bundle.source, bundle.external_id)
        before = sum((tenant, ref.item_id) == (tenant_id, item) for tenant, ref in self.archive.rows)
        write = versioned(tenant_id, bundle, version=before + 1)
        self.archive.rows[tenant_id, write.ref] = Row(write)
        await self.vectors.prepare([write])
        await self.graph.prepare([write])
        return write

    def commit(self, write: VersionedBundle) -> int:
        """Make a prepared version the item's visible one; the stores are not touched."""
        seq = self.delete(write.tenant_id, write.ref.item_id)
        self.archive.rows[write.tenant_id, write.ref] = Row(write, commit_seq=seq)
        return seq

    def delete(self, tenant_id: str, item_id: UUID) -> int:
        """Commit that no version of the item is visible any more."""
        seq = self.archive.clock[tenant_id] = self.archive.clock.get(tenant_id, 0) + 1
        for (tenant, ref), row in self.archive.rows.items():
            if (tenant, ref.item_id) == (tenant_id, item_id) and row.visible(seq):
                self.archive.rows[tenant, ref] = replace(row, superseded_seq=seq)
        return seq

    async def remember(self, tenant_id: str, bundle: Bundle) -> VersionedBundle:
        """Prepare and commit."""
        write = await self.prepare(tenant_id, bundle)
        self.commit(write)
        return write


def saying(
    external_id: str,
    *texts: str,
    source: str = "api",
    kind: ItemKind = "record",
    mentions: Sequence[EntityRef] = (),
    links: Sequence[Link] = (),
) -> Bundle:
    """An item of one passage a text and one claim a link; the ends of links are mentioned too."""
    named = dict.fromkeys([*mentions, *(end for one, _, other in links for end in (one, other))])
    return Bundle(
        source=source,
        external_id=external_id,
        kind=kind,
        title=external_id,
        as_of=NOON,
        passages=tuple(Passage(ordinal=n, text=text, start=0, end=len(text)) for n, text in enumerate(texts)),
        mentions=tuple(Mention(entity=entity, name=entity.key) for entity in named),
        claims=tuple(
            Claim(subject=one, predicate=verb, object=other, fact=f"{one.key} {verb} {other.key}")
            for one, verb, other in links
        ),
    )


def versioned(tenant_id: str, bundle: Bundle, *, version: int) -> VersionedBundle:
    embedder = HashEmbedder()
    return VersionedBundle(
        tenant_id=tenant_id,
        ref=VersionRef(item_id=ids.item_id(tenant_id, bundle.source, bundle.external_id), version=version),
        bundle=bundle,
        embedder_id=embedder.id,
        vectors=embedder.vectors([passage.text for passage in bundle.passages]),
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
