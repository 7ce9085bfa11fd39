"""Keys, an inbox, and an inbox that remembers at once what it accepts, in this process."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import orjson
from tests.unit.retrieval.world import NOON, World

from apex_memory.domain.bundles import Bundle
from apex_memory.domain.documents import Passage
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.forgetting import Census, Forgetting, ForgettingState, ItemName
from apex_memory.domain.hooks import KeptDelivery, Selection
from apex_memory.domain.ledger import Accepted, InboxEvent, Ingestion, Outcome
from apex_memory.pipeline.extraction.documents import document_bundle
from apex_memory.pipeline.extraction.rules import RuleExtractor
from apex_memory.pipeline.parsing.registry import parser_for
from apex_memory.ports import SourceOf, StagingArea

ALICE, BOB = "alice-ltd", "bob-inc"
KEYS = {ALICE: "key-of-alice", BOB: "key-of-bob"}


class MemoryKeys:
    """What the API asks of `ports.ApiKeys`."""

    async def tenant_of(self, key: str) -> str | None:
        return next((tenant for tenant, known in KEYS.items() if known == key), None)


class MemoryInbox:
    """What the API asks of `ports.Inbox`; an event waits until somebody says `finish`."""

    def __init__(self) -> None:
        self.events: dict[UUID, InboxEvent] = {}
        self.ingestions: dict[tuple[str, UUID], Ingestion] = {}
        self._changed = asyncio.Condition()

    async def accept(self, event: InboxEvent) -> Accepted:
        key = (event.tenant_id, event.source, event.dedupe_key)
        for known in self.events.values():
            if (known.tenant_id, known.source, known.dedupe_key) == key:
                return Accepted(event_id=known.event_id, duplicate=True)
        self.events[event.event_id] = event
        self.ingestions[event.tenant_id, event.event_id] = Ingestion(
            ingestion_id=event.event_id,
            source=event.source,
            kind=event.kind,
            label=event.label,
            state="done" if event.ending else "received",
            outcome=event.ending and event.ending.outcome,
            reason=event.ending and event.ending.reason,
            received_at=event.received_at,
        )
        return Accepted(event_id=event.event_id, duplicate=False)

    async def finish(self, event: InboxEvent, **changes: object) -> None:
        key = event.tenant_id, event.event_id
        async with self._changed:
            update = {"state": "done", "workflow_id": f"ingest:{event.label}", **changes}
            self.ingestions[key] = self.ingestions[key].model_copy(update=update)
            self._changed.notify_all()

    async def ingestion(self, tenant_id: str, event_id: UUID) -> Ingestion:
        try:
            return self.ingestions[tenant_id, event_id]
        except KeyError:
            raise ItemNotFound("ingestion", str(event_id)) from None

    async def settled(self, tenant_id: str, event_id: UUID, *, timeout_s: float) -> Ingestion:
        try:
            return await asyncio.wait_for(self._done(tenant_id, event_id), timeout_s)
        except TimeoutError:
            return await self.ingestion(tenant_id, event_id)

    async def _done(self, tenant_id: str, event_id: UUID) -> Ingestion:
        async with self._changed:
            while (known := await self.ingestion(tenant_id, event_id)).state != "done":
                await self._changed.wait()
            return known


class MemoryDeliveries:
    """What the API asks of `ports.Deliveries`, over the events of an inbox; a replay is only counted."""

    def __init__(self, inbox: MemoryInbox) -> None:
        self._inbox = inbox

    async def listed(
        self, tenant_id: str, endpoint_id: str, selection: Selection, *, after: UUID | None, limit: int
    ) -> Sequence[KeptDelivery]:
        chosen = [self._kept(event) for event in self._chosen(tenant_id, endpoint_id, selection)]
        ids = [one.event_id for one in chosen]
        if after and after not in ids:
            return []
        begin = ids.index(after) + 1 if after else 0
        return chosen[begin : begin + limit]

    async def replay(
        self, tenant_id: str, endpoint_id: str, selection: Selection, *, replay_id: UUID, dry_run: bool
    ) -> int:
        del replay_id, dry_run
        return len(self._chosen(tenant_id, endpoint_id, selection))

    def _chosen(self, tenant_id: str, endpoint_id: str, selection: Selection) -> list[InboxEvent]:
        return [
            event
            for event in reversed(self._inbox.events.values())
            if event.tenant_id == tenant_id
            and event.arrival
            and event.arrival.endpoint_id == endpoint_id
            and (not selection.failed or event.ending)
            and (not selection.event_ids or event.event_id in selection.event_ids)
        ]

    def _kept(self, event: InboxEvent) -> KeptDelivery:
        ingestion = self._inbox.ingestions[event.tenant_id, event.event_id]
        return KeptDelivery(
            event_id=event.event_id,
            label=event.label,
            received_at=event.received_at,
            deliveries=1,
            size=len(event.body),
            outcome=ingestion.outcome,
            reason=ingestion.reason,
            replay_of=None,
        )


class MemoryForgettings:
    """What the API asks of `ports.Forgettings`; each step of an erasure is taken by who looks again."""

    def __init__(self, remembered: World) -> None:
        self._remembered = remembered
        self._requests: dict[tuple[str, UUID], Forgetting] = {}

    async def request(
        self, tenant_id: str, item_id: UUID, *, forget_id: UUID, name: ItemName | None = None
    ) -> Forgetting:
        del name
        if (tenant_id, forget_id) not in self._requests:
            if not any(t == tenant_id and r.item_id == item_id for t, r in self._remembered.archive.rows):
                raise ItemNotFound("item", str(item_id))
            self._requests[tenant_id, forget_id] = Forgetting(
                forget_id=forget_id,
                item_id=item_id,
                seq=self._remembered.delete(tenant_id, item_id),
                state=ForgettingState.ERASING,
                requested_at=NOON,
                workflow_id=f"forget:{forget_id}",
            )
        return self._requests[tenant_id, forget_id]

    async def forgetting(self, tenant_id: str, forget_id: UUID) -> Forgetting:
        try:
            known = self._requests[tenant_id, forget_id]
        except KeyError:
            raise ItemNotFound("forgetting", str(forget_id)) from None
        self._requests[tenant_id, forget_id] = _further(known)
        return known


def _further(known: Forgetting) -> Forgetting:
    census = Census(counted_at=NOON, held={"postgres": 0, "redis": 0})
    match known.state:
        case ForgettingState.ERASING:
            changes = {"state": ForgettingState.WAITING, "first_count": census}
        case ForgettingState.WAITING:
            changes = {"state": ForgettingState.DONE, "second_count": census, "completed_at": NOON}
        case ForgettingState.DONE:
            changes = {}
    return known.model_copy(update=changes)


class RememberingInbox(MemoryInbox):
    """The whole way of an event, in one call: what it accepts can be searched for when it answers."""

    def __init__(self, remembered: World, staging: StagingArea, source_of: SourceOf) -> None:
        super().__init__()
        self._source_of = source_of
        self._remembered = remembered
        self._staging = staging

    async def accept(self, event: InboxEvent) -> Accepted:
        accepted = await super().accept(event)
        if not accepted.duplicate and event.ending is None:
            bundle = RuleExtractor().enrich(await self._bundle(event))
            await self._remember(event, bundle)
        return accepted

    async def _remember(self, event: InboxEvent, bundle: Bundle) -> None:
        seq = self._remembered.archive.clock.get(event.tenant_id, 0)
        for row in self._remembered.archive.visible(event.tenant_id, seq):
            if row.write.bundle.content_hash() == bundle.content_hash():
                await self.finish(event, outcome=Outcome.UNCHANGED)
                return
        write = await self._remembered.remember(event.tenant_id, bundle)
        seq = self._remembered.archive.clock[event.tenant_id]
        await self.finish(event, outcome=Outcome.COMMITTED, item_id=write.ref.item_id, seq=seq)

    async def _bundle(self, event: InboxEvent) -> Bundle:
        body = orjson.loads(event.body)
        if event.kind == "record":
            source = await self._source_of(event.tenant_id, event.source)
            return source.map_record(body, received_at=event.received_at)
        data = await self._staging.read(body["staged"])
        document = parser_for(body["media_type"], body["name"]).parse(data, name=body["name"])
        text = document.text
        return document_bundle(
            document,
            [Passage(ordinal=0, text=text, start=0, end=len(text))],
            source=event.source,
            external_id=body["external_id"],
            as_of=event.received_at,
        )
