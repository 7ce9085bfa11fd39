"""Versioned bundles in, the parameter rows of the Cypher statements out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5

from apex_memory.domain.bundles import Claim, EntityRef, VersionedBundle, VersionRef
from apex_memory.domain.ids import entity_key

Row = Mapping[str, object]


def part_ids(write: VersionedBundle) -> Sequence[UUID]:
    """One for the episode, one a mention, one a claim."""
    return (episode_id(write.ref), *write.mention_ids, *write.claim_ids)


def episode_id(ref: VersionRef) -> UUID:
    """Counts the episode in the manifest, so that a version that says nothing can be missed too."""
    return uuid5(ref.item_id, f"episode {ref.version}")


def version_rows(refs: Sequence[VersionRef]) -> Sequence[Row]:
    """Sorted, as `entity_rows` are."""
    return [_version(ref) for ref in sorted(refs, key=lambda ref: (ref.item_id, ref.version))]


def entity_rows(writes: Sequence[VersionedBundle]) -> Sequence[Row]:
    """Each entity once, sorted by id: concurrent transactions lock what they share in one order."""
    # Not the entities of samples alone: nothing would tie them to the version, or remove them with it.
    named = {
        write.entity_id(entity): entity for write in writes for entity in _mentioned_or_claimed_about(write)
    }
    return [
        {"entity_id": str(entity_id), "type": entity.type, "key": entity_key(entity.key)}
        for entity_id, entity in sorted(named.items())
    ]


def mention_rows(writes: Sequence[VersionedBundle]) -> Sequence[Row]:
    return [
        {
            **_version(write.ref),
            "mention_id": str(mention_id),
            "entity_id": str(write.entity_id(mention.entity)),
            "name": mention.name,
        }
        for write in writes
        for mention_id, mention in zip(write.mention_ids, write.bundle.mentions, strict=True)
    ]


def relation_rows(writes: Sequence[VersionedBundle]) -> Sequence[Row]:
    """Claims about two entities."""
    return [
        {**_claim(write, claim_id, claim), "object_id": str(write.entity_id(claim.object))}
        for write, claim_id, claim in _claims(writes)
        if claim.object
    ]


def statement_rows(writes: Sequence[VersionedBundle]) -> Sequence[Row]:
    """Claims about one entity and a plain value."""
    return [
        {**_claim(write, claim_id, claim), "value": claim.value}
        for write, claim_id, claim in _claims(writes)
        if not claim.object
    ]


def said_by(tenant_id: str, write: VersionedBundle) -> Sequence[Row]:
    """The relationships of a version as the graph is to hold them, each with its ends, in a stable order."""
    rows = (
        *({**row, "of": row["entity_id"]} for row in mention_rows([write])),
        *({**row, "of": row["subject_id"]} for row in statement_rows([write])),
        *({**row, "of": row["subject_id"], "object": row["object_id"]} for row in relation_rows([write])),
    )
    ends = ("entity_id", "subject_id", "object_id")
    return in_order(
        {name: value for name, value in row.items() if value is not None and name not in ends}
        | {"tenant_id": tenant_id}
        for row in rows
    )


def in_order(said: Iterable[Row]) -> Sequence[Row]:
    return sorted(said, key=lambda row: str(row.get("mention_id") or row.get("claim_id")))


def _mentioned_or_claimed_about(write: VersionedBundle) -> Iterator[EntityRef]:
    for mention in write.bundle.mentions:
        yield mention.entity
    for claim in write.bundle.claims:
        yield claim.subject
        if claim.object:
            yield claim.object


def _claims(writes: Sequence[VersionedBundle]) -> Iterator[tuple[VersionedBundle, UUID, Claim]]:
    for write in writes:
        for claim_id, claim in zip(write.claim_ids, write.bundle.claims, strict=True):
            yield write, claim_id, claim


def _claim(write: VersionedBundle, claim_id: UUID, claim: Claim) -> Row:
    return {
        **_version(write.ref),
        "claim_id": str(claim_id),
        "subject_id": str(write.entity_id(claim.subject)),
        "predicate": claim.predicate,
        "fact": claim.fact,
        "valid_from": _utc(claim.valid_from or write.bundle.as_of),
        "valid_to": _utc(claim.valid_to) if claim.valid_to else None,
        "confidence": claim.confidence,
    }


def _version(ref: VersionRef) -> Row:
    return {"item_id": str(ref.item_id), "version": ref.version}


def _utc(moment: datetime) -> datetime:
    # Neo4j keeps an offset as part of the value; the same moment is to be the same property.
    return moment.astimezone(UTC)
