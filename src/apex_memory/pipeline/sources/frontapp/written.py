"""A whole message or comment in, its bundle out: who wrote it to whom, in which conversation, and what."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import structlog
from pydantic import Field, PlainValidator

from apex_memory.domain.bundles import Bundle, Claim, EntityRef, Mention
from apex_memory.pipeline.sources._claims import claim, mentioned
from apex_memory.pipeline.sources._fields import (
    MAX_TEXT,
    Identifier,
    OptionalName,
    OptionalSeconds,
    OptionalText,
    ReadableName,
    Rows,
    text_within,
)
from apex_memory.pipeline.sources._passages import CUT, passage_of
from apex_memory.pipeline.sources._reading import Shape, read
from apex_memory.pipeline.sources._wording import spoken_time
from apex_memory.pipeline.sources.frontapp.conversation import (
    Conversation,
    people_and_tags,
    read_conversation,
    standing,
    unread,
)
from apex_memory.pipeline.sources.frontapp.events import SOURCE, Event
from apex_memory.pipeline.sources.frontapp.html_text import html_text
from apex_memory.pipeline.sources.frontapp.people import Recipient, Recipients, by_role, spoken, teammate

#: Markup is several times as long as its text.
MAX_HTML: Final = 1_000_000
_SHOWN_ATTACHMENTS: Final = 64

_log = structlog.get_logger()


class _Attachment(Shape):
    """Known by its name. Its address is for whoever holds the API's token."""

    id: object = None
    filename: ReadableName = None
    url: object = None
    content_type: object = None
    size: object = None
    metadata: object = None


class _Message(Shape):
    id: Identifier
    subject: OptionalName = None
    blurb: object = None
    author: object = None
    recipients: Recipients = Field(default_factory=list[Recipient | None])
    body: Annotated[str | None, PlainValidator(text_within(MAX_HTML))] = None
    text: OptionalText = None
    created_at: OptionalSeconds = None
    attachments: Rows[_Attachment] = Field(default_factory=list[_Attachment | None])

    def written(self) -> str | None:
        """`text` if there is one: only e-mails have it, and not all of them."""
        return self.text or _shortened(html_text(self.body or "")) or None


class _Comment(Shape):
    id: Identifier
    author: object = None
    body: OptionalText = None
    posted_at: OptionalSeconds = None
    attachments: Rows[_Attachment] = Field(default_factory=list[_Attachment | None])


def map_message(event: Event, *, received_at: datetime) -> Bundle:
    """An item is one message, whatever event brings it.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    message = read(_Message, event.target, source=SOURCE, at=f"{event.pointer}/target/data")
    conversation = read_conversation(event)
    itself = Mention(entity=EntityRef(type="message", key=message.id), name=message.id)
    since = message.created_at or event.at
    claims = (
        *_between(itself, message, since=since),
        *_in_conversation(itself, conversation, since=since, at=event.at),
    )
    title = message.subject or (conversation.subject if conversation else None) or f"Message {message.id}"
    text = _paragraphs(_heading(message, since), message.written(), message.attachments)
    return Bundle(
        source=SOURCE,
        external_id=message.id,
        kind="record",
        title=title,
        as_of=event.at or received_at.astimezone(UTC),
        passages=(passage_of(text, unread(event, conversation, message=message.unread()), source=SOURCE),),
        mentions=mentioned((itself, *_people(message), *people_and_tags(conversation)), claims),
        claims=claims,
    )


def map_comment(event: Event, *, received_at: datetime) -> Bundle:
    """An item is one comment; a mention of somebody in it is another event about the same one.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    comment = read(_Comment, event.target, source=SOURCE, at=f"{event.pointer}/target/data")
    conversation = read_conversation(event)
    itself = Mention(entity=EntityRef(type="comment", key=comment.id), name=comment.id)
    author, since = teammate(comment.author), comment.posted_at or event.at
    claims = (
        *_written_by(itself, author, since=since),
        *_in_conversation(itself, conversation, since=since, at=event.at),
    )
    subject = (conversation.subject if conversation else None) or ""
    heading = f"Comment {comment.id}{_by(author)}{_on(since)}{f': {subject}' if subject else ''}"
    return Bundle(
        source=SOURCE,
        external_id=comment.id,
        kind="record",
        title=f"Comment on {subject}" if subject else f"Comment {comment.id}",
        as_of=event.at or received_at.astimezone(UTC),
        passages=(
            passage_of(
                _paragraphs(heading, comment.body, comment.attachments),
                unread(event, conversation, comment=comment.unread()),
                source=SOURCE,
            ),
        ),
        mentions=mentioned((itself, author, *people_and_tags(conversation)), claims),
        claims=claims,
    )


def _people(message: _Message) -> Iterator[Mention | None]:
    yield teammate(message.author)
    yield from by_role(message.recipients)


def _between(itself: Mention, message: _Message, *, since: datetime | None) -> Iterator[Claim]:
    for sender in by_role(message.recipients, "from"):
        yield claim(itself, "sent_by", sender.entity, f"was sent by {sender.name}", since=since)
    yield from _written_by(itself, teammate(message.author), since=since)
    for reader in by_role(message.recipients, "to", "cc", "bcc"):
        yield claim(itself, "sent_to", reader.entity, f"was sent to {reader.name}", since=since)


def _written_by(itself: Mention, author: Mention | None, *, since: datetime | None) -> Iterator[Claim]:
    if author:
        yield claim(itself, "written_by", author.entity, f"was written by {author.name}", since=since)


def _in_conversation(
    itself: Mention, conversation: Conversation | None, *, since: datetime | None, at: datetime | None
) -> Iterator[Claim]:
    if conversation:
        whole = conversation.itself()
        yield claim(itself, "in_conversation", whole.entity, f"is part of {whole.name}", since=since)
        yield from standing(conversation, at=at)


def _heading(message: _Message, since: datetime | None) -> str:
    words = f"Message {message.id}"
    if senders := by_role(message.recipients, "from"):
        words += f" from {', '.join(map(spoken, senders))}"
    if readers := by_role(message.recipients, "to", "cc", "bcc"):
        words += f" to {', '.join(map(spoken, readers))}"
    words += _by(teammate(message.author)) + _on(since)
    return f"{words}: {message.subject}" if message.subject else words


def _by(author: Mention | None) -> str:
    return f" (written by {spoken(author)})" if author else ""


def _on(at: datetime | None) -> str:
    return f" on {spoken_time(at)}" if at else ""


def _paragraphs(heading: str, body: str | None, attachments: Sequence[_Attachment | None]) -> str:
    names = [a.filename for a in attachments if a and a.filename][:_SHOWN_ATTACHMENTS]
    attached = f"Attached: {', '.join(names)}" if names else None
    return "\n\n".join(filter(None, (heading, body, attached)))


def _shortened(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    _log.warning("record.text_cut", source=SOURCE, kept_chars=MAX_TEXT)
    return f"{text[:MAX_TEXT]}\n{CUT}"
