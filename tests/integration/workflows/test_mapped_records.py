"""Records of tenants' own sources on the real stack: declared, found as facts; undeclared, found as text."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.contracts.endpoints_contract import an_endpoint
from tests.integration.workflows.product import accept_record, settled

from apex_memory.bootstrap.memory import Memory
from apex_memory.domain import ids
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.hooks import Delivery, Selection
from apex_memory.domain.ledger import Ingestion, Outcome
from apex_memory.domain.mappings import RecordMapping

pytestmark = pytest.mark.integration

MAPPING = RecordMapping.model_validate(
    {
        "id": "$.number",
        "title": "$.name",
        "time": "$.updated_at",
        "text": ["$.notes"],
        "entities": [
            {"name": "order", "type": "order", "key": "$.number", "label": "$.name"},
            {"name": "customer", "type": "customer", "key": "$.customer"},
        ],
        "claims": [
            {"subject": "order", "predicate": "has_status", "value": "$.status"},
            {"subject": "order", "predicate": "belongs_to", "object": "customer"},
        ],
    }
)


def order(status: str, hour: int) -> dict[str, Any]:
    return {
        "number": "ORD-1042",
        "name": "Spring order 1042",
        "updated_at": f"2026-11-01T{hour:02}:00:00Z",
        "customer": "Umbrella Outdoor",
        "status": status,
        "notes": "Leave the oak chairs at the loading dock.",
    }


async def remembered(memory: Memory, tenant: str, record: Mapping[str, Any]) -> Ingestion:
    event_id = await accept_record(memory, tenant, "web-shop", record, label="ORD-1042")
    return await settled(memory, tenant, event_id)


async def statuses(memory: Memory, tenant: str, seq: int | None) -> set[str | None]:
    around = await memory.retrieval.neighbourhood(
        tenant, ids.entity_id(tenant, "order", "ORD-1042"), min_seq=seq
    )
    return {fact.value for fact in around.facts if fact.predicate == "has_status"}


@pytest.mark.usefixtures("running")
async def test_what_a_mapping_names_is_found_as_text_entities_and_facts(memory: Memory, tenant: str) -> None:
    await memory.mappings.put(tenant, "web-shop", MAPPING)

    ingestion = await remembered(memory, tenant, order("shipped", 10))

    found = await memory.retrieval.search(tenant, "oak chairs at the loading dock", min_seq=ingestion.seq)
    order_id = ids.entity_id(tenant, "order", "ORD-1042")
    around = await memory.retrieval.neighbourhood(tenant, order_id, min_seq=ingestion.seq)
    assert ingestion.outcome is Outcome.COMMITTED
    assert [(hit.source, hit.external_id) for hit in found.hits] == [("web-shop", "ORD-1042")]
    assert {fact.fact for fact in around.facts} >= {
        "Spring order 1042 has status shipped",
        "Spring order 1042 belongs to Umbrella Outdoor",
    }
    assert not found.missing


@pytest.mark.usefixtures("running")
async def test_another_tenant_sees_nothing_of_it_and_its_mapping_reads_nothing_of_theirs(
    memory: Memory, tenant: str, other_tenant: str
) -> None:
    await memory.mappings.put(tenant, "web-shop", MAPPING)
    await remembered(memory, tenant, order("shipped", 10))

    before = await memory.retrieval.search(other_tenant, "oak chairs at the loading dock")
    theirs = await remembered(memory, other_tenant, {"id": "T-1", "about": "a garden table"})
    found = await memory.retrieval.search(other_tenant, "oak chairs", min_seq=theirs.seq)

    assert before.hits == ()
    assert [hit.external_id for hit in found.hits] == ["T-1"]
    with pytest.raises(ItemNotFound):
        await memory.retrieval.neighbourhood(other_tenant, ids.entity_id(other_tenant, "order", "ORD-1042"))


@pytest.mark.usefixtures("running")
async def test_without_a_mapping_a_record_is_found_by_its_text_and_linked_by_the_identifiers_in_it(
    memory: Memory, tenant: str
) -> None:
    record = {"id": "T-9", "subject": "Gearbox of the red forklift", "concerns": ["SHIP-2025-10-19-002"]}

    ingestion = await remembered(memory, tenant, record)

    found = await memory.retrieval.search(tenant, "forklift gearbox", min_seq=ingestion.seq)
    [hit] = found.hits
    assert (hit.external_id, ingestion.outcome) == ("T-9", Outcome.COMMITTED)
    assert "SHIP-2025-10-19-002" in {entity.name for entity in hit.entities}


@pytest.mark.usefixtures("running")
async def test_a_late_event_does_not_overwrite_what_is_newer(memory: Memory, tenant: str) -> None:
    await memory.mappings.put(tenant, "web-shop", MAPPING)

    await remembered(memory, tenant, order("delivered", 12))
    late = await remembered(memory, tenant, order("packed", 9))

    assert late.outcome is Outcome.COMMITTED
    assert await statuses(memory, tenant, late.seq) == {"delivered"}


@pytest.mark.usefixtures("running")
async def test_a_delivery_that_no_mapping_could_read_is_mended_by_a_better_one_and_a_replay(
    memory: Memory, tenant: str
) -> None:
    endpoint = an_endpoint().model_copy(update={"source": "web-shop", "scheme": "token"})
    await memory.endpoints.create(tenant, endpoint, secret="a token of the sender")
    await memory.mappings.put(tenant, "web-shop", MAPPING.model_copy(update={"id": "$.order_number"}))
    first = await settled(memory, tenant, await delivered(memory, endpoint.endpoint_id, order("shipped", 10)))

    await memory.mappings.put(tenant, "web-shop", MAPPING)
    failed = Selection(failed=True)
    await memory.deliveries.replay(tenant, endpoint.endpoint_id, failed, replay_id=uuid4(), dry_run=False)
    kept = await memory.deliveries.listed(tenant, endpoint.endpoint_id, Selection(), after=None, limit=10)
    [again] = [one for one in kept if one.replay_of == first.ingestion_id]
    second = await settled(memory, tenant, again.event_id)

    assert (first.outcome, first.reason) == (
        Outcome.QUARANTINED,
        "web-shop record, at /order_number: required, and missing",
    )
    assert second.outcome is Outcome.COMMITTED
    assert await statuses(memory, tenant, second.seq) == {"shipped"}


async def delivered(memory: Memory, endpoint_id: str, record: Mapping[str, Any]) -> UUID:
    delivery = Delivery(headers={"token": "a token of the sender"}, body=json.dumps(record).encode())
    receipt = await memory.gateway.receive("web-shop", endpoint_id, delivery, now=datetime.now(UTC))
    assert receipt.event_id
    return receipt.event_id
