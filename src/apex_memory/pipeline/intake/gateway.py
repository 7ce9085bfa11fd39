"""A POST to an endpoint in; once its sender is proven, the event that it became, durably kept, out."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, cast
from uuid import UUID, uuid4

import orjson
import structlog

from apex_memory.domain.errors import DeliveryRefused, EndpointDisabled, ItemNotFound, RecordRejected
from apex_memory.domain.hooks import Delivery, Endpoint, Fate, Identity, Receipt
from apex_memory.domain.ledger import Arrival, Ending, InboxEvent, Outcome
from apex_memory.pipeline.intake.allowance import Allowances
from apex_memory.pipeline.intake.pings import MARK, is_marked, ping_of
from apex_memory.ports import Endpoints, Inbox, Scheme, SourceOf

#: They hold what the sender proves itself with.
_SECRET_HEADERS: Final = frozenset({
    *("authorization", "cookie", "proxy-authorization", "token", "x-api-key", "x-turvo-token"),
})  # fmt: skip
_MAX_HEADERS: Final = 64
_MAX_HEADER_CHARS: Final = 1_024
_ENDINGS: Final = {
    Fate.PING: Ending(outcome=Outcome.UNCHANGED, reason="a test message of its sender"),
    Fate.UNKNOWN: Ending(outcome=Outcome.QUARANTINED, reason="no rule maps this type of event"),
}

log = structlog.get_logger()


class Gateway:
    """Takes in what senders push. Not even whether it is JSON is looked at before its sender is proven."""

    def __init__(
        self,
        *,
        endpoints: Endpoints,
        inbox: Inbox,
        source_of: SourceOf,
        scheme_of: Callable[[Endpoint], Scheme],
        allowances: Allowances,
    ) -> None:
        self._endpoints = endpoints
        self._inbox = inbox
        self._source_of = source_of
        self._scheme_of = scheme_of
        self._allowances = allowances

    async def receive(self, source: str, endpoint_id: str, delivery: Delivery, *, now: datetime) -> Receipt:
        """What its sender is to be told.

        Raises:
            ItemNotFound: no endpoint of this source by that id.
            EndpointDisabled: there is one, and its owner has closed it.
            DeliveryRefused: it does not prove itself.
            AllowanceSpent: its sender has sent too much; or too much came that did not prove itself.
            StoreUnavailable: it may or may not have been kept; sent again, it is kept once.
        """
        opened = await self._endpoints.opened(endpoint_id)
        if opened is None or opened.endpoint.source != source:
            raise ItemNotFound("endpoint", endpoint_id)
        tenant_id, endpoint = opened.tenant_id, opened.endpoint
        structlog.contextvars.bind_contextvars(tenant_id=tenant_id, endpoint_id=endpoint_id)
        if endpoint.disabled_at:
            raise EndpointDisabled(endpoint_id)
        try:
            scheme = self._scheme_of(endpoint)
            secret_id = scheme.verify(delivery, opened.secrets, now=now)
            challenge = scheme.challenge(delivery)
        except DeliveryRefused as exc:
            # Judged all the same: who knows the URL and no secret must not shut out who knows both. What
            # this spares is the answer's reason and a line in the log.
            self._allowances.refusals.spend(tenant_id, endpoint_id)
            log.warning("delivery.refused", source=source, reason=exc.problem, size=len(delivery.body))
            raise
        # Only what is proven is counted: nobody else can use up its sender's allowance.
        self._allowances.endpoints.spend(tenant_id, endpoint_id)
        if challenge is not None:
            return Receipt(challenge=challenge)
        event = await self._event(tenant_id, endpoint, delivery, secret_id=secret_id, now=now)
        accepted = await self._inbox.accept(event)
        return Receipt(event_id=accepted.event_id, duplicate=accepted.duplicate)

    async def ping(self, tenant_id: str, endpoint_id: str, *, now: datetime) -> UUID:
        """The event of a test message, signed with the newest secret as its sender would, received like any.

        Raises:
            ItemNotFound: no such endpoint, or not this tenant's.
            DeliveryRefused: its secret, or its rule, can prove nothing.
            EndpointDisabled, AllowanceSpent, StoreUnavailable: as `receive`.
        """
        opened = await self._endpoints.opened(endpoint_id)
        if opened is None or opened.tenant_id != tenant_id:
            raise ItemNotFound("endpoint", endpoint_id)
        if not opened.secrets:
            raise DeliveryRefused("its endpoint has no live secret that can be used")
        source, body = opened.endpoint.source, ping_of(opened.endpoint.source, now=now)
        headers = self._scheme_of(opened.endpoint).sign(body, opened.secrets[0], now=now)
        receipt = await self.receive(source, endpoint_id, Delivery(headers=headers, body=body), now=now)
        assert receipt.event_id  # noqa: S101 - none of our test messages asks for a challenge
        return receipt.event_id

    async def _event(
        self, tenant_id: str, endpoint: Endpoint, delivery: Delivery, *, secret_id: UUID, now: datetime
    ) -> InboxEvent:
        digest = hashlib.sha256(delivery.body).hexdigest()
        identity, ending = await self._identified(tenant_id, endpoint, delivery.body, digest=digest)
        return InboxEvent(
            event_id=uuid4(),
            tenant_id=tenant_id,
            source=endpoint.source,
            kind="record",
            dedupe_key=f"hook:{identity.dedupe_key}",
            label=identity.label,
            body=delivery.body,
            received_at=now,
            arrival=Arrival(
                endpoint_id=endpoint.endpoint_id, secret_id=secret_id, headers=_kept(delivery.headers)
            ),
            ending=ending,
        )

    async def _identified(
        self, tenant_id: str, endpoint: Endpoint, body: bytes, *, digest: str
    ) -> tuple[Identity, Ending | None]:
        """What cannot be read is a dead letter: its sender has done its part, and no repetition mends it."""
        nameless = Identity(dedupe_key=f"sha256:{digest}", label=digest[:12], fate=Fate.UNKNOWN)
        try:
            parsed: object = orjson.loads(body)
        except orjson.JSONDecodeError:
            return nameless, Ending(outcome=Outcome.QUARANTINED, reason="the body is not JSON")
        if not isinstance(parsed, dict):
            return nameless, Ending(outcome=Outcome.QUARANTINED, reason="the body is not a JSON object")
        if is_marked(cast("Mapping[str, object]", parsed)):
            ping = Identity(dedupe_key=nameless.dedupe_key, label=MARK, fate=Fate.PING)
            return ping, _ENDINGS[Fate.PING]
        try:
            source = await self._source_of(tenant_id, endpoint.source)
            identity = source.identify(cast("Mapping[str, object]", parsed), digest=digest)
        except RecordRejected as exc:
            return nameless, Ending(outcome=Outcome.QUARANTINED, reason=str(exc))
        return identity, _ENDINGS.get(identity.fate)


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    told = ((name, value) for name, value in headers.items() if name not in _SECRET_HEADERS)
    bounded = [(name, value[:_MAX_HEADER_CHARS].replace("\0", "")) for name, value in told]
    return dict(bounded[:_MAX_HEADERS])
