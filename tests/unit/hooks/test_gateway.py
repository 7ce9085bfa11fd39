"""Deliveries through the gateway, the recorded ones of three vendors among them: each gets its answer."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from tests.unit.api.fakes import MemoryInbox
from tests.unit.hooks.senders import ODD

from apex_memory.bootstrap.sources import sources_with
from apex_memory.domain.errors import AllowanceSpent, DeliveryRefused, EndpointDisabled, ItemNotFound
from apex_memory.domain.hooks import Delivery, Endpoint, HmacRule, Receipt
from apex_memory.domain.ledger import Outcome
from apex_memory.pipeline.intake.allowance import Allowances
from apex_memory.pipeline.intake.gateway import Gateway
from apex_memory.pipeline.intake.schemes import HMAC, NAMES, new_secret, scheme_of
from apex_memory.pipeline.intake.verification.hmac import GITHUB, SLACK, STRIPE
from apex_memory.pipeline.sources.registry import SOURCES
from apex_memory.ports import Inbox
from apex_memory.testing import MemoryEndpoints, MemoryMappings

PAYLOADS = Path(__file__).parents[2] / "data" / "payloads"
SECRETS = {"samsara": "secret_base64", "turvo": "bearer_token"}
KINDS = {"application": ("front_application", "app_signing_key"), "rule": ("front_rule", "rule_api_secret")}
NEW = ("accept", "accept_stale", "accept_needs_fetch")


class Door:
    """A gateway with an endpoint for each way in which a vendor signs."""

    def __init__(self, recorded: dict[str, Any], *, per_s: float = 0) -> None:
        self.inbox = MemoryInbox()
        self.endpoints = MemoryEndpoints()
        self.gateway = Gateway(
            endpoints=self.endpoints,
            inbox=cast("Inbox", self.inbox),
            source_of=sources_with(MemoryMappings()),
            scheme_of=scheme_of,
            allowances=Allowances.of(per_s),
        )
        seconds = recorded.get("clock_unix") or recorded.get("clock_unix_ms", 1_795_010_700_000) / 1000
        self.now = datetime.fromtimestamp(seconds, UTC)

    async def opened(
        self, source: str, scheme: str, secret: str, *, rule: HmacRule | None = None
    ) -> Endpoint:
        endpoint = Endpoint(
            endpoint_id=f"{scheme}-{uuid4().hex}",
            source=source,
            scheme=scheme,
            rule=rule,
            label=scheme,
            created_at=self.now,
        )
        await self.endpoints.create("acme", endpoint, secret=secret)
        return endpoint

    async def receive(self, endpoint: Endpoint, headers: dict[str, str], body: bytes) -> Receipt:
        delivery = Delivery(headers={name.lower(): value for name, value in headers.items()}, body=body)
        return await self.gateway.receive(endpoint.source, endpoint.endpoint_id, delivery, now=self.now)


def recorded(source: str) -> dict[str, Any]:
    return json.loads((PAYLOADS / source / "deliveries.json").read_bytes())


@pytest.mark.parametrize("source", ["samsara", "turvo", "frontapp"])
async def test_every_recorded_delivery_gets_its_verdict(source: str) -> None:
    told = recorded(source)
    door = Door(told)
    ways = (
        {kind: (scheme, told[secret]) for kind, (scheme, secret) in KINDS.items()}
        if source == "frontapp"
        else {None: ("samsara" if source == "samsara" else "token", told[SECRETS[source]])}
    )
    endpoints = {kind: await door.opened(source, *way) for kind, way in ways.items()}
    accepted: list[Receipt] = []
    for delivery in told["deliveries"]:
        body = (PAYLOADS / source / delivery["body_file"]).read_bytes()
        endpoint = endpoints[delivery.get("kind")]
        match delivery["expect"]:
            case "reject_401":
                with pytest.raises(DeliveryRefused):
                    await door.receive(endpoint, delivery["headers"], body)
            case "challenge":
                receipt = await door.receive(endpoint, delivery["headers"], body)
                assert receipt.challenge == delivery["response"]["json"]["challenge"]
            case "duplicate":
                receipt = await door.receive(endpoint, delivery["headers"], body)
                assert receipt.duplicate
                assert receipt.event_id in {one.event_id for one in accepted}
            case expected:
                assert expected in NEW
                receipt = await door.receive(endpoint, delivery["headers"], body)
                assert not receipt.duplicate
                accepted.append(receipt)

    assert {event.event_id for event in door.inbox.events.values()} == {one.event_id for one in accepted}
    assert all(event.ending is None for event in door.inbox.events.values())
    assert all(event.body for event in door.inbox.events.values())


async def test_what_proves_the_sender_is_not_kept_with_the_delivery() -> None:
    door = Door({})
    endpoint = await door.opened("turvo", "token", "a token of the sender")
    headers = {"Authorization": "Bearer a token of the sender", "User-Agent": "Turvo", "X-Long": "x" * 5000}

    await door.receive(endpoint, headers, b"{}")

    [event] = door.inbox.events.values()
    assert event.arrival
    assert set(event.arrival.headers) == {"user-agent", "x-long"}
    assert len(event.arrival.headers["x-long"]) == 1024
    assert "a token of the sender" not in event.model_dump_json()


async def test_no_endpoint_another_source_and_a_closed_one() -> None:
    door = Door({})
    endpoint = await door.opened("turvo", "token", "a token of the sender")

    with pytest.raises(ItemNotFound):
        await door.gateway.receive("turvo", "nobody", Delivery(headers={}, body=b""), now=door.now)
    with pytest.raises(ItemNotFound):
        await door.receive(endpoint.model_copy(update={"source": "samsara"}), {}, b"")
    await door.endpoints.enable("acme", endpoint.endpoint_id, enabled=False)
    with pytest.raises(EndpointDisabled):
        await door.receive(endpoint, {"token": "a token of the sender"}, b"{}")


async def test_what_others_send_to_an_endpoint_uses_up_nothing_of_its_senders_allowance() -> None:
    door = Door({}, per_s=1)
    endpoint = await door.opened("turvo", "token", "a token of the sender")

    forged = [await refusal(door, endpoint, "another token of others") for _ in range(5)]
    genuine = [await refusal(door, endpoint, "a token of the sender") for _ in range(3)]

    assert forged == [DeliveryRefused, *[AllowanceSpent] * 4]
    assert genuine == [None, None, AllowanceSpent]


async def test_a_flood_at_one_endpoint_leaves_the_others_alone() -> None:
    door = Door({}, per_s=1)
    one, other = [await door.opened("turvo", "token", "a token of the sender") for _ in range(2)]

    for _ in range(5):
        await refusal(door, one, "a token of the sender")

    assert await refusal(door, other, "a token of the sender") is None
    assert len(door.inbox.events) == 3


async def refusal(door: Door, endpoint: Endpoint, token: str) -> type[Exception] | None:
    try:
        await door.receive(endpoint, {"Token": token}, uuid4().hex.encode())
    except (DeliveryRefused, AllowanceSpent) as exc:
        return type(exc)
    return None


#: A scheme, and a secret as its senders write theirs.
WAYS = [
    *[(name, new_secret(name)) for name in NAMES if name != HMAC],
    ("standard", "v1,whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
]


@pytest.mark.parametrize("source", [source.name for source in SOURCES])
# Secrets are made anew each time: the names of the tests must not hold them.
@pytest.mark.parametrize(("scheme", "secret"), WAYS, ids=range(len(WAYS)))
async def test_a_ping_is_proven_and_kept_as_what_it_is(source: str, scheme: str, secret: str) -> None:
    door = Door({})
    endpoint = await door.opened(source, scheme, secret)

    first, second = [await door.gateway.ping("acme", endpoint.endpoint_id, now=door.now) for _ in range(2)]

    assert first != second
    kept = door.inbox.events[first]
    assert kept.ending
    assert (kept.ending.outcome, kept.ending.reason) == (Outcome.UNCHANGED, "a test message of its sender")
    assert (kept.tenant_id, kept.source) == ("acme", source)


@pytest.mark.parametrize("rule", [GITHUB, STRIPE, SLACK, ODD], ids=lambda rule: rule.header)
async def test_a_ping_is_signed_by_any_rule(rule: HmacRule) -> None:
    door = Door({})
    endpoint = await door.opened("turvo", "hmac", "a secret of the sender", rule=rule)

    kept = door.inbox.events[await door.gateway.ping("acme", endpoint.endpoint_id, now=door.now)]

    assert kept.ending
    assert kept.ending.outcome is Outcome.UNCHANGED


@pytest.mark.parametrize("source", [source.name for source in SOURCES])
async def test_a_marked_test_message_is_a_ping_whatever_the_source(source: str) -> None:
    door = Door({})
    endpoint = await door.opened(source, "token", "a token of the sender")
    body = (
        b'{"type": "apex.ping", "id": "1", "shipmentId": "SHIP-1", "message_id": "M-1", "vehicle_id": "V-1"}'
    )

    await door.receive(endpoint, {"Token": "a token of the sender"}, body)

    [kept] = door.inbox.events.values()
    assert kept.ending
    assert kept.ending.outcome is Outcome.UNCHANGED


async def test_another_tenants_endpoint_cannot_be_pinged() -> None:
    door = Door({})
    endpoint = await door.opened("turvo", "token", "a token of the sender")

    for tenant_id, endpoint_id in (("other", endpoint.endpoint_id), ("acme", "nobody")):
        with pytest.raises(ItemNotFound):
            await door.gateway.ping(tenant_id, endpoint_id, now=door.now)
    assert door.inbox.events == {}


async def test_a_ping_of_a_closed_endpoint_or_with_an_unfit_secret_is_refused_and_not_kept() -> None:
    door = Door({})
    closed = await door.opened("turvo", "token", "a token of the sender")
    await door.endpoints.enable("acme", closed.endpoint_id, enabled=False)
    unfit = await door.opened("samsara", "samsara", "this is not base64")
    expired = await door.opened("turvo", "token", "a token of the sender")
    door.endpoints._secrets[expired.endpoint_id] = []  # pyright: ignore[reportPrivateUsage] - all are over

    with pytest.raises(EndpointDisabled):
        await door.gateway.ping("acme", closed.endpoint_id, now=door.now)
    for endpoint in (unfit, expired):
        with pytest.raises(DeliveryRefused, match="no live secret"):
            await door.gateway.ping("acme", endpoint.endpoint_id, now=door.now)
    assert door.inbox.events == {}
