"""Thin deliveries on the real stack, their source's API on a local port: completed, waited for, refused."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from temporalio.client import Client
from tests.contracts.endpoints_contract import an_endpoint
from tests.doubles import sources
from tests.doubles.sources import API_KEY, LOGIN, TOKEN, Answer, SourcesDouble
from tests.integration.workflows.product import accept_record, settled
from tests.unit.sources.payloads import payload

from apex_memory.bootstrap.memory import Memory
from apex_memory.domain.connections import BearerCredentials, TurvoCredentials
from apex_memory.domain.hooks import Delivery, Endpoint, Selection
from apex_memory.domain.ledger import Ingestion, Outcome
from apex_memory.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("running")]

SECRET = "a token of the sender"
WEBHOOK = payload("turvo/01_webhook_status_update_en_route")
SHIPMENT = payload("turvo/03_shipment_detail_multi_stop_very_long")
PREVIEW = payload("frontapp/02_app_inbound_received_preview_only")
NUMBER = "1000324868"
ACCOUNT = TurvoCredentials(
    username=LOGIN[0], password=LOGIN[1], client_id="publicapi", client_secret="a secret", api_key=API_KEY
)


@pytest.fixture
async def double() -> AsyncGenerator[SourcesDouble, None]:
    async with sources.sources_double() as double:
        double.shipments[NUMBER] = SHIPMENT
        yield double


@pytest.fixture
async def settings(
    own_settings: Callable[[], AbstractAsyncContextManager[Settings]], double: SourcesDouble
) -> AsyncGenerator[Settings, None]:
    """The operator has listed the double."""
    listed = ",".join(f"{source}={double.base_url}" for source in ("frontapp", "turvo"))
    async with own_settings() as settings:
        yield settings.model_copy(update={"source_api_urls": listed})


@pytest.fixture
async def endpoint(memory: Memory, tenant: str) -> Endpoint:
    endpoint = an_endpoint().model_copy(update={"source": "turvo", "scheme": "token"})
    await memory.endpoints.create(tenant, endpoint, secret=SECRET)
    return endpoint


async def connect(
    memory: Memory, tenant: str, double: SourcesDouble, account: TurvoCredentials = ACCOUNT
) -> None:
    await memory.connections.put(tenant, "turvo", base_url=double.base_url, credentials=account)


async def pushed(memory: Memory, endpoint: Endpoint) -> UUID:
    delivery = Delivery(headers={"authorization": f"Bearer {SECRET}"}, body=json.dumps(WEBHOOK).encode())
    receipt = await memory.gateway.receive(
        endpoint.source, endpoint.endpoint_id, delivery, now=datetime.now(UTC)
    )
    assert receipt.event_id
    return receipt.event_id


async def told_of(memory: Memory, tenant: str, ingestion: Ingestion) -> str:
    """External id of the item that an ingestion became."""
    assert ingestion.item_id
    return (await memory.retrieval.item(tenant, ingestion.item_id)).external_id


async def found(memory: Memory, tenant: str, question: str, ingestion: Ingestion) -> str:
    """What the passages say that were found of the item that an ingestion became."""
    answer = await memory.retrieval.search(tenant, question, min_seq=ingestion.seq)
    return "\n".join(hit.text for hit in answer.hits if hit.item_id == ingestion.item_id)


async def failures(temporal: Client, ingestion: Ingestion) -> list[str]:
    """For what each attempt but the last of the completing activity failed, as far as Temporal keeps it."""
    history = await temporal.get_workflow_handle(ingestion.workflow_id or "").fetch_history()
    started = [event.activity_task_started_event_attributes for event in history.events]
    return [
        each.last_failure.application_failure_info.type for each in started if each.HasField("last_failure")
    ]


async def test_a_thin_delivery_becomes_the_shipment_that_it_names(
    memory: Memory, tenant: str, other_tenant: str, endpoint: Endpoint, double: SourcesDouble
) -> None:
    await connect(memory, tenant, double)

    ingestion = await settled(memory, tenant, await pushed(memory, endpoint))

    number = SHIPMENT["details"]["customId"]
    assert (ingestion.outcome, await told_of(memory, tenant, ingestion)) == (Outcome.COMMITTED, NUMBER)
    assert await found(memory, tenant, number, ingestion)
    assert (double.count("/oauth"), double.count("/shipments")) == (1, 1)
    assert (await memory.retrieval.search(other_tenant, number)).hits == ()


async def test_a_preview_becomes_the_message_that_it_shows(
    memory: Memory, tenant: str, double: SourcesDouble
) -> None:
    whole = payload("frontapp/01_app_inbound_received_full")["payload"]["target"]["data"]
    link = {"self": "https://acme.api.frontapp.com/messages/msg_1q15qn00"}
    double.messages["msg_1q15qn00"] = {**whole, "id": "msg_1q15qn00", "_links": link}
    credentials = BearerCredentials(token=TOKEN)
    await memory.connections.put(tenant, "frontapp", base_url=double.base_url, credentials=credentials)

    event_id = await accept_record(memory, tenant, "frontapp", PREVIEW, label="evt_4ckcrb00")
    ingestion = await settled(memory, tenant, event_id)

    assert (ingestion.outcome, await told_of(memory, tenant, ingestion)) == (
        Outcome.COMMITTED,
        "msg_1q15qn00",
    )
    assert "where is M290969?" in await found(memory, tenant, "where is M290969?", ingestion)


async def test_without_a_connection_it_is_remembered_as_it_came(
    memory: Memory, tenant: str, endpoint: Endpoint, double: SourcesDouble
) -> None:
    ingestion = await settled(memory, tenant, await pushed(memory, endpoint))

    external_id = await told_of(memory, tenant, ingestion)
    assert ingestion.outcome is Outcome.COMMITTED
    assert external_id.startswith(f"{NUMBER}/SHIPMENT_STATUS_UPDATE@")
    assert double.calls == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(sources.rate_limited("1"), "RateLimited", id="limited"),
        pytest.param(sources.dropped(), "SourceUnavailable", id="dropped"),
        pytest.param(sources.status(503), "SourceUnavailable", id="down"),
    ],
)
async def test_what_passes_is_waited_out_and_seen(
    memory: Memory,
    temporal: Client,
    tenant: str,
    endpoint: Endpoint,
    double: SourcesDouble,
    answer: Answer,
    error: str,
) -> None:
    await connect(memory, tenant, double)
    double.plan(answer, at="/shipments")

    ingestion = await settled(memory, tenant, await pushed(memory, endpoint))

    external_id = await told_of(memory, tenant, ingestion)
    assert (ingestion.outcome, external_id) == (Outcome.COMMITTED, NUMBER)
    assert await failures(temporal, ingestion) == [error]
    assert (double.count("/oauth"), double.count("/shipments")) == (1, 2)


async def test_refused_credentials_are_mended_and_the_delivery_replayed(
    memory: Memory, tenant: str, endpoint: Endpoint, double: SourcesDouble
) -> None:
    await connect(memory, tenant, double, ACCOUNT.model_copy(update={"password": "an old one"}))
    refused = await settled(memory, tenant, await pushed(memory, endpoint))
    asked = double.count("/shipments")

    await connect(memory, tenant, double)
    taken = await memory.deliveries.replay(
        tenant, endpoint.endpoint_id, Selection(failed=True), replay_id=uuid4(), dry_run=False
    )
    kept = await memory.deliveries.listed(tenant, endpoint.endpoint_id, Selection(), after=None, limit=10)
    [again] = [one for one in kept if one.replay_of]
    mended = await settled(memory, tenant, again.event_id)

    external_id = await told_of(memory, tenant, mended)
    assert (refused.outcome, asked, taken) == (Outcome.QUARANTINED, 0, 1)
    assert "apex connections set turvo" in (refused.reason or "")
    assert "an old one" not in (refused.reason or "")
    assert (mended.outcome, external_id) == (Outcome.COMMITTED, NUMBER)
