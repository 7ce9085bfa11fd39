"""Front's webhook bodies and plain messages in, bundles out; a module for each family of shapes."""

from collections.abc import Mapping
from datetime import datetime

from apex_memory.domain.bundles import Bundle
from apex_memory.domain.errors import RecordRejected
from apex_memory.domain.hooks import Fate, Identity, Wanted
from apex_memory.pipeline.sources._fields import readable_id, readable_instant, readable_seconds
from apex_memory.pipeline.sources._identity import NAMELESS, by_business_id, by_digest
from apex_memory.pipeline.sources._reading import within
from apex_memory.pipeline.sources.frontapp import previews
from apex_memory.pipeline.sources.frontapp.events import (
    COMMENTS,
    MESSAGES,
    SOURCE,
    SYNC,
    carried,
    event_id,
    kind_of,
    read_event,
)
from apex_memory.pipeline.sources.frontapp.happenings import map_happening
from apex_memory.pipeline.sources.frontapp.plain import map_plain
from apex_memory.pipeline.sources.frontapp.written import map_comment, map_message


class Frontapp:
    """Conversations: who wrote what to whom, and what became of it."""

    name = SOURCE

    def identify(self, delivery: Mapping[str, object], *, digest: str) -> Identity:
        if _is_plain(delivery):
            at = readable_instant(delivery.get("timestamp"))
            return by_business_id(readable_id(delivery["message_id"]), at, digest=digest)
        if delivery.get("type") == SYNC:
            return by_digest(digest, label=SYNC, fate=Fate.PING)
        event, kind = carried(delivery), kind_of(delivery)
        which = readable_id(within(event, "target", "data", "id")) if kind in MESSAGES | COMMENTS else None
        return Identity(
            dedupe_key=event_id(delivery) or digest,
            label=which or event_id(delivery) or NAMELESS,
            fate=Fate.INGEST if kind else Fate.UNKNOWN,
            at=readable_seconds(within(event, "emitted_at")),
        )

    def wanted(self, record: Mapping[str, object]) -> Wanted | None:
        """The whole message or comment, for an event that shows it in outline."""
        return None if _is_plain(record) else previews.wanted(record)

    def completed(self, record: Mapping[str, object], answer: Mapping[str, object]) -> Mapping[str, object]:
        """The event with the whole message or comment."""
        return record if _is_plain(record) else previews.completed(record, answer)

    def map_record(self, record: Mapping[str, object], *, received_at: datetime) -> Bundle:
        """Raises RecordRejected: names the field and what is expected there."""
        named = within(record, "type") is not None or within(record, "payload") is not None
        if _is_plain(record) or not named:
            return map_plain(record, received_at=received_at)
        if within(record, "type") == SYNC:
            raise RecordRejected(SOURCE, "/type", "a test message: there is nothing to remember")
        event = read_event(record)
        if event.kind in MESSAGES and not previews.is_preview(event.kind, event.target):
            return map_message(event, received_at=received_at)
        if event.kind in COMMENTS and not previews.is_preview(event.kind, event.target):
            return map_comment(event, received_at=received_at)
        return map_happening(event, received_at=received_at)


def _is_plain(record: Mapping[str, object]) -> bool:
    return within(record, "message_id") is not None
