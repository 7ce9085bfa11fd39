"""Thin records in, completed ones out: what was fetched once is kept, and a refusal costs nobody else."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

import orjson
import pytest
from structlog.testing import capture_logs
from tests.unit.sources.payloads import payload

from apex_memory.activities import complete
from apex_memory.activities.complete import CONCURRENCY, CompleteActivities
from apex_memory.activities.stage import StageActivities
from apex_memory.domain.errors import (
    AnswerTooLarge,
    ApexError,
    ItemNotFound,
    NotConnected,
    RateLimited,
    SourceRefused,
    SourceUnavailable,
)
from apex_memory.domain.ledger import Conclusion, InboxEvent, Outcome
from apex_memory.domain.messages import IngestBatch, StagedBatch
from apex_memory.domain.staged import RECORDS, StagedRecord, load_records
from apex_memory.pipeline.extraction.documents import document_bundle
from apex_memory.pipeline.parsing.registry import parser_for
from apex_memory.pipeline.sources.registry import SOURCES, source_named
from apex_memory.ports import Chunker, Inbox
from apex_memory.testing import MemoryStaging

Json = dict[str, Any]
TENANT = "alice-ltd"
WEBHOOK = payload("turvo/01_webhook_status_update_en_route")
PREVIEW = payload("frontapp/02_app_inbound_received_preview_only")


class _Killed(BaseException):
    """Nothing of ours catches it."""


class _Inbox:
    """What staging and completing ask of `ports.Inbox`."""

    def __init__(self) -> None:
        self.kept: list[InboxEvent] = []
        self.concluded: dict[tuple[str, UUID], Conclusion] = {}

    async def events(self, tenant_id: str, batch_id: UUID) -> Sequence[InboxEvent]:
        del tenant_id, batch_id
        return self.kept

    async def conclude(self, tenant_id: str, conclusions: Sequence[Conclusion]) -> None:
        for one in conclusions:
            self.concluded.setdefault((tenant_id, one.event_id), one)


class _Api:
    """A source that knows some paths; errors that were planned for a path come first."""

    def __init__(self) -> None:
        self.answers: dict[str, Mapping[str, object]] = {}
        self.errors: dict[str, list[ApexError]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.most = 0
        self._at_once = 0

    def count(self, path: str) -> int:
        return sum(asked == path for _, _, asked in self.asked)

    async def get(
        self, tenant_id: str, source: str, path: str, query: Mapping[str, str] | None = None
    ) -> Mapping[str, object]:
        assert query is None
        self.asked.append((tenant_id, source, path))
        self._at_once += 1
        self.most = max(self.most, self._at_once)
        await asyncio.sleep(0)
        self._at_once -= 1
        if errors := self.errors.get(path):
            raise errors.pop(0)
        if path not in self.answers:
            raise ItemNotFound("resource", path)
        return self.answers[path]


class Room:
    """Staging and completing over one staging area."""

    def __init__(self) -> None:
        self.inbox, self.staging, self.api = _Inbox(), MemoryStaging(), _Api()
        sources = {source.name: source for source in SOURCES}
        self._stage = StageActivities(
            inbox=cast("Inbox", self.inbox),
            staging=self.staging,
            parser_for=parser_for,
            chunker=cast("Chunker", None),
            document_bundle=document_bundle,
            sources=sources,
        )
        self._complete = CompleteActivities(
            inbox=cast("Inbox", self.inbox), staging=self.staging, sources=sources, api=self.api
        )

    async def staged(self, source: str, *bodies: object) -> StagedBatch:
        self.inbox.kept = [_event(source, orjson.dumps(body)) for body in bodies]
        batch = IngestBatch(
            tenant_id=TENANT, source=source, batch_id=uuid4(), kind="record", label="x", size=len(bodies)
        )
        return await self._stage.fetch_structured_data_activity(batch)

    async def complete(self, staged: StagedBatch) -> StagedBatch:
        return await self._complete.complete_records_activity(staged)

    async def records(self, staged: StagedBatch) -> Sequence[StagedRecord]:
        return load_records(await self.staging.read(f"{staged.key}/{RECORDS}"))

    def reason(self, number: int) -> str | None:
        """Why the event of this number was quarantined."""
        concluded = self.inbox.concluded.get((TENANT, self.inbox.kept[number].event_id))
        assert concluded is None or concluded.outcome is Outcome.QUARANTINED
        return concluded and concluded.reason


@pytest.fixture
def room() -> Room:
    return Room()


def _event(source: str, body: bytes) -> InboxEvent:
    event_id = uuid4()
    return InboxEvent(
        event_id=event_id,
        tenant_id=TENANT,
        source=source,
        kind="record",
        dedupe_key=str(event_id),
        label="x",
        body=body,
        received_at=datetime.now(UTC),
    )


def webhook(number: int) -> Json:
    return {**WEBHOOK, "eventPayload": {"id": number}}


def answer(number: int) -> Json:
    return {"Status": "SUCCESS", "details": {"id": number, "customId": f"M{number}"}}


def details(records: Sequence[StagedRecord]) -> list[object]:
    """The shipment that each record was completed with."""
    return [record.record.get("details", {}).get("customId") for record in records]


async def test_staging_counts_of_how_many_something_is_wanted(room: Room) -> None:
    staged = await room.staged("turvo", webhook(1), payload("plain/turvo"), webhook(2))

    assert (staged.items, staged.wanted) == (3, 2)


@pytest.mark.parametrize("source", ["samsara", "no-source-of-ours"])
async def test_of_a_source_that_names_nothing_nothing_is_wanted(room: Room, source: str) -> None:
    staged = await room.staged(source, {"id": "1"})

    assert (staged.items, staged.wanted) == (1, 0)


async def test_a_record_that_names_two_things_to_fetch_is_quarantined_when_it_is_staged(room: Room) -> None:
    two = payload("frontapp/02_app_inbound_received_preview_only")
    two["payload"]["target"]["data"]["id"] = "msg_other"

    staged = await room.staged("frontapp", two, PREVIEW)

    assert (staged.items, staged.wanted) == (1, 1)
    assert "expected a link" in (room.reason(0) or "")


async def test_a_record_that_could_not_be_staged_is_quarantined_and_stops_nobody(room: Room) -> None:
    deep: Json = {}
    for _ in range(240):
        deep = {"a": deep}

    staged = await room.staged("turvo", deep, webhook(1))

    assert staged.items == 1
    assert room.reason(0) == "turvo record, at /: nested deeper than 64 levels"


async def test_what_is_wanted_is_fetched_and_joined(room: Room) -> None:
    staged = await room.staged("turvo", webhook(1), payload("plain/turvo"), webhook(2))
    room.api.answers = {"/shipments/1": answer(1), "/shipments/2": answer(2)}

    done = await room.complete(staged)

    first, plain, second = await room.records(done)
    turvo = source_named("turvo")
    assert (done.items, done.wanted) == (3, 0)
    assert details([first, second]) == ["M1", "M2"]
    assert plain.record == payload("plain/turvo")
    assert [turvo.wanted(record.record) for record in (first, plain, second)] == [None] * 3
    assert {(tenant, source) for tenant, source, _ in room.api.asked} == {(TENANT, "turvo")}
    assert room.inbox.concluded == {}


async def test_a_path_that_many_want_is_asked_for_once_and_never_more_than_four_at_a_time(
    room: Room,
) -> None:
    staged = await room.staged("turvo", *(webhook(n % 30) for n in range(60)))
    room.api.answers = {f"/shipments/{n}": answer(n) for n in range(30)}

    done = await room.complete(staged)

    assert details(await room.records(done)) == [f"M{n % 30}" for n in range(60)]
    assert len(room.api.asked) == 30
    assert 1 < room.api.most <= CONCURRENCY


@pytest.mark.parametrize(
    "error", [RateLimited("turvo", 7.0), SourceUnavailable("turvo", "status 502")], ids=type
)
async def test_what_was_fetched_before_a_wait_is_not_fetched_after_it(room: Room, error: ApexError) -> None:
    staged = await room.staged("turvo", *(webhook(n) for n in range(40)))
    room.api.answers = {f"/shipments/{n}": answer(n) for n in range(40) if n != 5}
    room.api.errors = {"/shipments/20": [error]}

    with pytest.raises(type(error)):
        await room.complete(staged)
    asked = len(room.api.asked)
    done = await room.complete(staged)

    # Who was under way came to its end; nobody began after the failure.
    assert asked <= 20 + CONCURRENCY
    assert details(await room.records(done)) == [f"M{n}" if n != 5 else None for n in range(40)]
    assert {room.api.count(f"/shipments/{n}") for n in range(40) if n != 20} == {1}
    assert room.api.count("/shipments/20") == 2


async def test_a_crash_on_the_way_fetches_nothing_twice(room: Room) -> None:
    staged = await room.staged("turvo", *(webhook(n) for n in range(8)))
    room.api.answers = {f"/shipments/{n}": answer(n) for n in range(8)}
    write, written = room.staging.write, 0

    async def dying(key: str, data: bytes) -> None:
        nonlocal written
        written += 1
        if written > 6:
            raise _Killed
        await write(key, data)

    room.staging.write = dying
    with pytest.raises(_Killed):
        await room.complete(staged)
    room.staging.write = write

    done = await room.complete(staged)

    assert details(await room.records(done)) == [f"M{n}" for n in range(8)]
    assert sum(room.api.count(f"/shipments/{n}") == 1 for n in range(8)) >= 6


async def test_once_more_after_it_was_done_changes_and_asks_nothing(room: Room) -> None:
    staged = await room.staged("turvo", webhook(1), webhook(2))
    room.api.answers = {"/shipments/1": answer(1), "/shipments/2": answer(3)}
    first = await room.complete(staged)
    records, asked = await room.records(first), len(room.api.asked)

    again = await room.complete(staged)

    assert again == first
    assert await room.records(again) == records
    assert len(room.api.asked) == asked


async def test_without_a_connection_records_stay_thin_and_one_line_says_so(room: Room) -> None:
    staged = await room.staged("turvo", *(webhook(n) for n in range(9)))
    room.api.errors = {f"/shipments/{n}": [NotConnected("turvo")] for n in range(9)}

    with capture_logs() as logged:
        done = await room.complete(staged)

    thin = [line for line in logged if line["event"] == "records.left_thin"]
    assert [record.record for record in await room.records(done)] == [webhook(n) for n in range(9)]
    assert [(line["tenant_id"], line["source"]) for line in thin] == [(TENANT, "turvo")]
    assert (done.items, room.inbox.concluded) == (9, {})
    assert len(room.api.asked) <= CONCURRENCY


async def test_what_is_not_there_any_more_leaves_its_record_thin(room: Room) -> None:
    staged = await room.staged("frontapp", PREVIEW)

    done = await room.complete(staged)

    assert [record.record for record in await room.records(done)] == [PREVIEW]
    assert room.inbox.concluded == {}


async def test_refused_credentials_quarantine_what_they_were_for_and_say_what_to_mend(room: Room) -> None:
    staged = await room.staged("turvo", payload("plain/turvo"), *(webhook(n) for n in range(9)))
    room.api.errors = {f"/shipments/{n}": [SourceRefused("turvo", 401)] for n in range(9)}

    done = await room.complete(staged)

    assert [record.record for record in await room.records(done)] == [payload("plain/turvo")]
    assert (done.items, room.reason(0)) == (1, None)
    mend = "mend its credentials with `apex connections set turvo`, then replay this delivery"
    assert {room.reason(n) for n in range(1, 10)} == {f"the API of turvo refused with status 401; {mend}"}
    # Nobody who asks after it fares better.
    assert len(room.api.asked) <= CONCURRENCY


async def test_one_thing_that_may_not_be_seen_hinders_no_other(room: Room) -> None:
    staged = await room.staged("turvo", webhook(1), webhook(2), webhook(3), webhook(4))
    room.api.answers = {"/shipments/2": answer(2)}
    room.api.errors = {
        "/shipments/1": [SourceRefused("turvo", 403)],
        "/shipments/3": [SourceRefused("turvo", 400)],
        "/shipments/4": [AnswerTooLarge("turvo", "8 bytes")],
    }

    done = await room.complete(staged)

    assert details(await room.records(done)) == ["M2"]
    assert "then replay this delivery" in (room.reason(0) or "")
    assert room.reason(2) == "the API of turvo refused with status 400"
    assert room.reason(3) == "the API of turvo answered with more than 8 bytes"


async def test_an_answer_about_something_else_quarantines_its_record_alone(room: Room) -> None:
    staged = await room.staged("turvo", webhook(1), webhook(2))
    room.api.answers = {"/shipments/1": answer(2), "/shipments/2": answer(2)}

    done = await room.complete(staged)

    assert details(await room.records(done)) == ["M2"]
    assert room.reason(0) == "turvo record, at /details/id: expected the shipment that was asked for"


async def test_answers_that_are_too_large_together_are_not_held_at_once(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = await room.staged("turvo", webhook(1), webhook(2))
    room.api.answers = {"/shipments/1": answer(1), "/shipments/2": answer(2)}
    monkeypatch.setattr(complete, "MAX_ANSWERS_BYTES", len(orjson.dumps(answer(1))))

    done = await room.complete(staged)

    assert details(await room.records(done)) == ["M1"]
    assert "replay this delivery" in (room.reason(1) or "")
