"""Webhook deliveries in, where they belong and whether they are genuine out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from apex_memory.domain.hooks import (
    Delivery,
    Endpoint,
    HookSecret,
    KeptDelivery,
    OpenedEndpoint,
    Selection,
)


class Scheme(Protocol):
    """One way in which senders prove deliveries to be theirs. signed: by more than a token in them."""

    name: str
    signed: bool

    def verify(self, delivery: Delivery, secrets: Sequence[HookSecret], *, now: datetime) -> UUID:
        """The secret that it was made with. Every secret is tried, in constant time.

        Raises:
            DeliveryRefused: unsigned, malformed, outside the window of time, or made with none of them.
        """
        ...

    def sign(self, body: bytes, secret: HookSecret, *, now: datetime) -> Mapping[str, str]:
        """The headers, their names in lower case, with which its sender would send `body` now.

        Raises:
            DeliveryRefused: the secret is none of this scheme's.
        """
        ...

    def challenge(self, delivery: Delivery) -> str | None:
        """What a verified delivery wants to hear back, if it is its sender's test of who we are.

        Raises:
            DeliveryRefused: it asks for something that is not fit to be sent back.
        """
        ...


class Endpoints(Protocol):
    """Where senders post, and the secrets that they share with us."""

    async def create(self, tenant_id: str, endpoint: Endpoint, *, secret: str) -> None:
        """Raises SettingMissing: there is no key to seal secrets with."""
        ...

    async def opened(self, endpoint_id: str) -> OpenedEndpoint | None:
        """Whose it is, with its live secrets, newest first. None: unknown. A disabled one is told as such."""
        ...

    async def listed(self, tenant_id: str) -> Sequence[Endpoint]:
        """In the order in which they were made."""
        ...

    async def rotate(self, tenant_id: str, endpoint_id: str, *, secret: str, overlap_s: float) -> Endpoint:
        """From now on `secret`; those before it for `overlap_s` more. Raises ItemNotFound, SettingMissing."""
        ...

    async def enable(self, tenant_id: str, endpoint_id: str, *, enabled: bool) -> Endpoint:
        """Raises ItemNotFound."""
        ...


class Deliveries(Protocol):
    """What endpoints have taken in, and the means to run it once more."""

    async def listed(
        self, tenant_id: str, endpoint_id: str, selection: Selection, *, after: UUID | None, limit: int
    ) -> Sequence[KeptDelivery]:
        """The newest first, replays among them; `after` is the last one of the page before."""
        ...

    async def replay(
        self, tenant_id: str, endpoint_id: str, selection: Selection, *, replay_id: UUID, dry_run: bool
    ) -> int:
        """Take the chosen ones in again, as they came, with their old times. How many; a dry run only counts.

        The same `replay_id` again adds nothing. What was forgotten in between is not there any more.
        """
        ...
