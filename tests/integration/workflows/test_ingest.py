"""From an accepted event to an answer, on the real stack."""

import json
from pathlib import Path

import pytest
from tests.integration.workflows.product import accept_document, accept_record, settled

from apex_memory.bootstrap.memory import Memory
from apex_memory.domain import ids
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.ledger import Ingestion, Outcome

pytestmark = pytest.mark.integration

PLAIN = Path(__file__).parents[2] / "data" / "payloads" / "plain"
LABELS = {
    "samsara": "TRUCK-6520@2025-10-19T14:23:00Z",
    "turvo": "SHIP-2025-10-19-002",
    "frontapp": "MSG-2025-10-19-003",
}


async def _remember_plain(memory: Memory, tenant: str) -> dict[str, Ingestion]:
    records = {source: json.loads((PLAIN / f"{source}.json").read_text()) for source in LABELS}
    events = {
        source: await accept_record(memory, tenant, source, r, label=LABELS[source])
        for source, r in records.items()
    }
    return {source: await settled(memory, tenant, event_id) for source, event_id in events.items()}


@pytest.mark.usefixtures("running")
async def test_the_three_sources_are_remembered_and_found(memory: Memory, tenant: str) -> None:
    ingestions = await _remember_plain(memory, tenant)

    assert {i.outcome for i in ingestions.values()} == {Outcome.COMMITTED}
    newest = max(i.seq or 0 for i in ingestions.values())
    for source, query in (
        ("samsara", "where is TRUCK-6520"),
        ("turvo", "shipment from Chicago to Indianapolis"),
        ("frontapp", "delivery confirmation"),
    ):
        answer = await memory.retrieval.search(tenant, query, min_seq=newest)
        assert LABELS[source] in {hit.external_id for hit in answer.hits}
        assert not answer.missing


@pytest.mark.usefixtures("running")
async def test_a_message_reaches_the_customer_of_the_shipment_it_mentions(
    memory: Memory, tenant: str
) -> None:
    await _remember_plain(memory, tenant)

    message = ids.entity_id(tenant, "message", LABELS["frontapp"])
    around = await memory.retrieval.neighbourhood(tenant, message)

    customers = {f.object.name for f in around.facts if f.object and f.object.type == "customer"}
    assert customers == {"Acme Manufacturing Corp"}


@pytest.mark.usefixtures("running")
async def test_sent_again_nothing_changes(memory: Memory, tenant: str) -> None:
    first = await _remember_plain(memory, tenant)

    again = await _remember_plain(memory, tenant)

    assert {i.outcome for i in again.values()} == {Outcome.UNCHANGED}
    assert {s: i.version for s, i in again.items()} == {s: i.version for s, i in first.items()}


@pytest.mark.usefixtures("running")
async def test_an_update_is_what_readers_see(memory: Memory, tenant: str) -> None:
    await _remember_plain(memory, tenant)
    shipment = json.loads((PLAIN / "turvo.json").read_text()) | {"status": "delivered"}

    updated = await settled(
        memory, tenant, await accept_record(memory, tenant, "turvo", shipment, label=LABELS["turvo"])
    )

    answer = await memory.retrieval.search(tenant, "SHIP-2025-10-19-002 status", min_seq=updated.seq)
    statuses = {f.value for f in answer.facts if f.predicate == "has_status"}
    assert updated.version == 2
    assert statuses == {"delivered"}
    assert {h.version for h in answer.hits if h.source == "turvo"} == {2}


@pytest.mark.usefixtures("running")
async def test_a_document_is_found_by_its_passages_and_by_what_it_names(memory: Memory, tenant: str) -> None:
    dock, yard = "Shipment SHIP-2025-10-19-002 waits at dock 7.", "The gate closes at nine."
    text = f"# Handover\n\n## Dock\n\n{dock}\n\n## Yard\n\n{yard}\n"

    ingestion = await settled(memory, tenant, await accept_document(memory, tenant, "handover.md", text))

    answer = await memory.retrieval.search(tenant, "when does the gate close", min_seq=ingestion.seq)
    best = answer.hits[0]
    assert (ingestion.outcome, best.external_id) == (Outcome.COMMITTED, "handover.md")
    assert "nine" in best.text
    assert text[best.start : best.end] == best.text
    shipment = ids.entity_id(tenant, "shipment", "SHIP-2025-10-19-002")
    assert (await memory.retrieval.neighbourhood(tenant, shipment)).facts


@pytest.mark.usefixtures("running")
async def test_what_cannot_be_read_is_quarantined_with_the_reason_and_the_rest_commits(
    memory: Memory, tenant: str
) -> None:
    bad_record = await accept_record(
        memory, tenant, "turvo", {"shipmentId": 7, "status": []}, label=LABELS["turvo"]
    )
    not_json = await accept_record(memory, tenant, "turvo", b"{not json", label=LABELS["turvo"])
    good = await accept_record(
        memory, tenant, "turvo", json.loads((PLAIN / "turvo.json").read_text()), label=LABELS["turvo"]
    )
    empty = await accept_document(memory, tenant, "empty.md", "   \n")

    outcomes = [await settled(memory, tenant, e) for e in (bad_record, not_json, good, empty)]

    expected = [Outcome.QUARANTINED, Outcome.QUARANTINED, Outcome.COMMITTED, Outcome.QUARANTINED]
    assert [o.outcome for o in outcomes] == expected
    assert all(o.reason for o in outcomes if o.outcome is Outcome.QUARANTINED)


@pytest.mark.usefixtures("running")
async def test_two_tenants_send_the_same_and_never_see_each_other(
    memory: Memory, tenant: str, other_tenant: str
) -> None:
    await _remember_plain(memory, tenant)
    secret = {
        "message_id": "MSG-2025-10-19-003",
        "subject": "Zebra",
        "body": "zebra-crossing",
        "sender": "z@z.example",
    }
    theirs = await settled(
        memory,
        other_tenant,
        await accept_record(memory, other_tenant, "frontapp", secret, label=LABELS["frontapp"]),
    )

    ours = await memory.retrieval.search(tenant, "zebra-crossing")

    assert theirs.version == 1
    assert "zebra" not in ours.model_dump_json().replace('"query":"zebra-crossing"', "").lower()
    with pytest.raises(ItemNotFound):
        await memory.inbox.ingestion(tenant, theirs.ingestion_id)
    customer = ids.entity_id(tenant, "customer", "Acme Manufacturing Corp")
    with pytest.raises(ItemNotFound):
        await memory.retrieval.neighbourhood(other_tenant, customer)
