"""A conversation as an event shows it in, what it is called and how it stood then out."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from apex_memory.domain.bundles import Claim, EntityRef, Mention
from apex_memory.pipeline.sources._claims import claim
from apex_memory.pipeline.sources._fields import Identifier, OptionalName, readable_id, readable_name
from apex_memory.pipeline.sources._pruning import pruned
from apex_memory.pipeline.sources._reading import Shape, as_array, as_object, read, within
from apex_memory.pipeline.sources._wording import spoken_code
from apex_memory.pipeline.sources.frontapp.events import SOURCE, Event
from apex_memory.pipeline.sources.frontapp.people import spoken, teammate

MAX_TAGS: Final = 64
#: Links into the API, what kind of a thing something is, its revisions, and who may see it.
_SILENT: Final = frozenset(
    {
        *(
            "_links",
            "_meta",
            "created_at",
            "draft_mode",
            "error_type",
            "highlight",
            "is_admin",
            "is_available",
        ),
        *("is_blocked", "is_inbound", "is_private", "is_public", "message_uid", "updated_at", "version"),
        *("waiting_since",),
    }
)


class Conversation(Shape):
    """What is named here is either said in words or in other places of the event."""

    id: Identifier
    type: object = None
    subject: OptionalName = None
    status: OptionalName = None
    assignee: object = None
    recipient: object = None
    tags: object = None

    def itself(self) -> Mention:
        return Mention(entity=EntityRef(type="conversation", key=self.id), name=self.subject or self.id)


def read_conversation(event: Event) -> Conversation | None:
    """None if the event names none.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    if event.conversation is None:
        return None
    return read(Conversation, event.conversation, source=SOURCE, at=f"{event.pointer}/conversation")


def tag(value: object) -> Mention | None:
    """By id: its name may be changed."""
    if (key := readable_id(within(value, "id"))) is None:
        return None
    return Mention(entity=EntityRef(type="tag", key=key), name=readable_name(within(value, "name")) or key)


def tags(conversation: Conversation) -> Sequence[Mention]:
    found = {mention.entity: mention for mention in map(tag, as_array(conversation.tags)) if mention}
    return list(islice(found.values(), MAX_TAGS))


def standing(conversation: Conversation, *, at: datetime | None) -> Iterator[Claim]:
    """How it stood when the event was sent: its status, whose it was, its tags."""
    itself = conversation.itself()
    if status := conversation.status:
        yield claim(itself, "has_status", status, f"is {spoken_code(status)}", since=at)
    if assignee := teammate(conversation.assignee):
        yield claim(itself, "assigned_to", assignee.entity, f"is assigned to {spoken(assignee)}", since=at)
    for mention in tags(conversation):
        yield claim(itself, "has_tag", mention.entity, f"is tagged {mention.name}", since=at)


def people_and_tags(conversation: Conversation | None) -> Iterator[Mention | None]:
    """Whom and what `standing` speaks of, by name."""
    if conversation:
        yield conversation.itself()
        yield teammate(conversation.assignee)
        yield from tags(conversation)


def unread(event: Event, conversation: Conversation | None, **parts: object) -> Mapping[str, object]:
    """What no shape named, of the event and of each of its parts, without what is no content."""
    whole: dict[str, object] = {**event.unread, "source": event.source, **parts}
    if conversation:
        whole["conversation"] = conversation.unread()
    return as_object(pruned(whole, without=_SILENT))
