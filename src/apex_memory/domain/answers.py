"""What a reader gets: passages that match, facts that join them, and the snapshot they were true at."""

from datetime import datetime
from uuid import UUID

from apex_memory.domain.bundles import EntityRef, ItemKind
from apex_memory.domain.value import Value


class SearchFilter(Value):
    """Narrows a search; every field that is set must match."""

    sources: tuple[str, ...] = ()
    kinds: tuple[ItemKind, ...] = ()
    entity: EntityRef | None = None


class Candidate(Value):
    """A chunk that one leg of the search proposes; no answer before the ledger says it is visible."""

    chunk_id: UUID
    item_id: UUID
    version: int
    score: float


class EntityView(Value):
    entity_id: UUID
    type: str
    key: str
    name: str


class FactView(Value):
    """One claim, with the item that said it."""

    claim_id: UUID
    item_id: UUID
    version: int
    source: str
    external_id: str
    kind: ItemKind
    subject: EntityView
    predicate: str
    object: EntityView | None
    value: str | None
    fact: str
    valid_from: datetime
    valid_to: datetime | None
    confidence: float


class Hit(Value):
    """One chunk of one visible version."""

    chunk_id: UUID
    item_id: UUID
    version: int
    source: str
    external_id: str
    kind: ItemKind
    title: str
    text: str
    heading_path: tuple[str, ...]
    start: int
    end: int
    page: int | None
    as_of: datetime
    score: float
    entities: tuple[EntityView, ...]


class SearchAnswer(Value):
    """`missing` names the stores that did not answer in time: then the answer is partial, never torn."""

    seq: int
    hits: tuple[Hit, ...]
    facts: tuple[FactView, ...]
    missing: tuple[str, ...] = ()


class Neighbourhood(Value):
    """The facts within two steps of an entity, each visible at `seq`.

    aliases: entities that are the same thing, such as a shipment's number and the id that people use.
    current: where the thing is and how it stands, whichever of them it was said of: one fact a predicate.
    timeline: what was said so before, and is now, the newest first.
    """

    seq: int
    entity: EntityView
    facts: tuple[FactView, ...]
    aliases: tuple[EntityView, ...] = ()
    current: tuple[FactView, ...] = ()
    timeline: tuple[FactView, ...] = ()


class ItemView(Value):
    """One version of an item; it never changes."""

    item_id: UUID
    version: int
    source: str
    external_id: str
    kind: ItemKind
    title: str
    as_of: datetime
    committed_at: datetime
    chunks: int
    claims: int
