"""Items and commits in, the ports that reading needs out: stores that hold all, a ledger that knows."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from tests.unit.retrieval.archive import NOON, LedgerArchive, Row

from apex_memory.domain import ids
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
from apex_memory.pipeline.retrieval.search import Retrieval
from apex_memory.testing import HashEmbedder, MemoryCache, MemoryGraph, MemoryVectors

Link = tuple[EntityRef, str, EntityRef]


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
        """Make a prepared version the item's visible one, or history; the stores are not touched."""
        tenant_id, item_id = write.tenant_id, write.ref.item_id
        seq = self.archive.clock.get(tenant_id, 0) + 1
        seen = [row.write for row in self.archive.visible(tenant_id, seq) if row.write.ref.item_id == item_id]
        if any(newer.bundle.as_of > write.bundle.as_of for newer in seen):
            self.archive.clock[tenant_id] = seq
            self.archive.rows[tenant_id, write.ref] = Row(write, commit_seq=seq, superseded_seq=seq)
        else:
            self.delete(tenant_id, item_id)
            self.archive.rows[tenant_id, write.ref] = Row(write, commit_seq=seq)
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
