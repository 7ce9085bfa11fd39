"""The shapes of webhooks that cross HTTP: endpoints, the answers to a sender, deliveries, their replay."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, BeforeValidator, Field

from apex_memory.api.models import Name, Text
from apex_memory.domain.hooks import Endpoint, HmacRule, KeptDelivery, Selection
from apex_memory.domain.value import Value

MAX_OVERLAP_S: Final = 30 * 86_400
MAX_EVENTS: Final = 1_000


def _written(value: object) -> object:
    # Pydantic takes a number for a time, also in quotes, and guesses its unit.
    if isinstance(value, str) and "-" in value[1:]:
        return value
    raise ValueError("expected a time as RFC 3339 with its offset, such as 2025-10-19T14:23:00Z")


_Instant = Annotated[AwareDatetime, BeforeValidator(_written)]
Secret = Annotated[Text, Field(min_length=16, max_length=512)]


class DeliveryAccepted(Value):
    """It is kept, durably."""

    event_id: UUID
    duplicate: bool = Field(description="the same event was delivered before, and nothing was added")


class Challenge(Value):
    """What the sender wants to hear back."""

    challenge: str


class EndpointIn(Value):
    """A new endpoint."""

    source: Name = Field(
        description="whose records come here: samsara, turvo, frontapp, or a name of your own"
    )
    scheme: Name | None = Field(
        default=None, description="how deliveries prove themselves; default: as this source does"
    )
    rule: HmacRule | None = Field(default=None, description="of the scheme hmac, and needed by it")
    secret: Secret | None = Field(default=None, description="the sender's own; without it, we make one")
    label: Name


class EndpointMade(Value):
    """The secret is told now, and never again."""

    endpoint: Endpoint
    url: str
    secret: str


class EndpointList(Value):
    endpoints: tuple[Endpoint, ...]


class PingKept(Value):
    """A test message went the whole way of a delivery, and is kept."""

    event_id: UUID
    took_ms: float = Field(description="from signing it until it was durable")


class RotationIn(Value):
    """A new secret. The one before is good for a while longer, so that no delivery is lost meanwhile."""

    secret: Secret | None = Field(default=None, description="the sender's own; without it, we make one")
    overlap_s: Annotated[int, Field(strict=True, ge=0, le=MAX_OVERLAP_S)] = 86_400


class DeliveryPage(Value):
    """The newest first. `next_after` asks for the page behind this one."""

    deliveries: tuple[KeptDelivery, ...]
    next_after: UUID | None


class ReplayIn(Value):
    """Which deliveries: all that is set must hold, and something must be."""

    event_ids: Annotated[tuple[UUID, ...], Field(max_length=MAX_EVENTS)] = ()
    since: _Instant | None = None
    until: _Instant | None = None
    failed: bool = Field(default=False, strict=True)
    dry_run: bool = Field(default=False, strict=True, description="only count")

    def selection(self) -> Selection | None:
        """None: nothing is set."""
        chosen = Selection(**self.model_dump(exclude={"dry_run"}))
        return None if chosen == Selection() else chosen


class ReplayAccepted(Value):
    """`taken` were taken in again, or would be."""

    replay_id: UUID
    taken: int
    at: datetime
