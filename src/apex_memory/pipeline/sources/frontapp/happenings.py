"""Any other event in, or a message of which only the id is known, its bundle out: what happened, by whom."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from apex_memory.domain.bundles import Bundle, Claim, EntityRef, Mention
from apex_memory.pipeline.sources._claims import claim, mentioned
from apex_memory.pipeline.sources._fields import readable_id, readable_name
from apex_memory.pipeline.sources._passages import passage_of
from apex_memory.pipeline.sources._reading import as_array, within
from apex_memory.pipeline.sources._wording import spoken_code, spoken_time
from apex_memory.pipeline.sources.frontapp.conversation import (
    Conversation,
    people_and_tags,
    read_conversation,
    unread,
)
from apex_memory.pipeline.sources.frontapp.events import COMMENTS, MESSAGES, SOURCE, Event
from apex_memory.pipeline.sources.frontapp.people import spoken, teammate

#: What each kind of event does, before the name of what it does it to; what is not here is said by its kind.
_VERBS: Final = {
    "inbound": "received",
    "outbound": "sent",
    "out_reply": "answered with",
    "comment": "commented with",
    "assign": "assigned to",
    "unassign": "unassigned",
    "archive": "archived",
    "reopen": "reopened",
    "trash": "deleted",
    "restore": "restored",
    "move": "moved to",
    "forward": "forwarded",
    "tag": "tagged",
    "untag": "untagged",
    "sending_error": "could not send",
    "message_bounce_error": "got back",
    "conversations_merged": "merged",
    "link_added": "linked to",
    "link_removed": "unlinked from",
}
#: What each kind of event happens to, as its own kind of entity.
_TARGETS: Final = {
    **dict.fromkeys((*MESSAGES, "forward", "sending_error", "message_bounce_error"), "message"),
    **dict.fromkeys(COMMENTS, "comment"),
    **dict.fromkeys(("tag", "untag"), "tag"),
    **dict.fromkeys(("link_added", "link_removed"), "link"),
    "move": "inbox",
}
_LINKS: Final = {
    "assign": ("assigned_to", "is assigned to"),
    "tag": ("has_tag", "is tagged"),
    "untag": ("lost_tag", "is no longer tagged"),
    "move": ("in_inbox", "is in the inbox"),
    "link_added": ("has_link", "is linked to"),
    "link_removed": ("lost_link", "is no longer linked to"),
}
#: What an event makes of its conversation, whatever became of that since.
_STATUSES: Final = {"assign": "assigned", "unassign": "unassigned", "archive": "archived", "trash": "deleted"}
_MESSAGE_STATUSES: Final = {"sending_error": "not_sent", "message_bounce_error": "bounced"}


def map_happening(event: Event, *, received_at: datetime) -> Bundle:
    """An item is one event. It takes no message's place: one that is known whole stays known whole.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    conversation = read_conversation(event)
    itself = conversation.itself() if conversation else _nameless(event)
    target, actor = _target(event), _actor(event)
    claims = tuple(_claims(event, itself, conversation, target))
    return Bundle(
        source=SOURCE,
        external_id=event.id,
        kind="record",
        title=f"{spoken_code(event.kind).capitalize()}: {itself.name}",
        as_of=event.at or received_at.astimezone(UTC),
        passages=(
            passage_of(
                _sentence(event, itself, target, actor),
                unread(event, conversation, target=event.target),
                source=SOURCE,
            ),
        ),
        mentions=mentioned((itself, target, actor, *people_and_tags(conversation)), claims),
        claims=claims,
    )


def _nameless(event: Event) -> Mention:
    entity = EntityRef(type="event", key=f"{SOURCE}:{event.id}")
    return Mention(entity=entity, name=spoken_code(event.kind))


def _target(event: Event) -> Mention | None:
    """What it happened to; of several, the first."""
    value = next(iter(as_array(event.target)), event.target)
    if event.kind == "assign":
        return teammate(value)
    key, type_ = readable_id(within(value, "id")), _TARGETS.get(event.kind)
    if key is None or type_ is None:
        return None
    return Mention(entity=EntityRef(type=type_, key=key), name=readable_name(within(value, "name")) or key)


def _actor(event: Event) -> Mention | None:
    """A teammate, if it was one: rules, inboxes and reminders do things too."""
    is_teammate = within(event.source, "_meta", "type") == "teammate"
    return teammate(within(event.source, "data")) if is_teammate else None


def _claims(
    event: Event, itself: Mention, conversation: Conversation | None, target: Mention | None
) -> Iterator[Claim]:
    shown = conversation.status if conversation else None
    if conversation and (status := _STATUSES.get(event.kind) or shown):
        yield claim(itself, "has_status", status, f"is {spoken_code(status)}", since=event.at)
    if target is None:
        return
    if link := _LINKS.get(event.kind):
        predicate, words = link
        yield claim(itself, predicate, target.entity, f"{words} {target.name}", since=event.at)
    if status := _MESSAGE_STATUSES.get(event.kind):
        yield claim(target, "has_status", status, f"is {spoken_code(status)}", since=event.at)
    if conversation and target.entity.type in {"message", "comment"}:
        yield claim(target, "in_conversation", itself.entity, f"is part of {itself.name}", since=event.at)


def _sentence(event: Event, itself: Mention, target: Mention | None, actor: Mention | None) -> str:
    words = f"Conversation {itself.name}: {_VERBS.get(event.kind) or spoken_code(event.kind)}"
    if target:
        words += f" {target.name}"
    if actor:
        words += f" by {spoken(actor)}"
    if event.at:
        words += f" on {spoken_time(event.at)}"
    return f"{words}."
