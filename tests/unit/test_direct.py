"""What a producer may not hand over, told before anything is kept; and what importing it costs."""

import asyncio
import subprocess
import sys
from typing import Any, cast

import pytest
from temporalio.client import Client

from apex_memory.bootstrap.sources import sources_with
from apex_memory.direct import MOST_RECORD_BYTES, MOST_RECORDS, Direct
from apex_memory.domain import ids
from apex_memory.domain.errors import RecordRejected
from apex_memory.ports import Inbox
from apex_memory.testing import MemoryMappings

SHIPMENT = {"shipmentId": "SHIP-1", "customerName": "Acme", "status": "in_transit"}
#: Nothing here is reached: what is refused is refused before.
DIRECT = Direct(
    inbox=cast("Inbox", None),
    source_of=sources_with(MemoryMappings()),
    temporal=cast("Client", None),
    queue_prefix="apex",
)


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


async def ingest(records: list[dict[str, Any]], *, source: str = "turvo", key: str = "night-1") -> None:
    await DIRECT.ingest_records("acme", source, records, idempotency_key=key)


@pytest.mark.parametrize("number", [0, MOST_RECORDS + 1])
async def test_no_records_and_too_many_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 200"):
        await ingest([SHIPMENT] * number)


@pytest.mark.parametrize("key", ["", "a b", "é", "a\n", "\0", "k" * 256])
async def test_a_key_of_another_shape_is_refused_and_not_quoted(key: str) -> None:
    with pytest.raises(ValueError, match=r"visible ASCII characters$"):
        await ingest([SHIPMENT], key=key)


@pytest.mark.parametrize(
    ("record", "pointer"),
    [
        ({"status": "in_transit"}, "/1/"),
        ({"shipmentId": "SHIP-2", "at": object()}, "/1"),
        ({"shipmentId": "SHIP-2", "number": 2**80}, "/1"),
        ({7: "SHIP-2"}, "/1"),
        ({"shipmentId": "SHIP-2", "notes": nested(65)}, "/1"),
        ({"shipmentId": "SHIP-2", "notes": nested(2_000)}, "/1"),
        ({"shipmentId": "\ud800"}, "/1"),
        ({"shipmentId": "SHIP-2", "notes": "x" * MOST_RECORD_BYTES}, "/1"),
    ],
)
async def test_what_cannot_be_taken_in_is_named_by_its_place(record: dict[Any, Any], pointer: str) -> None:
    with pytest.raises(RecordRejected) as refusal:
        await ingest([SHIPMENT, record])

    assert refusal.value.pointer.startswith(pointer)


async def test_a_batch_that_is_too_large_together_is_refused() -> None:
    large = {**SHIPMENT, "notes": "x" * (MOST_RECORD_BYTES - 1_000)}

    with pytest.raises(RecordRejected, match="send fewer at once"):
        await ingest([large] * 17)


async def test_a_source_that_nobody_knows_is_refused() -> None:
    with pytest.raises(RecordRejected, match="no such source"):
        await ingest([SHIPMENT], source="No Body")


def test_a_key_is_a_batch_for_each_tenant_and_source() -> None:
    names = [
        ("acme", "turvo", "k"),
        ("acme", "turvo", "k2"),
        ("acme", "samsara", "k"),
        ("other", "turvo", "k"),
    ]

    batches = {ids.batch_id(*name) for name in names}

    assert len(batches) == len(names)
    assert ids.batch_id(*names[0]) in batches
    assert len({ids.event_id(batch, place) for batch in batches for place in range(3)}) == 3 * len(names)


async def test_importing_it_brings_no_server_no_store_and_no_model() -> None:
    heavy = ["fastapi", "uvicorn", "typer", "neo4j", "qdrant_client", "redis", "openai", "graphiti_core"]
    code = f"import sys, apex_memory.direct; print([m for m in {heavy} if m in sys.modules])"

    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
