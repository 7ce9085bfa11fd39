"""What a producer sent in, bundles with vectors out: how content is read, cut, embedded and enriched."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from apex_memory.domain.bundles import Bundle
from apex_memory.domain.documents import ParsedDocument, Passage
from apex_memory.domain.hooks import Identity, Wanted


class Source(Protocol):
    """Who sends JSON: what a delivery of theirs is, and how a record becomes a bundle. All without a call."""

    name: str

    def identify(self, delivery: Mapping[str, object], *, digest: str) -> Identity:
        """What one delivery body is: its key, label, fate and time. Never fails.

        `digest` is the SHA-256 of its raw bytes in hexadecimal, the key of a body that names no id.
        """
        ...

    def wanted(self, record: Mapping[str, object]) -> Wanted | None:
        """What a thin payload leaves out; None if nothing. A path, made of checked ids; never a host.

        Raises:
            RecordRejected: it names two different things to fetch.
        """
        ...

    def completed(self, record: Mapping[str, object], answer: Mapping[str, object]) -> Mapping[str, object]:
        """The record and the JSON object that was fetched for it, joined to what `map_record` understands.

        Nothing is wanted of what this returns. A record of which nothing is wanted comes back as it is.

        Raises:
            RecordRejected: the answer is about something else.
        """
        ...

    def map_record(self, record: Mapping[str, object], *, received_at: datetime) -> Bundle:
        """One JSON object in, its bundle out; a thin one that was not completed takes nothing's place.

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
