"""One plain message in, its bundle out: who wrote, and what."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from apex_memory.domain.bundles import Bundle, Claim, EntityRef, Mention
from apex_memory.pipeline.sources._fields import Identifier, OptionalInstant, OptionalName, OptionalText
from apex_memory.pipeline.sources._passages import passage_of
from apex_memory.pipeline.sources._reading import Shape, read
from apex_memory.pipeline.sources._wording import spoken_time
from apex_memory.pipeline.sources.frontapp.events import SOURCE

# "dispatch@acme.com" or "Acme Dispatch <dispatch@acme.com>"
_SENDER: Final = re.compile(r"(?:(?P<name>[^<>]*)<)?(?P<address>[^\s<>@]+@[^\s<>@]+)>?")


def map_plain(record: Mapping[str, object], *, received_at: datetime) -> Bundle:
    """An item is one message. What its text names is found later, as in any other text.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    message = read(_Message, record, source=SOURCE)
    itself = Mention(entity=EntityRef(type="message", key=message.message_id), name=message.message_id)
    sender = _person(message.sender)
    return Bundle(
        source=SOURCE,
        external_id=message.message_id,
        kind="record",
        title=message.subject or f"Message {message.message_id}",
        as_of=message.timestamp or received_at.astimezone(UTC),
        passages=(passage_of(_text(message), message.unread(), source=SOURCE),),
        mentions=(itself, sender) if sender else (itself,),
        claims=(_sent_by(itself, sender, message.timestamp),) if sender else (),
    )


class _Message(Shape):
    message_id: Identifier
    subject: OptionalName = None
    body: OptionalText = None
    sender: OptionalName = None
    timestamp: OptionalInstant = None


def _person(sender: str | None) -> Mention | None:
    """None if the sender is no e-mail address: a telephone number or a bare name stays in the text only."""
    match = _SENDER.fullmatch(sender or "")
    if not match:
        return None
    address = match["address"].lower()
    return Mention(
        entity=EntityRef(type="person", key=address), name=(match["name"] or "").strip() or address
    )


def _text(message: _Message) -> str:
    words = f"Message {message.message_id}"
    if message.sender:
        words += f" from {message.sender}"
    if message.timestamp:
        words += f" on {spoken_time(message.timestamp)}"
    if message.subject:
        words += f": {message.subject}"
    return f"{words}\n\n{message.body}" if message.body else words


def _sent_by(message: Mention, sender: Mention, at: datetime | None) -> Claim:
    return Claim(
        subject=message.entity,
        predicate="sent_by",
        object=sender.entity,
        fact=f"{message.name} was sent by {sender.name}",
        valid_from=at,
        passage=0,
    )
