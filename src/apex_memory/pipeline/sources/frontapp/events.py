"""A webhook body in, the event it carries out, whether an application or a rule sent it."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from apex_memory.domain.errors import RecordRejected
from apex_memory.pipeline.sources._fields import Identifier, OptionalName, OptionalSeconds, readable_name
from apex_memory.pipeline.sources._reading import Shape, as_object, read, within

SOURCE: Final = "frontapp"
#: The test of an application's webhook, on creating it and on every later save.
SYNC: Final = "sync"

MESSAGES: Final = frozenset({"inbound", "outbound", "out_reply"})
COMMENTS: Final = frozenset({"comment", "mention"})
_OTHERS: Final = frozenset(
    {
        *("archive", "assign", "conversations_merged", "custom_field_updated", "forward", "link_added"),
        *("link_removed", "macro_triggered", "message_bounce_error", "move", "reminder", "reopen", "restore"),
        *("sending_error", "tag", "ticket_status_update", "topic_identified", "trash", "unassign", "untag"),
    }
)
_KINDS: Final = MESSAGES | COMMENTS | _OTHERS
_CALL: Final = re.compile(r"call_[a-z_]{1,64}")
#: What applications call the events that they wrap, if the event itself does not say.
_KINDS_BY_ENVELOPE: Final = {
    "inbound_received": "inbound",
    "outbound_sent": "outbound",
    "message_delivery_failed": "sending_error",
    "conversation_moved": "move",
    "conversation_archived": "archive",
    "conversation_reopened": "reopen",
    "conversation_deleted": "trash",
    "conversation_restored": "restore",
    "conversation_snoozed": "reminder",
    "conversation_snooze_expired": "reminder",
    "new_comment_added": "comment",
    "assignee_changed": "assign",
    "tag_added": "tag",
    "tag_removed": "untag",
    "link_added": "link_added",
    "link_removed": "link_removed",
}
_EVENT_ID: Final = re.compile(r"evt_[0-9A-Za-z]{1,64}")


class Event(NamedTuple):
    """One event. `pointer` is where in the record it lies; `target` what it happened to."""

    id: str
    kind: str
    at: datetime | None
    pointer: str
    source: object
    target: object
    conversation: object
    unread: Mapping[str, object]


class _Event(Shape):
    id: Identifier
    type: OptionalName = None
    emitted_at: OptionalSeconds = None
    source: object = None
    target: object = None
    conversation: object = None


def carried(record: object) -> object:
    """The event itself: an application's webhook wraps it as `payload`."""
    payload = within(record, "payload")
    return record if payload is None else payload


def pointer_to_event(record: object) -> str:
    return "" if carried(record) is record else "/payload"


def kind_of(record: object) -> str | None:
    """The type of the event, if it is known by either of its two names."""
    kind = readable_name(within(carried(record), "type"))
    if kind in _KINDS or (kind and _CALL.fullmatch(kind)):
        return kind
    envelope = readable_name(within(record, "type")) if pointer_to_event(record) else None
    return _KINDS_BY_ENVELOPE.get(envelope or "")


def event_id(record: object) -> str | None:
    """The same, whichever webhook brought the event."""
    found = within(carried(record), "id")
    return found if isinstance(found, str) and _EVENT_ID.fullmatch(found) else None


def read_event(record: Mapping[str, object]) -> Event:
    """The event, its fields checked.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    pointer = pointer_to_event(record)
    kind = kind_of(record)
    if kind is None:
        raise RecordRejected(SOURCE, f"{pointer}/type", "of a type that no rule maps")
    event = read(_Event, carried(record), source=SOURCE, at=pointer)
    return Event(
        id=event.id,
        kind=kind,
        at=event.emitted_at,
        pointer=pointer,
        source=event.source,
        target=within(event.target, "data"),
        conversation=event.conversation,
        unread=event.unread(),
    )


def with_target(record: Mapping[str, object], data: Mapping[str, object]) -> Mapping[str, object]:
    """The record with `data` as what its event happened to."""
    event = as_object(carried(record))
    joined = {**event, "target": {**as_object(event.get("target")), "data": data}}
    return {**record, "payload": joined} if pointer_to_event(record) else joined
