"""What senders push to us: a delivery, how it proves itself, and what it is about."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from apex_memory.domain.ledger import Outcome
from apex_memory.domain.value import Value

_Word = Annotated[str, Field(max_length=64)]


class Delivery(Value):
    """One POST as it came: header names in lower case, bytes as they are."""

    headers: Mapping[str, str]
    body: bytes


class HookSecret(Value):
    """A live secret of an endpoint, in the spelling in which its sender shows it."""

    secret_id: UUID
    text: str = Field(repr=False)


class HmacRule(Value):
    """How a sender signs that no scheme knows by name; see the presets of `github`, `stripe` and `slack`.

    header: whose value holds the signature. prefix: what stands before it there, such as `sha256=`. fields:
    the header is a list such as `t=…,v1=…`; these are the names of its timestamp and of its signatures.
    template: what is signed, of `{body}`, `{timestamp}` and `{id}`. tolerance_s: how old a timestamp may be.
    """

    header: _Word
    prefix: Annotated[str, Field(max_length=32)] = ""
    fields: tuple[_Word, _Word] | None = None
    hash: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    template: Annotated[str, Field(max_length=256)] = "{body}"
    timestamp_header: _Word | None = None
    id_header: _Word | None = None
    tolerance_s: int = Field(default=300, strict=True, gt=0, le=86_400)


class Fate(StrEnum):
    """What is to be done with a delivery that proved itself."""

    INGEST = "ingest"
    #: A test message: answered, kept, and nothing to remember.
    PING = "ping"
    #: Of a type that no rule maps: kept as a dead letter.
    UNKNOWN = "unknown"


class Identity(Value):
    """What a delivery is. Another delivery with the same `dedupe_key` is the same event, sent again.

    label: the item's external id, or what else people call it. at: the time that it speaks of.
    """

    dedupe_key: str
    label: str
    fate: Fate
    at: datetime | None = None


class Wanted(Value):
    """What a thin payload leaves out: a path below the source's API, to be fetched before it is mapped."""

    path: str


class Receipt(Value):
    """What the sender of a delivery is told: the event that it became, or what its challenge asks for."""

    event_id: UUID | None = None
    duplicate: bool = False
    challenge: str | None = None


class Endpoint(Value):
    """Where one sender posts. The id is all that it knows of us, and cannot be guessed.

    source: whose records come here. scheme: how they prove themselves; `hmac` by the rule.
    """

    endpoint_id: str
    source: str
    scheme: str
    rule: HmacRule | None = None
    label: str
    created_at: datetime
    disabled_at: datetime | None = None


class OpenedEndpoint(Value):
    """An endpoint with all that a delivery to it is judged by."""

    tenant_id: str
    endpoint: Endpoint
    secrets: tuple[HookSecret, ...]


class KeptDelivery(Value):
    """What became of a delivery. deliveries: how often it was sent. replay_of: what it is another run of."""

    event_id: UUID
    label: str
    received_at: datetime
    deliveries: int
    size: int
    outcome: Outcome | None
    reason: str | None
    replay_of: UUID | None


class Selection(Value):
    """Deliveries to an endpoint: all that is set must hold. failed: given up, and no replay has mended it."""

    event_ids: tuple[UUID, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    failed: bool = False
