"""Staged records that leave something out in, the same completed over their source's own API out."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import orjson
import structlog
from temporalio import activity

from apex_memory.activities.stage import quarantined
from apex_memory.domain.errors import (
    ItemNotFound,
    NotConnected,
    PermanentError,
    RecordRejected,
    SourceRefused,
    StagedObjectMissing,
)
from apex_memory.domain.ledger import Conclusion, Outcome
from apex_memory.domain.messages import StagedBatch
from apex_memory.domain.staged import RECORDS, StagedRecord, dump_records, load_records
from apex_memory.ports import Inbox, Source, SourceApi, StagingArea

#: Requests at a time, of one batch: vendors limit an account, not a request.
CONCURRENCY: Final = 4
#: Of all answers of a batch, which are held in memory at once.
MAX_ANSWERS_BYTES: Final = 128 << 20
_UNAUTHORIZED: Final = 401
_CREDENTIALS: Final = frozenset({_UNAUTHORIZED, 403})
#: What is kept of a path at which there is nothing.
_NOTHING: Final = b"null"

log = structlog.get_logger()


class CompleteActivities:
    """The activity of the stage queue that asks sources."""

    def __init__(
        self, *, inbox: Inbox, staging: StagingArea, sources: Mapping[str, Source], api: SourceApi
    ) -> None:
        self._inbox = inbox
        self._staging = staging
        self._sources = sources
        self._api = api

    @activity.defn
    async def complete_records_activity(self, staged: StagedBatch) -> StagedBatch:
        """Fetch what is wanted, each path once a batch however many attempts it takes, and join it.

        What is not there any more, or may not be asked for without a connection, leaves its record as it
        is. What the source refuses, and an answer about something else, quarantines its record alone.

        Raises:
            RateLimited, SourceUnavailable, StoreUnavailable: the next attempt goes on from here.
        """
        source = self._sources[staged.source]
        records = load_records(await self._staging.read(f"{staged.key}/{RECORDS}"))
        wanted = {record.event_id: want.path for record in records if (want := source.wanted(record.record))}
        answers = _Answers(self._api, self._staging, staged)
        await answers.fetch(tuple(dict.fromkeys(wanted.values())))
        completed: list[StagedRecord] = []
        rejected: list[Conclusion] = []
        for record in records:
            try:
                path = wanted.get(record.event_id)
                answer = await answers.at(path) if path else None
                completed.append(_joined(source, record, answer) if answer is not None else record)
            except PermanentError as exc:
                rejected.append(_quarantined(record, exc))
        await self._inbox.conclude(staged.tenant_id, rejected)
        await self._staging.write(f"{staged.key}/{RECORDS}", await asyncio.to_thread(dump_records, completed))
        log.info(
            "records.completed",
            tenant_id=staged.tenant_id,
            source=staged.source,
            wanted=len(wanted),
            rejected=len(rejected),
        )
        return staged.model_copy(update={"items": len(completed), "wanted": 0})


class _Answers:
    """What a batch wants, by path. Each answer is kept as it comes: no later attempt asks for it again."""

    def __init__(self, api: SourceApi, staging: StagingArea, staged: StagedBatch) -> None:
        self._api = api
        self._staging = staging
        self._staged = staged
        self._refusals: dict[str, PermanentError] = {}
        #: Of the credentials: nobody who asks after it fares better.
        self._refusal: PermanentError | None = None
        self._failed = False
        self._bytes = 0

    async def fetch(self, paths: Sequence[str]) -> None:
        """Raises what `ports.SourceApi.get` does for now; requests that are under way come to their end."""
        waiting = iter(paths)
        ends = await asyncio.gather(
            *(self._fetch_in_turn(waiting) for _ in range(CONCURRENCY)), return_exceptions=True
        )
        for end in ends:
            if end is not None:
                raise end
        if isinstance(self._refusal, NotConnected):
            log.info(
                "records.left_thin",
                tenant_id=self._staged.tenant_id,
                source=self._staged.source,
                reason=str(self._refusal),
            )

    async def at(self, path: str) -> Mapping[str, object] | None:
        """None: nothing is there, or the tenant is not connected.

        Raises:
            PermanentError: the source refused; or the batch's answers are larger than is held at once.
        """
        refusal = self._refusals.get(path)
        if isinstance(refusal, NotConnected):
            return None
        if refusal:
            raise refusal
        data = await self._staging.read(self._key(path))
        self._bytes += len(data)
        if self._bytes > MAX_ANSWERS_BYTES:
            problem = f"this batch's answers are larger than {MAX_ANSWERS_BYTES} bytes; replay this delivery"
            raise RecordRejected(self._staged.source, "", problem)
        return cast("dict[str, Any] | None", orjson.loads(data))

    async def _fetch_in_turn(self, waiting: Iterator[str]) -> None:
        for path in waiting:
            if self._failed:
                return
            try:
                await self._fetch(path)
            except BaseException:
                self._failed = True
                raise

    async def _fetch(self, path: str) -> None:
        if await self._is_kept(path):
            return
        if self._refusal:
            self._refusals[path] = self._refusal
            return
        try:
            answer = await self._api.get(self._staged.tenant_id, self._staged.source, path)
        except ItemNotFound:
            await self._staging.write(self._key(path), _NOTHING)
        except PermanentError as exc:
            self._refusals[path] = exc
            if isinstance(exc, NotConnected) or (
                isinstance(exc, SourceRefused) and exc.status == _UNAUTHORIZED
            ):
                self._refusal = exc
        else:
            await self._staging.write(self._key(path), orjson.dumps(answer))

    async def _is_kept(self, path: str) -> bool:
        try:
            await self._staging.read(self._key(path))
        except StagedObjectMissing:
            return False
        return True

    def _key(self, path: str) -> str:
        # Hashed: on some file systems two ids that differ in case are one name.
        return f"{self._staged.key}/answer-{hashlib.sha256(path.encode()).hexdigest()}.json"


def _joined(source: Source, record: StagedRecord, answer: Mapping[str, object]) -> StagedRecord:
    return record.model_copy(update={"record": dict(source.completed(record.record, answer))})


def _quarantined(record: StagedRecord, error: PermanentError) -> Conclusion:
    if not (isinstance(error, SourceRefused) and error.status in _CREDENTIALS):
        return quarantined(record.event_id, error)
    mend = f"mend its credentials with `apex connections set {error.source}`, then replay this delivery"
    return Conclusion(event_id=record.event_id, outcome=Outcome.QUARANTINED, reason=f"{error}; {mend}")
