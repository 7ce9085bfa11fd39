"""One item's content as rules or models read it, and the same under a version's ids, ready for the stores."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, Literal, Self
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import model_validator

from apex_memory.domain import ids
from apex_memory.domain.documents import Passage, header_line
from apex_memory.domain.value import Value

ItemKind = Literal["record", "document"]

#: A moment, in words or as a sender writes it; a coordinate, by its many decimals; a speed.
_MEASURED: Final = re.compile(
    r"(?: on| at)? ?\b\d{1,2} [A-Z][a-z]{2,8} \d{4} at \d\d:\d\d:\d\d UTC\b"
    r"|\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)?(?!\w)"
    r"|(?<![\w.])-?\d{1,3}\.\d{3,9}\b"
    r"|\b\d{1,4}(?:\.\d{1,9})?(?= mph\b)",
    re.ASCII,
)


class VersionRef(Value):
    """One version of one item; the tenant is always named beside it."""

    item_id: UUID
    version: int


class EntityRef(Value):
    """An identity by its business key, such as ("shipment", "SHIP-2025-10-19-002")."""

    type: str
    key: str


class Mention(Value):
    """An entity that the item speaks of, under the name it uses."""

    entity: EntityRef
    name: str


class Claim(Value):
    """One fact. Either `object` or `value` is set; `valid_from` of None means the version's `as_of`."""

    subject: EntityRef
    predicate: str
    object: EntityRef | None = None
    value: str | None = None
    fact: str
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    confidence: float = 1.0
    passage: int | None = None


class Sample(Value):
    """One telemetry point: kept in PostgreSQL only."""

    entity: EntityRef
    metric: str
    at: datetime
    value: float


class Bundle(Value):
    """All that one item says at one time, before it has a version."""

    source: str
    external_id: str
    kind: ItemKind
    title: str
    as_of: datetime
    #: Derived from this version, seen only as long as it is: a model's reading of a document, for one.
    parent: VersionRef | None = None
    passages: tuple[Passage, ...] = ()
    mentions: tuple[Mention, ...] = ()
    claims: tuple[Claim, ...] = ()
    samples: tuple[Sample, ...] = ()

    @model_validator(mode="after")
    def _speaks_only_of_what_it_mentions(self) -> Self:
        # Readers name an entity by a mention of the same version: without one a fact could not be shown.
        mentioned = {_identity(m.entity) for m in self.mentions}
        named = [c.subject for c in self.claims] + [c.object for c in self.claims if c.object]
        unknown = {_identity(e) for e in (*named, *(s.entity for s in self.samples))} - mentioned
        if unknown:
            raise ValueError(f"claims or samples speak of entities that are not mentioned: {sorted(unknown)}")
        return self

    def header(self, passage: Passage) -> str:
        """The line that says where a passage stands: title and headings, each once."""
        return header_line(self.title, passage.heading_path)

    def embedded_text(self, passage: Passage) -> str:
        """What the embedder reads: a header line is worth 4 points of recall on passages of one turn.

        Of a record, its sentences without their times and coordinates: a model's vector tells no two of them
        apart, words and claims find them, and what a fleet says all day is then embedded once.
        """
        if passage.worded is None:
            return f"{self.header(passage)}\n{passage.text}"
        worded = passage.text[: passage.worded] or passage.text.partition("\n")[0]
        return _MEASURED.sub("", f"{self.header(passage)}\n{worded}")

    def content_hash(self) -> str:
        """The same content has the same hash, whenever it was said: `as_of` is left out."""
        content = self.model_dump(mode="json", exclude={"as_of"} if self.parent else {"as_of", "parent"})
        for passage in content["passages"]:
            del passage["worded"]  # how it is embedded, not what it says
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _identity(entity: EntityRef) -> tuple[str, str]:
    return entity.type, ids.entity_key(entity.key)


@dataclass(frozen=True)
class VersionedBundle:
    """A bundle under its version: the ids of its parts, and one vector a passage (float32, n x dim)."""

    tenant_id: str
    ref: VersionRef
    bundle: Bundle
    embedder_id: str
    vectors: NDArray[np.float32]

    @cached_property
    def chunk_ids(self) -> tuple[UUID, ...]:
        return self._ids("chunk", len(self.bundle.passages))

    @cached_property
    def point_ids(self) -> tuple[UUID, ...]:
        return tuple(ids.point_id(chunk, self.embedder_id) for chunk in self.chunk_ids)

    @cached_property
    def claim_ids(self) -> tuple[UUID, ...]:
        return self._ids("claim", len(self.bundle.claims))

    @cached_property
    def mention_ids(self) -> tuple[UUID, ...]:
        return self._ids("mention", len(self.bundle.mentions))

    @cached_property
    def sample_ids(self) -> tuple[UUID, ...]:
        return self._ids("sample", len(self.bundle.samples))

    @cached_property
    def entities(self) -> tuple[EntityRef, ...]:
        """Every entity named by a mention, a claim or a sample, once."""
        named = [m.entity for m in self.bundle.mentions]
        named += [c.subject for c in self.bundle.claims]
        named += [c.object for c in self.bundle.claims if c.object]
        named += [s.entity for s in self.bundle.samples]
        return tuple({self.entity_id(entity): entity for entity in named}.values())

    def entity_id(self, entity: EntityRef) -> UUID:
        # Thousands of samples are of one entity, and each id is a hash.
        key = entity.type, entity.key
        if key not in self._entity_ids:
            self._entity_ids[key] = ids.entity_id(self.tenant_id, *key)
        return self._entity_ids[key]

    @cached_property
    def _entity_ids(self) -> dict[tuple[str, str], UUID]:
        return {}

    def _ids(self, part: ids.Part, count: int) -> tuple[UUID, ...]:
        return tuple(
            ids.part_id(self.tenant_id, self.ref.item_id, self.ref.version, part, n) for n in range(count)
        )


class Manifest(Value):
    """What one store must hold of one version: how many parts, and the checksum over their sorted ids."""

    count: int
    checksum: str

    @staticmethod
    def of(part_ids: Sequence[UUID]) -> "Manifest":
        return Manifest(count=len(part_ids), checksum=ids.checksum(part_ids))
