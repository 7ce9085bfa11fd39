"""An event of payload 2.0 that no other rule knows in, its bundle out: what happened to whom."""

from collections.abc import Mapping

from apex_memory.domain.bundles import Bundle, EntityRef, Mention
from apex_memory.pipeline.sources._passages import passage_of
from apex_memory.pipeline.sources._reading import read
from apex_memory.pipeline.sources._wording import spoken_time, spoken_type
from apex_memory.pipeline.sources.samsara.envelope import SOURCE, Envelope
from apex_memory.pipeline.sources.samsara.things import names_in, scenes_in, told_of


def map_event(record: Mapping[str, object]) -> Bundle:
    """An item is one event: whoever it names is linked, the rest is text.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    envelope = read(Envelope, record, source=SOURCE)
    what = spoken_type(envelope.event_type)
    itself = Mention(entity=EntityRef(type="event", key=f"{SOURCE}:{envelope.event_id}"), name=what)
    scenes = (*scenes_in(envelope.data, envelope.event_type), *scenes_in(envelope.model_extra))
    told = told_of(itself, scenes, at=envelope.event_time)
    names = names_in(scenes)
    text = f"{what}{f': {names}' if names else ''} on {spoken_time(envelope.event_time)}."
    unread = {**envelope.unread(), "data": envelope.data}
    return Bundle(
        source=SOURCE,
        external_id=envelope.event_id,
        kind="record",
        title=f"{what}: {names}" if names else what,
        as_of=envelope.event_time,
        passages=(passage_of(text, unread, source=SOURCE),),
        mentions=told.mentions,
        claims=told.claims,
    )
