"""Two tenants send the same: nothing of one in any answer of the other, and every store keeps them apart."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from psycopg import sql
from qdrant_client import models
from temporalio.client import Client
from tests.integration.workflows.product import accept_document, accept_record, settled

from apex_memory.api.app import create_app
from apex_memory.bootstrap.memory import Memory
from apex_memory.database import Database
from apex_memory.domain.ledger import Ingestion, Outcome
from apex_memory.pipeline.stores.neo4j import open_neo4j
from apex_memory.pipeline.stores.qdrant import open_qdrant
from apex_memory.pipeline.stores.redis import open_redis
from apex_memory.settings import Settings

pytestmark = pytest.mark.integration

PLAIN = Path(__file__).parents[2] / "data" / "payloads" / "plain"
CONTENT = (
    "chunk",
    "mention",
    "claim",
    "sample",
    "entity",
    "item_head",
    "item_version",
    "inbox_event",
    "batch",
)
LABELS = {"samsara": "TRUCK-6520@2025-10-19T14:23:00Z", "turvo": "SHIP-2025-10-19-002"}


async def _remember(memory: Memory, tenant: str, secret: str) -> list[Ingestion]:
    """The same two records for everyone, and a document that only this tenant could have sent."""
    events = [
        await accept_record(memory, tenant, s, json.loads((PLAIN / f"{s}.json").read_text()), label=label)
        for s, label in LABELS.items()
    ]
    events.append(await accept_document(memory, tenant, "note.md", f"# Note\n\nThe word is {secret}.\n"))
    ended = [await settled(memory, tenant, event_id) for event_id in events]
    assert {e.outcome for e in ended} == {Outcome.COMMITTED}
    return ended


async def _ids_in_postgres(database: Database, tenant: str) -> dict[str, set[str]]:
    """Every id that the content tables hold under this tenant."""
    found: dict[str, set[str]] = {}
    async with database.connection() as connection:
        for table in CONTENT:
            query = sql.SQL("SELECT to_jsonb(t) AS row FROM {} AS t WHERE tenant_id = %s").format(
                sql.Identifier(table)
            )
            cursor = await connection.execute(query, (tenant,))
            rows = [row["row"] async for row in cursor]
            found[table] = {
                str(v) for row in rows for k, v in row.items() if k.endswith("_id") and _is_uuid(v)
            }
    return found


def _is_uuid(value: Any) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True


async def _points_in_qdrant(settings: Settings, tenant: str) -> dict[str, dict[str, Any]]:
    client = open_qdrant(settings.qdrant_url)
    points: dict[str, dict[str, Any]] = {}
    match = models.FieldCondition(key="tenant_id", match=models.MatchValue(value=tenant))
    for collection in (await client.get_collections()).collections:
        found, _ = await client.scroll(
            collection.name, scroll_filter=models.Filter(must=[match]), limit=1000, with_payload=True
        )
        points |= {str(point.id): dict(point.payload or {}) for point in found}
    await client.close()
    return points


async def _elements_in_neo4j(settings: Settings, tenant: str) -> list[dict[str, Any]]:
    """Properties of every node of the tenant, and of every relationship at it with its other end."""
    query = "MATCH (n {tenant_id: $tenant}) OPTIONAL MATCH (n)-[r]-(m) RETURN n{.*}, r{.*}, m{.*}"
    async with open_neo4j(settings.neo4j_url) as driver:
        records, _, _ = await driver.execute_query(query, tenant=tenant)
    return [element for record in records for element in record.values() if element]


async def _keys_in_redis(settings: Settings, part: str) -> list[str]:
    """The keys with this in them, whoever's they are."""
    async with open_redis(settings.redis_url) as redis:
        found: list[bytes] = await redis.keys(f"*{part}*")  # pyright: ignore[reportUnknownMemberType, reportAssignmentType] - the client's loose types
    return [key.decode() for key in found]


@pytest.mark.usefixtures("running")
async def test_every_store_keeps_two_tenants_apart_down_to_the_bytes(
    settings: Settings, database: Database, temporal: Client, memory: Memory, tenant: str, other_tenant: str
) -> None:
    ours = await _remember(memory, tenant, "zebra")
    await _remember(memory, other_tenant, "quagga")

    mine, theirs = await _ids_in_postgres(database, tenant), await _ids_in_postgres(database, other_tenant)
    assert all(mine.values())
    assert {table: mine[table] & theirs[table] for table in CONTENT} == {table: set() for table in CONTENT}

    points, other_points = (
        await _points_in_qdrant(settings, tenant),
        await _points_in_qdrant(settings, other_tenant),
    )
    assert points
    assert not points.keys() & other_points.keys()
    assert not {p["item_id"] for p in points.values()} & {p["item_id"] for p in other_points.values()}

    elements = await _elements_in_neo4j(settings, tenant)
    assert elements
    assert {e.get("tenant_id", tenant) for e in elements} == {tenant}
    assert "quagga" not in json.dumps(elements, default=str)

    for item_id in (o.item_id for o in ours):
        assert {key.split(":")[1] for key in await _keys_in_redis(settings, str(item_id))} <= {tenant}

    async for execution in temporal.list_workflows(f'ApexTenantId = "{tenant}"'):
        assert execution.id.startswith(f"ingest:{tenant}:")


@pytest.mark.usefixtures("running")
async def test_through_the_api_a_key_sees_its_own_tenant_and_nothing_of_another(
    settings: Settings, memory: Memory, tenant: str, other_tenant: str
) -> None:
    ours = await _remember(memory, tenant, "zebra")
    await _remember(memory, other_tenant, "quagga")
    our_key = await memory.keys.issue(tenant, label="ours")
    their_key = await memory.keys.issue(other_tenant, label="theirs")
    our_paths = [f"/v1/ingestions/{o.ingestion_id}" for o in ours] + [f"/v1/items/{o.item_id}" for o in ours]

    app = create_app(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api") as http,
    ):
        us, them = {"Authorization": f"Bearer {our_key}"}, {"Authorization": f"Bearer {their_key}"}
        seen_by_us = [(await http.get(path, headers=us)).status_code for path in our_paths]
        seen_by_them = [(await http.get(path, headers=them)).status_code for path in our_paths]
        answer = await http.post("/v1/search", json={"query": "the word is zebra"}, headers=them)
        unknown = await http.post(
            "/v1/search", json={"query": "zebra"}, headers={"Authorization": "Bearer x"}
        )

    assert set(seen_by_us) == {200}
    assert set(seen_by_them) == {404}
    assert "quagga" in answer.text
    assert "zebra" not in answer.text
    assert unknown.status_code == 401
