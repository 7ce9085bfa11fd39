"""A running stack in, one that answers its first caller as fast as its hundredth out."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from apex_memory.bootstrap.memory import Memory, open_memory
from apex_memory.domain.ledger import InboxEvent
from apex_memory.settings import Settings

TENANT: Final = "demo"
_WARM_UP_TENANT: Final = "warm-up"
#: After so many events one at a time Neo4j's and PostgreSQL's caches and every worker's first connections are
#: there; the first minute after a cold start is ten times slower.
_ROUNDS: Final = 12
_PATIENCE_S: Final = 20.0


async def ensure_api_key(settings: Settings) -> Mapping[str, str]:
    """The demo tenant's key: the one that `apex.env` has if it still works, else a new one."""
    async with open_memory(settings) as memory:
        given = settings.api_key
        if given and await memory.keys.tenant_of(given.get_secret_value()):
            return {}
        return {"APEX_API_KEY": await memory.keys.issue(TENANT, label="apex dev up")}


async def warm_up(settings: Settings) -> Mapping[str, str]:
    """Send a few events all the way, as a tenant of their own, and search for them."""
    async with open_memory(settings) as memory:
        for _ in range(_ROUNDS):
            event = _event()
            await memory.inbox.accept(event)
            ingestion = await memory.inbox.settled(_WARM_UP_TENANT, event.event_id, timeout_s=_PATIENCE_S)
            await _search(memory, ingestion.seq)
    return {}


async def _search(memory: Memory, seq: int | None) -> None:
    await asyncio.gather(
        *(
            memory.retrieval.search(_WARM_UP_TENANT, question, min_seq=seq)
            for question in ("where is TRUCK-1", "position in October")
        )
    )


def _event() -> InboxEvent:
    now = datetime.now(UTC)
    record = {"vehicle_id": "TRUCK-1", "latitude": 41.9, "longitude": -87.6, "timestamp": now.isoformat()}
    event_id = uuid4()
    return InboxEvent(
        event_id=event_id,
        tenant_id=_WARM_UP_TENANT,
        source="samsara",
        kind="record",
        dedupe_key=str(event_id),
        label="warm-up",
        body=json.dumps(record).encode(),
        received_at=now,
    )
