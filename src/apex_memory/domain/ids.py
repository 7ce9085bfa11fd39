"""Names of things in, deterministic ids out: the same thing gets the same id on every retry and machine."""

import hashlib
import json
import unicodedata
from collections.abc import Iterable
from typing import Final, Literal
from uuid import UUID, uuid5

NAMESPACE: Final = UUID("5f0d6f2e-6d0c-5b53-9a52-3f4f1c3f7a10")

#: Characters of a business key that are kept as they are; a longer one ends in its hash.
LONGEST_KEY: Final = 512

Part = Literal["chunk", "claim", "mention", "sample"]


def item_id(tenant_id: str, source: str, external_id: str) -> UUID:
    """What is remembered, whoever sends it again."""
    return _derive("item", tenant_id, source, external_id)


def entity_id(tenant_id: str, type_: str, key: str) -> UUID:
    """An identity: the same business key is the same entity, however it is spelled (see `entity_key`)."""
    return _derive("entity", tenant_id, type_, entity_key(key))


def entity_key(raw: str) -> str:
    """A business key in its one spelling: NFKC, single spaces, caseless."""
    if len(raw) > LONGEST_KEY:
        # Normalising is quadratic in runs of combining marks: 1.5 s for 32,000 of them.
        raw = raw[:LONGEST_KEY] + hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()
    return " ".join(unicodedata.normalize("NFKC", raw).split()).casefold()


def part_id(tenant_id: str, item: UUID, version: int, part: Part, ordinal: int) -> UUID:
    """Contains the version: a stale writer can only ever touch its own version's parts."""
    return _derive(part, tenant_id, str(item), str(version), str(ordinal))


def point_id(chunk: UUID, embedder_id: str) -> UUID:
    """A vector belongs to a chunk and to the embedder that made it."""
    return _derive("point", str(chunk), embedder_id)


def checksum(ids: Iterable[UUID]) -> str:
    """SHA-256 over the sorted ids: two sets of ids are equal if count and checksum are."""
    digest = hashlib.sha256()
    for raw in sorted(i.bytes for i in ids):
        digest.update(raw)
    return digest.hexdigest()


def _derive(*parts: str) -> UUID:
    # JSON, not a separator: external ids are hostile and may contain any separator.
    return uuid5(NAMESPACE, json.dumps(parts, ensure_ascii=True))
