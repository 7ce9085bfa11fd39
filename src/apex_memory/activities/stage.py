"""Inbox events in, staged records and parsed documents out; at the end the staging area is left clean."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, cast
from uuid import UUID

import orjson
import structlog
from temporalio import activity

from apex_memory.domain.bundles import Bundle
from apex_memory.domain.documents import ParsedDocument, Passage
from apex_memory.domain.errors import RecordRejected, StagedObjectMissing
from apex_memory.domain.ledger import Conclusion, InboxEvent, Outcome
from apex_memory.domain.messages import BatchFailed, IngestBatch, StagedBatch
from apex_memory.domain.nesting import MAX_DEPTH, too_deep
from apex_memory.domain.staged import (
    BUNDLES,
    FAILED,
    ORIGINAL,
    RECORDS,
    UPLOAD,
    StagedBundle,
    StagedRecord,
    StagedUpload,
    dump_bundles,
    dump_records,
)
from apex_memory.ports import Chunker, Inbox, Parser, Source, StagingArea

ParserFor = Callable[[str, str], Parser]


class DocumentBundle(Protocol):
    """A parsed document and its passages in, its bundle out."""

    def __call__(
        self,
        document: ParsedDocument,
        passages: Sequence[Passage],
        *,
        source: str,
        external_id: str,
        as_of: datetime,
    ) -> Bundle: ...


log = structlog.get_logger()


class StageActivities:
    """The activities of the stage queue: I/O and parsing."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        staging: StagingArea,
        parser_for: ParserFor,
        chunker: Chunker,
        document_bundle: DocumentBundle,
        sources: Mapping[str, Source],
    ) -> None:
        self._inbox = inbox
        self._staging = staging
        self._parser_for = parser_for
        self._chunker = chunker
        self._document_bundle = document_bundle
        self._sources = sources

    @activity.defn
    async def fetch_structured_data_activity(self, batch: IngestBatch) -> StagedBatch:
        """Read the batch's events as JSON objects, and count of how many something is to be fetched.

        What is no such object, or names two things to fetch, is quarantined and leaves the batch.
        """
        events = await self._inbox.events(batch.tenant_id, batch.batch_id)
        source = self._sources.get(batch.source)
        records: list[StagedRecord] = []
        rejected: list[Conclusion] = []
        wanted = 0
        for event in events:
            try:
                record = _record(event)
                wanted += source is not None and source.wanted(record.record) is not None
                records.append(record)
            except RecordRejected as exc:
                rejected.append(quarantined(event.event_id, exc))
        await self._inbox.conclude(batch.tenant_id, rejected)
        staged = staged_batch(batch, items=len(records), wanted=wanted)
        await self._staging.write(f"{staged.key}/{RECORDS}", dump_records(records))
        log.info("records.staged", tenant_id=batch.tenant_id, records=len(records), rejected=len(rejected))
        return staged

    @activity.defn
    async def pull_and_stage_document_activity(self, batch: IngestBatch) -> StagedBatch:
        """Bring the document's bytes into the batch's own folder."""
        events = await self._inbox.events(batch.tenant_id, batch.batch_id)
        staged = staged_batch(batch, items=len(events))
        for event in events:
            upload = _upload(event)
            original = f"{staged.key}/{ORIGINAL}"
            try:
                await self._staging.write(original, await self._staging.read(upload.staged))
            except StagedObjectMissing:
                # An earlier attempt moved it and died before it could say so.
                await self._staging.read(original)
            await self._staging.write(f"{staged.key}/{UPLOAD}", upload.model_dump_json().encode())
            await self._staging.remove(upload.staged)
        log.info("document.staged", tenant_id=batch.tenant_id, document=batch.label)
        return staged

    @activity.defn
    async def parse_document_activity(self, staged: StagedBatch) -> StagedBatch:
        """Read the document as text and cut it into passages. A document that is rejected stays staged."""
        upload = StagedUpload.model_validate_json(await self._staging.read(f"{staged.key}/{UPLOAD}"))
        data = await self._staging.read(f"{staged.key}/{ORIGINAL}")
        bundle = await asyncio.to_thread(self._parse, upload, data, staged.source)
        bundles = [StagedBundle(event_id=upload.event_id, bundle=bundle)]
        await self._staging.write(f"{staged.key}/{BUNDLES}", dump_bundles(bundles))
        log.info("document.parsed", tenant_id=staged.tenant_id, passages=len(bundle.passages))
        return staged

    @activity.defn
    async def cleanup_staging_activity(self, staged: StagedBatch) -> None:
        """The batch is over: its folder goes, its place in the queue is free."""
        await self._staging.remove(staged.key)
        await self._inbox.close(staged.tenant_id, staged.batch_id)

    @activity.defn
    async def mark_staging_failed_activity(self, failed: BatchFailed) -> None:
        """The batch failed: its folder stays for whoever looks into it, marked with the reason."""
        staged = staged_batch(failed.batch, items=0)
        await self._staging.write(f"{staged.key}/{FAILED}", failed.reason.encode())
        await self._inbox.close(staged.tenant_id, staged.batch_id, reason=failed.reason)
        log.warning("batch.failed", tenant_id=staged.tenant_id, reason=failed.reason)

    def _parse(self, upload: StagedUpload, data: bytes, source: str) -> Bundle:
        document = self._parser_for(upload.media_type, upload.name).parse(data, name=upload.name)
        return self._document_bundle(
            document,
            self._chunker.chunk(document),
            source=source,
            external_id=upload.external_id,
            as_of=upload.received_at,
        )


def staged_batch(batch: IngestBatch, *, items: int, wanted: int = 0) -> StagedBatch:
    """A batch's folder is named by what it is, not by who stages it: a retry finds the same."""
    return StagedBatch(
        tenant_id=batch.tenant_id,
        source=batch.source,
        batch_id=batch.batch_id,
        key=f"{batch.tenant_id}/{batch.source}/{batch.batch_id}",
        items=items,
        wanted=wanted,
    )


def quarantined(event_id: UUID, error: Exception) -> Conclusion:
    return Conclusion(event_id=event_id, outcome=Outcome.QUARANTINED, reason=str(error))


def _record(event: InboxEvent) -> StagedRecord:
    try:
        record = orjson.loads(event.body)
    except orjson.JSONDecodeError as exc:
        raise RecordRejected(event.source, "", f"not JSON: {exc}") from exc
    if not isinstance(record, dict):
        raise RecordRejected(event.source, "", "expected a JSON object")
    if too_deep(cast("object", record)):
        raise RecordRejected(event.source, "", f"nested deeper than {MAX_DEPTH} levels")
    record = cast("dict[str, Any]", record)
    return StagedRecord(event_id=event.event_id, received_at=event.received_at, record=record)


def _upload(event: InboxEvent) -> StagedUpload:
    body = orjson.loads(event.body)
    return StagedUpload(event_id=event.event_id, received_at=event.received_at, **body)
