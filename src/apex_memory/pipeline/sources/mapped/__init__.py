"""JSON of a source that is a tenant's own in, bundles by the tenant's mapping out; without one, its text."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import UTC, datetime
from typing import Any, Final

from apex_memory.domain.bundles import Bundle, EntityRef, Mention
from apex_memory.domain.errors import RecordRejected
from apex_memory.domain.hooks import Identity, Wanted
from apex_memory.domain.mappings import RecordMapping
from apex_memory.domain.paths import Place
from apex_memory.pipeline.sources._claims import mentioned
from apex_memory.pipeline.sources._fields import readable_id
from apex_memory.pipeline.sources._identity import NAMELESS, by_digest
from apex_memory.pipeline.sources._passages import passage_of
from apex_memory.pipeline.sources.mapped.reading import Reader
from apex_memory.pipeline.sources.mapped.rules import Known, claims_of, entities_of, samples_of

#: Facts that the text begins with; further ones are found as facts only.
_FACTS_IN_TEXT: Final = 50
_NO_RULES: Final = RecordMapping()
_DIGEST: Final = "sha256:"


class MappedSource:
    """The port `Source` by a declared mapping. Nothing is thin here: what a sender leaves out stays out."""

    def __init__(self, name: str, mapping: RecordMapping | None) -> None:
        self.name = name
        self._mapping = mapping or _NO_RULES

    def identify(self, delivery: Mapping[str, object], *, digest: str) -> Identity:
        """Only the same bytes are the same again: two changes in one second have the same id and time."""
        reader = Reader(self.name, delivery)
        try:
            label, at = self._external_id(reader, delivery), self._time(reader)
        except RecordRejected:
            return by_digest(digest)
        return by_digest(digest, label=label, at=at)

    def wanted(self, record: Mapping[str, object]) -> Wanted | None:
        del record
        return None

    def completed(self, record: Mapping[str, object], answer: Mapping[str, object]) -> Mapping[str, object]:
        del answer
        return record

    def map_record(self, record: Mapping[str, object], *, received_at: datetime) -> Bundle:
        """Raises RecordRejected: a place that the mapping names holds something of another kind."""
        reader, mapping = Reader(self.name, record), self._mapping
        external_id, time = self._external_id(reader, record), self._time(reader)
        named = entities_of(mapping, reader)
        claims = claims_of(mapping, named, reader, time=time)
        samples = samples_of(mapping, named, reader, time=time)
        texts = reader.texts(mapping.text)
        title = reader.name(mapping.title, Place(record)) or f"{self.name} {_called(external_id)}"
        # What the text names by an identifier is said of an item's first mention: it must be the item itself.
        itself = self._itself(named) or Mention(entity=EntityRef(type=self.name, key=external_id), name=title)
        lines = (
            f"{title}.",
            *(f"{claim.fact}." for claim in claims[:_FACTS_IN_TEXT]),
            *(text for _, text in texts),
        )
        unread = _without(record, [place for place, _ in texts])
        return Bundle(
            source=self.name,
            external_id=external_id,
            kind="record",
            title=title,
            as_of=time or received_at.astimezone(UTC),
            passages=(passage_of("\n".join(lines), unread, source=self.name),),
            mentions=mentioned((itself, *(mention for known in named.values() for mention in known.all))),
            claims=tuple(claims),
            samples=tuple(samples),
        )

    def _external_id(self, reader: Reader, record: Mapping[str, object]) -> str:
        if path := self._mapping.id:
            return reader.required_id(path)
        return readable_id(record.get("id")) or f"{_DIGEST}{_digest(record, self.name)}"

    def _itself(self, named: Mapping[str, Known]) -> Mention | None:
        """The mapping's first entity, unless that is one of several rows."""
        first = next(iter(self._mapping.entities), None)
        return next(iter(named[first.name].all), None) if first and first.each is None else None

    def _time(self, reader: Reader) -> datetime | None:
        [record] = reader.rows(None)
        return reader.time(self._mapping.time, record)


def _called(external_id: str) -> str:
    return NAMELESS if external_id.startswith(_DIGEST) else external_id


def _digest(record: Mapping[str, object], source: str) -> str:
    """The same whatever the order in which a sender writes its keys."""
    try:
        spelled = json.dumps(dict(record), sort_keys=True, separators=(",", ":"))
    except (RecursionError, ValueError):
        problem = "without an id, and too deep or with too long a number to be told from others"
        raise RecordRejected(source, "", problem) from None
    return hashlib.sha256(spelled.encode()).hexdigest()


def _without(record: Mapping[str, object], places: Sequence[Place]) -> Mapping[str, object]:
    """The record with null at the places; what lies beside them is not copied."""
    rest: dict[str, Any] = dict(record)
    ours = {id(rest)}
    for place in places:
        *way, last = place.steps()
        holder: Any = rest
        for step in way:
            if id(holder[step]) not in ours:
                holder[step] = copy(holder[step])
                ours.add(id(holder[step]))
            holder = holder[step]
        holder[last] = None
    return rest
