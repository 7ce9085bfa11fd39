"""Deliveries on the real stack: from a signed POST to a findable fact, and again after a replay."""

import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from tests.contracts.endpoints_contract import an_endpoint
from tests.integration.workflows.product import settled

from apex_memory.bootstrap.memory import Memory
from apex_memory.domain.errors import DeliveryRefused
from apex_memory.domain.hooks import Delivery, Endpoint, Selection
from apex_memory.domain.ledger import Outcome

pytestmark = pytest.mark.integration

TOKEN = "a token of the sender"
SHIPMENT = {"shipmentId": "SHIP-88", "customerName": "Acme", "status": "in_transit"}


async def opened(memory: Memory, tenant: str) -> Endpoint:
    endpoint = an_endpoint().model_copy(update={"source": "turvo", "scheme": "token"})
    await memory.endpoints.create(tenant, endpoint, secret=TOKEN)
    return endpoint


async def received(memory: Memory, endpoint: Endpoint, body: bytes, *, token: str = TOKEN) -> UUID:
    delivery = Delivery(headers={"authorization": f"Bearer {token}", "user-agent": "Turvo"}, body=body)
    receipt = await memory.gateway.receive(
        endpoint.source, endpoint.endpoint_id, delivery, now=datetime.now(UTC)
    )
    assert receipt.event_id
    return receipt.event_id


@pytest.mark.usefixtures("running")
async def test_what_a_sender_pushes_is_found_by_its_owner_and_nobody_else(
    memory: Memory, tenant: str, other_tenant: str
) -> None:
    endpoint = await opened(memory, tenant)

    event_id = await received(memory, endpoint, json.dumps(SHIPMENT).encode())
    ingestion = await settled(memory, tenant, event_id)

    found = await memory.retrieval.search(tenant, "SHIP-88", min_seq=ingestion.seq)
    assert ingestion.outcome is Outcome.COMMITTED
    assert {fact.value for fact in found.facts if fact.predicate == "has_status"} == {"in_transit"}
    assert (await memory.retrieval.search(other_tenant, "SHIP-88")).hits == ()


@pytest.mark.usefixtures("running")
async def test_a_delivery_that_is_sent_again_is_remembered_once(memory: Memory, tenant: str) -> None:
    endpoint = await opened(memory, tenant)
    body = json.dumps(SHIPMENT).encode()

    first, second = await received(memory, endpoint, body), await received(memory, endpoint, body)
    ingestion = await settled(memory, tenant, first)

    [kept] = await memory.deliveries.listed(tenant, endpoint.endpoint_id, Selection(), after=None, limit=10)
    assert second == first
    assert (ingestion.version, kept.deliveries) == (1, 2)


async def test_what_is_not_proven_leaves_no_trace(memory: Memory, tenant: str) -> None:
    endpoint = await opened(memory, tenant)

    with pytest.raises(DeliveryRefused):
        await received(memory, endpoint, json.dumps(SHIPMENT).encode(), token="another token of sixteen")

    listed = await memory.deliveries.listed(tenant, endpoint.endpoint_id, Selection(), after=None, limit=10)
    assert listed == []


@pytest.mark.usefixtures("running")
async def test_a_dead_letter_that_is_replayed_ends_once_more_and_its_first_end_stays(
    memory: Memory, tenant: str
) -> None:
    endpoint = await opened(memory, tenant)
    dead = await received(memory, endpoint, b"no JSON")
    failed = Selection(failed=True)

    taken = await memory.deliveries.replay(
        tenant, endpoint.endpoint_id, failed, replay_id=uuid4(), dry_run=False
    )
    kept = await memory.deliveries.listed(tenant, endpoint.endpoint_id, Selection(), after=None, limit=10)
    [again] = [one for one in kept if one.replay_of == dead]
    ended = await settled(memory, tenant, again.event_id)
    first = await memory.inbox.ingestion(tenant, dead)

    assert taken == 1
    assert (ended.outcome, first.outcome) == (Outcome.QUARANTINED, Outcome.QUARANTINED)
    assert (first.reason, ended.workflow_id is not None) == ("the body is not JSON", True)
