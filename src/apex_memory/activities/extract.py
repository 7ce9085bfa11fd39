"""Staged records in, bundles out: entities, claims and text, by rule."""

import asyncio
from collections.abc import Sequence

import structlog
from temporalio import activity

from apex_memory.activities.stage import quarantined
from apex_memory.domain.bundles import Bundle
from apex_memory.domain.documents import ParsedDocument
from apex_memory.domain.errors import RecordRejected
from apex_memory.domain.ledger import Conclusion
from apex_memory.domain.messages import StagedBatch
from apex_memory.domain.staged import (
    BUNDLES,
    RECORDS,
    StagedBundle,
    StagedRecord,
    dump_bundles,
    load_bundles,
    load_records,
)
from apex_memory.ports import Chunker, Extractor, Inbox, Source, SourceOf, StagingArea

log = structlog.get_logger()


class ExtractActivities:
    """The activities of the extract queue."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        staging: StagingArea,
        source_of: SourceOf,
        extractor: Extractor,
        chunker: Chunker,
    ) -> None:
        self._inbox = inbox
        self._staging = staging
        self._source_of = source_of
        self._extractor = extractor
        self._chunker = chunker

    @activity.defn
    async def extract_entities_from_json_activity(self, staged: StagedBatch) -> StagedBatch:
        """Map each record by its source's rules; a record that cannot be mapped is quarantined."""
        records = load_records(await self._staging.read(f"{staged.key}/{RECORDS}"))
        bundles: list[StagedBundle] = []
        rejected: list[Conclusion] = []
        try:
            # The rules of now, not of when the events were accepted: a replay by mended ones mends.
            source = await self._source_of(staged.tenant_id, staged.source)
        except RecordRejected as exc:
            rejected = [quarantined(record.event_id, exc) for record in records]
        else:
            bundles, rejected = await self._mapped(source, records)
        await self._inbox.conclude(staged.tenant_id, rejected)
        await self._staging.write(f"{staged.key}/{BUNDLES}", dump_bundles(bundles))
        log.info("records.mapped", tenant_id=staged.tenant_id, bundles=len(bundles), rejected=len(rejected))
        return staged.model_copy(update={"items": len(bundles)})

    @activity.defn
    async def extract_entities_from_document_activity(self, staged: StagedBatch) -> StagedBatch:
        """Link the document to every entity that its text names by an identifier."""
        bundles = load_bundles(await self._staging.read(f"{staged.key}/{BUNDLES}"))
        enriched = [b.model_copy(update={"bundle": self._extractor.enrich(b.bundle)}) for b in bundles]
        await self._staging.write(f"{staged.key}/{BUNDLES}", dump_bundles(enriched))
        return staged

    async def _mapped(
        self, source: Source, records: Sequence[StagedRecord]
    ) -> tuple[list[StagedBundle], list[Conclusion]]:
        bundles: list[StagedBundle] = []
        rejected: list[Conclusion] = []
        for record in records:
            try:
                # In a thread: a hostile megabyte takes half a second, and heartbeats must not wait for it.
                bundle = await asyncio.to_thread(self._map, source, record)
                bundles.append(StagedBundle(event_id=record.event_id, bundle=bundle))
            except RecordRejected as exc:
                rejected.append(quarantined(record.event_id, exc))
        return bundles, rejected

    def _map(self, source: Source, record: StagedRecord) -> Bundle:
        bundle = source.map_record(record.record, received_at=record.received_at)
        # Cut first: a claim names the passage that makes it.
        return self._extractor.enrich(self._within_limits(bundle))

    def _within_limits(self, bundle: Bundle) -> Bundle:
        """Sources write one passage a record; one too long for the embedder is cut like a document."""
        text = "\n".join(p.text for p in bundle.passages)
        document = ParsedDocument(title=bundle.title, text=text, media_type="text/plain")
        cut = self._chunker.chunk(document)
        worded = bundle.passages[0].worded if bundle.passages else None
        if worded is not None:
            cut = [p.model_copy(update={"worded": max(0, min(worded, p.end) - p.start)}) for p in cut]
        return bundle.model_copy(update={"passages": tuple(cut)})
