"""Records taken in by a producer's own process, on the real stack: once a key, whoever dies on the way."""

import asyncio
import json
import re
import signal
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg import sql
from temporalio.client import Client
from tests.integration.workflows.product import at_work, settled

from apex_memory.bootstrap.memory import Memory
from apex_memory.database import Database
from apex_memory.direct import open_direct
from apex_memory.domain import ids
from apex_memory.domain.errors import ItemNotFound, RecordRejected
from apex_memory.domain.ledger import Outcome
from apex_memory.domain.messages import IngestResult
from apex_memory.settings import Settings

pytestmark = pytest.mark.integration

DOCUMENT = Path(__file__).parents[3] / "docs" / "direct.md"
KEY = "night-1"
#: A producer that dies at a point of its way: tenant, settings and point are its arguments.
PRODUCER = """
import asyncio, json, sys
from apex_memory.bootstrap.clients import connect_temporal
from apex_memory.bootstrap.sources import sources_with
from apex_memory.database import open_database
from apex_memory.direct import Direct
from apex_memory.failpoints import with_failpoints
from apex_memory.pipeline.intake.inbox import PostgresInbox
from apex_memory.pipeline.intake.mappings import PostgresMappings
from apex_memory.settings import Settings

async def main(tenant, given, points, records):
    settings = Settings(**given)
    async with open_database(settings.postgres_url) as database:
        direct = Direct(
            inbox=with_failpoints("inbox", PostgresInbox(database), points),
            source_of=sources_with(PostgresMappings(database)),
            temporal=with_failpoints("temporal", await connect_temporal(settings), points),
            queue_prefix=settings.queue_prefix,
        )
        await direct.ingest_records(tenant, "turvo", records, idempotency_key="night-1")

asyncio.run(main(*json.loads(sys.argv[1])))
"""


def shipments(*numbers: int, status: str = "in_transit") -> list[dict[str, Any]]:
    return [{"shipmentId": f"SHIP-{n}", "customerName": "Acme", "status": status} for n in numbers]


async def ingest(
    settings: Settings, temporal: Client, tenant: str, records: list[dict[str, Any]], *, key: str = KEY
) -> tuple[str, IngestResult]:
    async with open_direct(
        temporal, postgres_url=settings.postgres_url, queue_prefix=settings.queue_prefix
    ) as direct:
        handle = await direct.ingest_records(tenant, "turvo", records, idempotency_key=key)
    return handle.id, await handle.result()


async def count(database: Database, table: str, tenant: str) -> int:
    async with database.connection() as connection:
        counted = sql.SQL("SELECT count(*) AS n FROM {} WHERE tenant_id = %s").format(sql.Identifier(table))
        cursor = await connection.execute(counted, (tenant,))
        [row] = await cursor.fetchall()
    return row["n"]


def event_of(tenant: str, place: int) -> UUID:
    return ids.event_id(ids.batch_id(tenant, "turvo", KEY), place)


@pytest.mark.usefixtures("running")
async def test_records_are_found_once_their_workflow_has_its_result(
    settings: Settings, temporal: Client, memory: Memory, tenant: str
) -> None:
    workflow_id, result = await ingest(settings, temporal, tenant, shipments(1, 2))

    assert (result.committed, result.quarantined) == (2, 0)
    answer = await memory.retrieval.search(tenant, "SHIP-2", min_seq=result.seq)
    assert {fact.value for fact in answer.facts if fact.predicate == "has_status"} >= {"in_transit"}
    for place in range(2):
        ingestion = await settled(memory, tenant, event_of(tenant, place))
        assert (ingestion.outcome, ingestion.workflow_id) == (Outcome.COMMITTED, workflow_id)


@pytest.mark.usefixtures("running")
async def test_the_same_key_is_the_same_workflow_whatever_comes_with_it(
    settings: Settings, temporal: Client, memory: Memory, database: Database, tenant: str
) -> None:
    first = await ingest(settings, temporal, tenant, shipments(1, 2))
    again = await ingest(settings, temporal, tenant, shipments(1, 2))
    other = await ingest(settings, temporal, tenant, shipments(7, status="delivered"))

    assert first == again == other
    assert [await count(database, table, tenant) for table in ("batch", "inbox_event")] == [1, 2]
    assert (await settled(memory, tenant, event_of(tenant, 0))).version == 1


@pytest.mark.usefixtures("running")
async def test_the_same_key_many_times_at_once_is_one_workflow(
    settings: Settings, temporal: Client, database: Database, tenant: str
) -> None:
    ended = await asyncio.gather(*(ingest(settings, temporal, tenant, shipments(1, 2)) for _ in range(6)))

    assert len({workflow_id for workflow_id, _ in ended}) == 1
    assert {result.committed for _, result in ended} == {2}
    assert [await count(database, table, tenant) for table in ("batch", "inbox_event")] == [1, 2]


@pytest.mark.usefixtures("running")
async def test_the_same_key_of_two_tenants_is_two_workflows_and_each_finds_its_own(
    settings: Settings, temporal: Client, memory: Memory, tenant: str, other_tenant: str
) -> None:
    ours, theirs = await asyncio.gather(
        ingest(settings, temporal, tenant, shipments(1)),
        ingest(settings, temporal, other_tenant, shipments(2)),
    )

    assert ours[0] != theirs[0]
    assert {hit.external_id for hit in (await memory.retrieval.search(tenant, "SHIP-2")).hits} == {"SHIP-1"}
    with pytest.raises(ItemNotFound):
        await memory.inbox.ingestion(other_tenant, event_of(tenant, 0))


async def test_of_a_batch_with_one_record_that_cannot_be_mapped_nothing_is_kept(
    settings: Settings, temporal: Client, database: Database, tenant: str
) -> None:
    with pytest.raises(RecordRejected):
        await ingest(settings, temporal, tenant, [*shipments(1), {"status": "in_transit"}])

    assert [await count(database, table, tenant) for table in ("batch", "inbox_event")] == [0, 0]


@pytest.mark.parametrize(
    "point",
    ["inbox.accept_batch.after", "temporal.start_workflow.before", "temporal.start_workflow.after"],
)
async def test_what_a_killed_producer_left_is_started_by_a_relay_and_once(
    settings: Settings, temporal: Client, memory: Memory, database: Database, tenant: str, point: str
) -> None:
    secrets = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    given = settings.model_dump(mode="json", exclude=secrets)
    arguments = json.dumps([tenant, given, f"{point}=kill", shipments(1, 2)])
    producer = await asyncio.create_subprocess_exec(sys.executable, "-c", PRODUCER, arguments)
    assert await producer.wait() == -signal.SIGKILL
    assert [await count(database, table, tenant) for table in ("batch", "inbox_event")] == [1, 2]
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE batch SET claimed_at = now() - interval '1 hour' WHERE tenant_id = %s", (tenant,)
        )

    async with at_work(settings, temporal):
        ended = [await settled(memory, tenant, event_of(tenant, place)) for place in range(2)]
        workflow_id, result = await ingest(settings, temporal, tenant, shipments(1, 2))

    assert {one.outcome for one in ended} == {Outcome.COMMITTED}
    assert {one.workflow_id for one in ended} == {workflow_id}
    assert {one.version for one in ended} == {1}
    assert result.committed == 2


@pytest.mark.usefixtures("running")
async def test_the_example_of_the_document_does_what_it_says(
    settings: Settings, memory: Memory, tenant: str
) -> None:
    [example] = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), flags=re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(compile(example, str(DOCUMENT), "exec"), names)  # noqa: S102 - it is ours
    # With the SDK's own data converter, as a producer of another make has it.
    client = await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace)

    seq = await names["remember"](client, settings.postgres_url, tenant, queue_prefix=settings.queue_prefix)

    answer = await memory.retrieval.search(tenant, "SHIP-2025-10-19-003", min_seq=seq)
    assert "SHIP-2025-10-19-003" in {hit.external_id for hit in answer.hits}
