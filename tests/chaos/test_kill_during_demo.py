"""kill -9 of each service and each worker in turn, while a demonstration runs."""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from apex_memory.database import open_database
from apex_memory.devstack.catalogue import CATALOGUE
from apex_memory.devstack.processes import signal_process
from apex_memory.devstack.services.product import AFTER_READY, MIGRATE
from apex_memory.devstack.stack import Stack
from apex_memory.devstack.welcome import TENANT
from apex_memory.settings import Settings, process_environment

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

VICTIMS = [b.name for b in CATALOGUE if b.name not in {MIGRATE, AFTER_READY}]


async def _started_demo(stack: Stack) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "apex_memory.cli", "demo", "--fresh", "--json"),
        env={**process_environment(), "APEX_HOME": str(stack.home.root)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _accepted(settings: Settings) -> int:
    async with open_database(settings.postgres_url, max_size=1) as database, database.connection() as open_:
        cursor = await open_.execute("SELECT count(*) AS n FROM inbox_event WHERE tenant_id = %s", (TENANT,))
        row = await cursor.fetchone()
        return row["n"] if row else 0


async def _killed_once_the_demo_has_begun(stack: Stack, settings: Settings, victim: str, before: int) -> None:
    while await _accepted(settings) == before:
        await asyncio.sleep(0.05)
    process = stack.state().services[victim].process
    assert process
    signal_process(process, signal.SIGKILL)


@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_demo_ends_with_every_item_found_once_though_a_service_is_killed(
    whole_stack: Stack, whole_settings: Settings, victim: str
) -> None:
    before = await _accepted(whole_settings)
    demo = await _started_demo(whole_stack)
    killing = asyncio.create_task(
        _killed_once_the_demo_has_begun(whole_stack, whole_settings, victim, before)
    )

    output, errors = await demo.communicate()
    await killing

    assert demo.returncode == 0, errors.decode()[-3000:]
    items: list[dict[str, Any]] = json.loads(output)["items"]
    assert {item["outcome"] for item in items} == {"committed"}
    await _assert_each_is_remembered_once(whole_settings, [item["external_id"] for item in items])


async def _assert_each_is_remembered_once(settings: Settings, external_ids: Sequence[str]) -> None:
    versions, chunks = await _in_postgres(settings, external_ids)
    assert sorted(versions) == sorted(external_ids), "one committed version an item, no other in any state"
    assert await _points_of(settings, chunks) == len(chunks)


async def _in_postgres(settings: Settings, external_ids: Sequence[str]) -> tuple[list[str], list[str]]:
    """The external ids of all versions that were ever allocated, and the chunks that are there."""
    query = """
        SELECT h.external_id, v.state,
               (SELECT array_agg(c.chunk_id::text) FROM chunk AS c WHERE c.tenant_id = v.tenant_id
                AND c.item_id = v.item_id AND c.version = v.version) AS chunks
        FROM item_head AS h JOIN item_version AS v USING (tenant_id, item_id)
        WHERE h.tenant_id = %s AND h.external_id = ANY(%s)
    """
    async with open_database(settings.postgres_url, max_size=1) as database, database.connection() as open_:
        cursor = await open_.execute(query, (TENANT, list(external_ids)))
        rows = await cursor.fetchall()
    assert {row["state"] for row in rows} == {"committed"}
    return [row["external_id"] for row in rows], [chunk for row in rows for chunk in row["chunks"]]


async def _points_of(settings: Settings, chunks: Sequence[str]) -> int:
    """How many points Qdrant holds of these chunks, asked over its own protocol."""
    match = {"must": [{"key": "chunk_id", "match": {"any": list(chunks)}}]}
    async with httpx.AsyncClient(base_url=settings.qdrant_url) as http:
        [collection] = (await http.get("/collections")).json()["result"]["collections"]
        path = f"/collections/{collection['name']}/points/count"
        answer = await http.post(path, json={"filter": match, "exact": True})
        return answer.json()["result"]["count"]
