"""Names of things in, deterministic ids out: the same thing gets the same id on every retry and machine."""

import hashlib
import unicodedata
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii
from typing import Final, Literal
from uuid import UUID

NAMESPACE: Final = UUID("5f0d6f2e-6d0c-5b53-9a52-3f4f1c3f7a10")

#: A business key has no more characters than this; a longer one ends in its hash.
LONGEST_KEY: Final = 512
#: Characters of a label that an operator reads in a list.
LABEL_LENGTH: Final = 120

Part = Literal["chunk", "claim", "mention", "sample"]


def item_id(tenant_id: str, source: str, external_id: str) -> UUID:
    """What is remembered, whoever sends it again."""
    return _derive("item", tenant_id, source, external_id)


def entity_id(tenant_id: str, type_: str, key: str) -> UUID:
    """An identity: the same business key is the same entity, however it is spelled (see `entity_key`)."""
    return _derive("entity", tenant_id, type_, entity_key(key))


def entity_key(raw: str) -> str:
    """A business key in its one spelling: NFKC, single spaces, caseless. A key so spelled stays as it is."""
    # Normalising is quadratic in runs of combining marks: 1.5 s for 32,000 of them.
    key = _spelled(raw[:LONGEST_KEY])
    if len(raw) <= LONGEST_KEY and len(key) <= LONGEST_KEY:
        return key
    digest = hashlib.sha256((raw if len(raw) > LONGEST_KEY else key).encode("utf-8", "surrogatepass"))
    return _spelled(key[: LONGEST_KEY - 2 * digest.digest_size]) + digest.hexdigest()


def part_id(tenant_id: str, item: UUID, version: int, part: Part, ordinal: int) -> UUID:
    """Contains the version: a stale writer can only ever touch its own version's parts."""
    return _derive(part, tenant_id, str(item), str(version), str(ordinal))


def point_id(chunk: UUID, embedder_id: str) -> UUID:
    """A vector belongs to a chunk and to the embedder that made it."""
    return _derive("point", str(chunk), embedder_id)


def batch_id(tenant_id: str, source: str, key: str) -> UUID:
    """Of a batch that a producer takes in as one: the same key is the same batch."""
    return _derive("batch", tenant_id, source, key)


def event_id(batch: UUID, place: int) -> UUID:
    """Of the record at this place of such a batch, from 0."""
    return _derive("event", str(batch), str(place))


def ingestion_workflow_id(tenant_id: str, source: str, label: str, batch_id: UUID) -> str:
    """A business key that an operator can search for, made unique by the batch."""
    shown = "".join(c if c.isprintable() else "?" for c in label)[:LABEL_LENGTH]
    return f"ingest:{tenant_id}:{source}:{shown}:{batch_id}"


def forget_id(tenant_id: str, item: UUID, request: str) -> UUID:
    """A request to forget an item: the same again is the same; another item under the same key is another."""
    return _derive("forget", tenant_id, str(item), request)


def forgetting_workflow_id(tenant_id: str, item: UUID, forget: UUID) -> str:
    return f"forget:{tenant_id}:{item}:{forget}"


def feed_workflow_id(tenant_id: str, source: str, name: str) -> str:
    return f"feed:{tenant_id}:{source}:{name}"


def checksum(ids: Iterable[UUID]) -> str:
    """SHA-256 over the sorted ids: two sets of ids are equal if count and checksum are."""
    digest = hashlib.sha256()
    for raw in sorted(i.bytes for i in ids):
        digest.update(raw)
    return digest.hexdigest()


def _spelled(key: str) -> str:
    # Folding case can undo NFKC where marks are stacked, and NFKC the folding.
    while (folded := " ".join(unicodedata.normalize("NFKC", key).split()).casefold()) != key:
        key = folded
    return key


def _derive(*parts: str) -> UUID:
    """What `uuid5(NAMESPACE, json.dumps(parts))` gives, in a third of its time: an event has dozens of ids.

    JSON, not a separator: external ids are hostile and may contain any separator.
    """
    name = f"[{', '.join(map(encode_basestring_ascii, parts))}]"
    digest = hashlib.sha1(NAMESPACE.bytes + name.encode(), usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)
