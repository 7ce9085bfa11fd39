"""Records of tenants' own sources in the activities: read by their tenant's mapping of then."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import pytest

from apex_memory.activities.extract import ExtractActivities
from apex_memory.activities.stage import StageActivities
from apex_memory.bootstrap.sources import sources_with
from apex_memory.domain.documents import ParsedDocument, Passage
from apex_memory.domain.errors import RecordRejected, StoreUnavailable
from apex_memory.domain.ledger import Conclusion, InboxEvent, Outcome
from apex_memory.domain.mappings import RecordMapping
from apex_memory.domain.messages import IngestBatch, StagedBatch
from apex_memory.domain.staged import BUNDLES, RECORDS, StagedBundle, load_bundles, load_records
from apex_memory.pipeline.extraction.rules import RuleExtractor
from apex_memory.pipeline.sources.registry import SOURCES
from apex_memory.ports import Inbox
from apex_memory.testing import MemoryMappings, MemoryStaging

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
BY_NUMBER, BY_NAME = RecordMapping(id="$.number"), RecordMapping(id="$.name")
ORDER = {"number": 1042, "name": "Spring order"}


class Events:
    """What the activities ask of an inbox: one batch, and what is concluded of it."""

    def __init__(self, *records: Any, source: str = "web-shop", tenant: str = "alice-ltd") -> None:
        self.batch = IngestBatch(
            tenant_id=tenant, source=source, kind="record", batch_id=uuid4(), label="x", size=len(records)
        )
        self.concluded: list[Conclusion] = []
        self._events = [
            InboxEvent(
                event_id=uuid4(),
                tenant_id=tenant,
                source=source,
                kind="record",
                dedupe_key=str(n),
                label="x",
                body=json.dumps(record).encode(),
                received_at=NOW,
            )
            for n, record in enumerate(records)
        ]

    async def events(self, tenant_id: str, batch_id: object) -> Sequence[InboxEvent]:
        assert (tenant_id, batch_id) == (self.batch.tenant_id, self.batch.batch_id)
        return self._events

    async def conclude(self, tenant_id: str, conclusions: Sequence[Conclusion]) -> None:
        assert tenant_id == self.batch.tenant_id
        self.concluded += conclusions


class Whole:
    """A chunker for short texts."""

    def chunk(self, document: ParsedDocument) -> Sequence[Passage]:
        return [Passage(ordinal=0, text=document.text, start=0, end=len(document.text))]


class Unreachable(MemoryMappings):
    async def get(self, tenant_id: str, source: str) -> Any:
        raise StoreUnavailable("postgres", f"no answer for {tenant_id} and {source}")


async def extracted(
    events: Events, mappings: MemoryMappings, *, staging: MemoryStaging | None = None
) -> Sequence[StagedBundle]:
    """The bundles of a batch, from its events to what the extract queue leaves."""
    staging = staging or MemoryStaging()
    staged = await staging_of(events, staging)
    extract = ExtractActivities(
        inbox=cast("Inbox", events),
        staging=staging,
        source_of=sources_with(mappings),
        extractor=RuleExtractor(),
        chunker=Whole(),
    )
    done = await extract.extract_entities_from_json_activity(staged)
    bundles = load_bundles(await staging.read(f"{done.key}/{BUNDLES}"))
    assert done.items == len(bundles)
    return bundles


async def staging_of(events: Events, staging: MemoryStaging) -> StagedBatch:
    stage = StageActivities(
        inbox=cast("Inbox", events),
        staging=staging,
        parser_for=cast("Any", None),
        chunker=Whole(),
        document_bundle=cast("Any", None),
        sources={source.name: source for source in SOURCES},
    )
    return await stage.fetch_structured_data_activity(events.batch)


async def test_two_tenants_with_one_name_are_read_by_their_own_mappings() -> None:
    mappings = MemoryMappings()
    await mappings.put("alice-ltd", "web-shop", BY_NUMBER)
    await mappings.put("bob-inc", "web-shop", BY_NAME)

    [alices] = await extracted(Events(ORDER, tenant="alice-ltd"), mappings)
    [bobs] = await extracted(Events(ORDER, tenant="bob-inc"), mappings)
    [carols] = await extracted(Events({**ORDER, "id": 7}, tenant="carol-llc"), mappings)

    assert [b.bundle.external_id for b in (alices, bobs, carols)] == ["1042", "Spring order", "7"]


async def test_what_the_mapping_cannot_read_leaves_the_batch_and_a_mended_one_reads_it() -> None:
    mappings = MemoryMappings()
    await mappings.put("alice-ltd", "web-shop", BY_NUMBER)
    first = Events(ORDER, {"name": "Autumn order"})

    bundles = await extracted(first, mappings)
    await mappings.put("alice-ltd", "web-shop", BY_NAME)
    replayed = await extracted(Events({"name": "Autumn order"}), mappings)

    assert [b.bundle.external_id for b in bundles] == ["1042"]
    assert [(c.outcome, c.reason) for c in first.concluded] == [
        (Outcome.QUARANTINED, "web-shop record, at /number: required, and missing")
    ]
    assert [b.bundle.external_id for b in replayed] == ["Autumn order"]


async def test_built_in_sources_are_read_by_our_rules_whatever_is_declared() -> None:
    mappings = MemoryMappings()
    await mappings.put("alice-ltd", "turvo", BY_NAME)

    [staged] = await extracted(Events({"shipmentId": "SHIP-1", "name": "x"}, source="turvo"), mappings)

    assert staged.bundle.external_id == "SHIP-1"


async def test_events_of_a_name_that_no_source_can_have_are_quarantined_each() -> None:
    events = Events(ORDER, ORDER, source="Web Shop")

    assert await extracted(events, MemoryMappings()) == ()
    assert [c.outcome for c in events.concluded] == [Outcome.QUARANTINED] * 2


async def test_while_mappings_cannot_be_read_nothing_is_read_as_if_there_were_none() -> None:
    events = Events(ORDER)

    with pytest.raises(StoreUnavailable):
        await extracted(events, Unreachable())

    assert events.concluded == []


async def test_nothing_is_fetched_for_records_of_own_sources() -> None:
    staging = MemoryStaging()
    # What would be thin if a source of ours had sent it.
    events = Events({"eventName": "SHIPMENT_STATUS_UPDATED", "eventPayload": {"id": 9}, "id": 4})

    staged = await staging_of(events, staging)

    assert (staged.items, events.concluded) == (1, [])
    assert getattr(staged, "wanted", 0) == 0
    assert len(load_records(await staging.read(f"{staged.key}/{RECORDS}"))) == 1


@pytest.mark.parametrize("name", ["local_upload", "Web Shop", ""])
async def test_a_name_that_no_source_can_have_is_rejected_with_the_names_there_are(name: str) -> None:
    with pytest.raises(RecordRejected, match="frontapp, samsara, turvo, and names of your own"):
        await sources_with(MemoryMappings())("alice-ltd", name)
