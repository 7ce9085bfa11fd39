"""What the core needs from outside, as protocols; every implementation passes its port's contract suite."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from apex_memory.domain.answers import Candidate, EntityView, FactView, Hit, ItemView, SearchFilter
from apex_memory.domain.bundles import Bundle, Manifest, VersionedBundle, VersionRef
from apex_memory.domain.documents import ParsedDocument, Passage
from apex_memory.domain.ledger import (
    Accepted,
    Allocation,
    AllocationRequest,
    Announcement,
    Batch,
    CommitResult,
    Conclusion,
    InboxEvent,
    Ingestion,
    VersionManifests,
)


class Source(Protocol):
    """Who sends JSON: how a record of theirs becomes a bundle."""

    name: str

    def map_record(self, record: Mapping[str, object], *, received_at: datetime) -> Bundle:
        """One JSON object in, its bundle out, by rule and without any call.

        Raises:
            RecordRejected: the record cannot be mapped; names the field and what is expected there.
        """
        ...


class Parser(Protocol):
    """Bytes of one family of formats in, text out."""

    media_types: frozenset[str]
    extensions: frozenset[str]

    def parse(self, data: bytes, *, name: str) -> ParsedDocument:
        """Raises DocumentRejected: empty, binary or malformed."""
        ...


class Chunker(Protocol):
    """A parsed document in, passages within the embedder's limit out, with exact offsets."""

    def chunk(self, document: ParsedDocument) -> Sequence[Passage]: ...


class Embedder(Protocol):
    """Text in, vectors out. `id` is stored with the data; vectors of different ids never meet."""

    id: str
    dim: int
    max_tokens: int

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """`float32 (len(texts), dim)`, L2-normalised, in input order.

        Raises:
            RateLimited, StoreUnavailable: may be tried again.
            PermanentError: the provider refused for good.
        """
        ...


class Extractor(Protocol):
    """What a bundle's text names, beyond what its source's rules already said."""

    def enrich(self, bundle: Bundle) -> Bundle:
        """The bundle with the mentions and claims that its passages add."""
        ...


class StagingArea(Protocol):
    """Named bytes, durable once `write` returns. Keys are `tenant/source/data_id/name`."""

    async def write(self, key: str, data: bytes) -> None: ...

    async def read(self, key: str) -> bytes:
        """Raises StagedObjectMissing."""
        ...

    async def remove(self, prefix: str) -> None:
        """Remove everything under `prefix`; nothing there is fine."""
        ...


class Inbox(Protocol):
    """Deliveries, each kept once, until a workflow has taken them in."""

    async def accept(self, event: InboxEvent) -> Accepted: ...

    async def claim(self, *, batch_size: int, in_flight: int) -> Batch | None:
        """Take up to `batch_size` events of one tenant and source, or a batch whose claimer died.

        At most `in_flight` batches of a tenant and source are open at a time. None: nothing to take.
        """
        ...

    async def started(self, batch: Batch, *, workflow_id: str) -> None: ...

    async def events(self, tenant_id: str, batch_id: UUID) -> Sequence[InboxEvent]: ...

    async def conclude(self, tenant_id: str, conclusions: Sequence[Conclusion]) -> None:
        """Record outcomes of events that end without a commit; an outcome already there stays."""
        ...

    async def close(self, tenant_id: str, batch_id: UUID, *, reason: str | None = None) -> None:
        """The batch's workflow is over; with a reason, its events without an outcome are quarantined."""
        ...

    async def ingestion(self, tenant_id: str, event_id: UUID) -> Ingestion:
        """Raises ItemNotFound."""
        ...

    async def settled(self, tenant_id: str, event_id: UUID, *, timeout_s: float) -> Ingestion:
        """The ingestion as soon as it is done, or as it is when the time is up. Raises ItemNotFound."""
        ...


class Outbox(Protocol):
    """What became visible, for those who must hear of it."""

    async def deliver(self, to: Callable[[Announcement], Awaitable[None]], *, limit: int) -> int:
        """Hand up to `limit` announcements over; if one fails they all stay. How many were handed over."""
        ...


class Ledger(Protocol):
    """The truth about versions: who is preparing, what is committed, and in what order."""

    async def allocate(
        self, tenant_id: str, batch_id: UUID, requests: Sequence[AllocationRequest]
    ) -> Sequence[Allocation]:
        """Give each request its version, in one transaction; the same content as the head is `unchanged`."""
        ...

    async def expect(self, tenant_id: str, expected: Sequence[VersionManifests]) -> None:
        """Note what every store must hold before a version may commit."""
        ...

    async def preparing(self, tenant_id: str, batch_id: UUID) -> Mapping[str, VersionRef]:
        """The batch's versions in state `preparing`, by request id."""
        ...

    async def manifests(self, tenant_id: str, batch_id: UUID) -> Sequence[VersionManifests]:
        """What was expected of the batch's `preparing` versions."""
        ...

    async def commit(self, tenant_id: str, batch_id: UUID) -> Sequence[CommitResult]:
        """Commit all the batch's versions in one transaction; asked again, it answers the same."""
        ...

    async def abort(self, tenant_id: str, batch_id: UUID, *, reason: str) -> Sequence[VersionRef]:
        """`preparing` to `aborted` by compare-and-set; returns every aborted version that wants cleaning."""
        ...

    async def aborted(self, tenant_id: str, batch_id: UUID) -> Sequence[VersionRef]:
        """The batch's aborted versions that want cleaning."""
        ...

    async def cleaned(self, tenant_id: str, versions: Sequence[VersionRef]) -> None:
        """No store holds anything of these versions any more."""
        ...

    async def snapshot(self, tenant_id: str) -> int:
        """The sequence number of the tenant's newest commit; 0 before the first."""
        ...


class Store(Protocol):
    """One participant of the write. Everything it keeps lies under ids that contain the version."""

    name: str

    async def ensure(self) -> None:
        """Whatever must be there before the first `prepare` is; any number of processes may do so at once."""
        ...

    def parts(self, write: VersionedBundle) -> Sequence[UUID]:
        """The ids of all that `prepare` will keep of this version in this store."""
        ...

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        """Idempotent upserts. Raises StoreUnavailable: the outcome is unknown, try again."""
        ...

    async def read_back(self, tenant_id: str, refs: Sequence[VersionRef]) -> Mapping[VersionRef, Manifest]:
        """What the store really holds of each version, read from the store."""
        ...

    async def discard(self, tenant_id: str, refs: Sequence[VersionRef]) -> None:
        """Delete exactly these versions; nothing there is fine."""
        ...

    async def ping(self) -> None:
        """Raises StoreUnavailable."""
        ...


class VectorSearcher(Protocol):
    """The dense leg: a query vector in, candidates out."""

    name: str

    async def nearest(
        self, tenant_id: str, vector: NDArray[np.float32], *, limit: int, where: SearchFilter
    ) -> Sequence[Candidate]: ...


class GraphSearcher(Protocol):
    """The graph leg: entities in, claims around them out, nearest first."""

    name: str

    async def claims_around(
        self, tenant_id: str, entities: Sequence[UUID], *, steps: int, limit: int
    ) -> Sequence[UUID]:
        """Ids of claims within `steps` of the entities, of any version: the ledger says which are visible."""
        ...


class Archive(Protocol):
    """The canonical content in PostgreSQL, read at a snapshot: the one place where visibility is decided."""

    name: str

    async def lexical(
        self, tenant_id: str, query: str, *, seq: int, limit: int, where: SearchFilter
    ) -> Sequence[Candidate]: ...

    async def visible_hits(
        self, tenant_id: str, candidates: Sequence[Candidate], *, seq: int, where: SearchFilter
    ) -> Sequence[Hit]:
        """Only what was visible at `seq`, with its text and entities, in the order of the candidates."""
        ...

    async def visible_facts(
        self, tenant_id: str, claim_ids: Sequence[UUID], *, seq: int
    ) -> Sequence[FactView]:
        """Only claims visible at `seq`, in the order given."""
        ...

    async def entity(self, tenant_id: str, entity_id: UUID, *, seq: int) -> EntityView:
        """Raises ItemNotFound: no visible version speaks of it."""
        ...

    async def entities_named(self, tenant_id: str, keys: Sequence[str], *, seq: int) -> Sequence[EntityView]:
        """The visible entities whose business key is one of `keys` (see `ids.entity_key`)."""
        ...

    async def version(self, tenant_id: str, item_id: UUID, *, seq: int) -> int:
        """The item's version that is visible at `seq`. Raises ItemNotFound."""
        ...

    async def item(self, tenant_id: str, item_id: UUID, *, seq: int) -> ItemView:
        """Raises ItemNotFound."""
        ...


class ApiKeys(Protocol):
    """Who may call, and whose data they see: the key alone decides the tenant."""

    async def issue(self, tenant_id: str, *, label: str) -> str:
        """A new key, shown once; only its hash is kept."""
        ...

    async def tenant_of(self, key: str) -> str | None:
        """None: malformed, unknown, expired or revoked."""
        ...


class Cache(Protocol):
    """May vanish at any time: a miss and an outage are the same answer."""

    name: str

    async def get(self, tenant_id: str, key: str) -> bytes | None: ...

    async def put(self, tenant_id: str, key: str, value: bytes, *, ttl_s: int) -> bool:
        """False: not kept."""
        ...

    async def ping(self) -> None:
        """Raises StoreUnavailable."""
        ...
