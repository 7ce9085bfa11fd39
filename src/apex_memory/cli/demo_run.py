"""A demonstration in; sent item by item, when each could be found, and an answer that joins them, out."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from apex_memory.api.models import IngestionAccepted, IngestionStatus
from apex_memory.cli.board import Board
from apex_memory.cli.client import ApexClient
from apex_memory.cli.demo_items import DemoItem, Demonstration
from apex_memory.cli.failures import NotFindable
from apex_memory.domain.answers import Hit, Neighbourhood, SearchAnswer
from apex_memory.domain.bundles import EntityRef
from apex_memory.domain.ids import entity_key
from apex_memory.domain.ledger import Outcome

FINDABLE_S: Final = 120.0
_LOOK_AGAIN_S: Final = 0.1
_FOUND_AMONG: Final = 10
_SHOWN: Final = 5


@dataclass(frozen=True)
class Found:
    """An item that a search returned, so long (in ms) after its POST was begun."""

    status: IngestionStatus
    hit: Hit
    searchable_ms: float


@dataclass(frozen=True)
class DemoReport:
    found: tuple[Found, ...]
    question: str
    answer: SearchAnswer
    around_shipment: Neighbourhood
    temporal_url: str | None


async def run_demo(client: ApexClient, demo: Demonstration, board: Board) -> DemoReport:
    """One item at a time: what is measured is the way of one event, not of a queue.

    Raises:
        NotFindable: an item was not kept, or no search returned it within `FINDABLE_S`.
    """
    found = tuple([await _found(client, item, board) for item in demo.items])
    seq = max(one.status.seq or 0 for one in found)
    answer = await client.search(demo.question, limit=_SHOWN, min_seq=seq, entity=demo.about)
    around = await client.neighbourhood(_entity_id(found, demo.shipment), min_seq=seq)
    return DemoReport(
        found=found,
        question=demo.question,
        answer=answer,
        around_shipment=around,
        temporal_url=next((one.status.temporal_url for one in found), None),
    )


async def _found(client: ApexClient, item: DemoItem, board: Board) -> Found:
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(FINDABLE_S):
            accepted = await _post(client, item)
            board.sent()
            status = await client.settled(accepted.ingestion_id, timeout_s=FINDABLE_S)
            if status.outcome not in {Outcome.COMMITTED, Outcome.UNCHANGED}:
                raise NotFindable(item.name, f"it ended as {status.outcome}: {status.reason}")
            hit = await _hit(client, item, status)
    except TimeoutError:
        raise NotFindable(
            item.name, f"not within {FINDABLE_S:.0f} s; `apex dev status` may say why"
        ) from None
    board.findable()
    return Found(status=status, hit=hit, searchable_ms=(time.perf_counter() - begun) * 1000)


async def _post(client: ApexClient, item: DemoItem) -> IngestionAccepted:
    if item.record is not None:
        return await client.send_record(item.source, item.record)
    return await client.send_document(item.name, item.document, source=item.source)


async def _hit(client: ApexClient, item: DemoItem, status: IngestionStatus) -> Hit:
    """The item itself, as a search returns it that anyone might have made."""
    while True:
        answer = await client.search(
            item.question, limit=_FOUND_AMONG, min_seq=status.seq, sources=(item.source,)
        )
        for hit in answer.hits:
            if hit.external_id == status.label:
                return hit
        await asyncio.sleep(_LOOK_AGAIN_S)


def _entity_id(found: Sequence[Found], wanted: EntityRef) -> UUID:
    for one in found:
        for entity in one.hit.entities:
            if entity.type == wanted.type and entity_key(entity.key) == entity_key(wanted.key):
                return entity.entity_id
    raise NotFindable(wanted.key, "no passage that was found names it")
