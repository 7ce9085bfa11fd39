"""A driver's document in, its bundle out: who submitted what, with which notes."""

from collections.abc import Iterator, Mapping

from apex_memory.domain.bundles import Bundle, Claim, EntityRef, Mention
from apex_memory.pipeline.sources._claims import claim
from apex_memory.pipeline.sources._fields import Id, OptionalInstant, OptionalName, OptionalText
from apex_memory.pipeline.sources._passages import passage_of
from apex_memory.pipeline.sources._reading import CamelShape, read, within
from apex_memory.pipeline.sources._wording import spoken_code, spoken_time
from apex_memory.pipeline.sources.samsara.envelope import SOURCE, Envelope
from apex_memory.pipeline.sources.samsara.things import names_in, scenes_in, told_of


def map_document(record: Mapping[str, object]) -> Bundle:
    """An item is one document, submitted once or again.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    envelope = read(Envelope, record, source=SOURCE)
    raw = within(envelope.data, "document")
    document = read(_Document, raw, source=SOURCE, at="/data/document")
    kind = (document.document_type.name if document.document_type else None) or "Document"
    name = document.name or f"{kind} {document.id}"
    itself = Mention(entity=EntityRef(type="driver_document", key=f"{SOURCE}:{document.id}"), name=name)
    submitted = document.created_at_time or envelope.event_time
    scenes = (*scenes_in(raw), *scenes_in(envelope.model_extra))
    told = told_of(itself, scenes, at=submitted)
    names = names_in(scenes)
    text = f"{name}{f' of {names}' if names else ''}, {kind} of {spoken_time(submitted)}."
    unread = {**envelope.unread(), "data": {"document": document.unread()}}
    return Bundle(
        source=SOURCE,
        external_id=f"document:{document.id}",
        kind="record",
        title=name,
        as_of=envelope.event_time,
        passages=(
            passage_of(f"{text}\n\n{document.notes}" if document.notes else text, unread, source=SOURCE),
        ),
        mentions=told.mentions,
        claims=(*_status(itself, document, envelope), *told.claims),
    )


class _DocumentType(CamelShape):
    name: OptionalName = None


class _Document(CamelShape):
    id: Id
    name: OptionalName = None
    notes: OptionalText = None
    state: OptionalName = None
    created_at_time: OptionalInstant = None
    document_type: _DocumentType | None = None


def _status(itself: Mention, document: _Document, envelope: Envelope) -> Iterator[Claim]:
    if state := document.state:
        yield claim(itself, "has_status", state, f"is {spoken_code(state)}", since=envelope.event_time)
