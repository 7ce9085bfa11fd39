"""The recorded deliveries of three vendors through the gateway: each gets the answer that it must get."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from tests.unit.api.fakes import MemoryInbox

from apex_memory.domain.errors import DeliveryRefused, EndpointDisabled, ItemNotFound
from apex_memory.domain.hooks import Delivery, Endpoint, Receipt
from apex_memory.pipeline.intake.gateway import Gateway
from apex_memory.pipeline.intake.schemes import scheme_of
from apex_memory.pipeline.sources.registry import SOURCES
from apex_memory.ports import Inbox
from apex_memory.testing import MemoryEndpoints

PAYLOADS = Path(__file__).parents[2] / "data" / "payloads"
SECRETS = {"samsara": "secret_base64", "turvo": "bearer_token"}
KINDS = {"application": ("front_application", "app_signing_key"), "rule": ("front_rule", "rule_api_secret")}
NEW = ("accept", "accept_stale", "accept_needs_fetch")


class Door:
    """A gateway with an endpoint for each way in which a vendor signs."""

    def __init__(self, recorded: dict[str, Any]) -> None:
        self.inbox = MemoryInbox()
        self.endpoints = MemoryEndpoints()
        self.gateway = Gateway(
            endpoints=self.endpoints,
            inbox=cast("Inbox", self.inbox),
            sources={source.name: source for source in SOURCES},
            scheme_of=scheme_of,
        )
        seconds = recorded.get("clock_unix") or recorded.get("clock_unix_ms", 1_795_010_700_000) / 1000
        self.now = datetime.fromtimestamp(seconds, UTC)

    async def opened(self, source: str, scheme: str, secret: str) -> Endpoint:
        endpoint = Endpoint(
            endpoint_id=f"{scheme}-{uuid4().hex}",
            source=source,
            scheme=scheme,
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
