"""A record's reader and the rules of a mapping in; the entities, claims and samples that they find out."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple, TypeVar

from apex_memory.domain.bundles import Claim, EntityRef, Mention, Sample
from apex_memory.domain.mappings import ClaimRule, EntityRule, RecordMapping, SampleRule
from apex_memory.domain.paths import Place
from apex_memory.pipeline.sources._claims import claim
from apex_memory.pipeline.sources._fields import MAX_ROWS
from apex_memory.pipeline.sources._wording import spoken_code
from apex_memory.pipeline.sources.mapped.reading import Reader


class Known(NamedTuple):
    """The entities of one name, by the number of the row that they were read from."""

    each: str | None
    by_row: Mapping[int, Mention]
    all: Sequence[Mention]

    def beside(self, each: str | None, number: int) -> Sequence[Mention]:
        """Those of this row if they were read from the same rows; else all of them."""
        if each != self.each:
            return self.all
        mention = self.by_row.get(number)
        return (mention,) if mention else ()


_FoundT = TypeVar("_FoundT", Claim, Sample)


def entities_of(mapping: RecordMapping, reader: Reader) -> Mapping[str, Known]:
    """By the names that the mapping gives them. Raises RecordRejected, as all here do."""
    named = {rule.name: _known(rule, reader) for rule in mapping.entities}
    if sum(len(known.all) for known in named.values()) > MAX_ROWS:
        raise reader.too_many("entities")
    return named


def claims_of(
    mapping: RecordMapping, named: Mapping[str, Known], reader: Reader, *, time: datetime | None
) -> Sequence[Claim]:
    """`time` is the record's; of None, the claims hold since the version's `as_of`."""
    claims = (
        said
        for rule in mapping.claims
        for number, row in enumerate(reader.rows(mapping.rows_of(rule)))
        for said in _claims(rule, named, reader, mapping.rows_of(rule), number, row, time)
    )
    return _once(claims, reader, "claims")


def samples_of(
    mapping: RecordMapping, named: Mapping[str, Known], reader: Reader, *, time: datetime | None
) -> Sequence[Sample]:
    samples = (
        sample
        for rule in mapping.samples
        for number, row in enumerate(reader.rows(mapping.rows_of(rule)))
        for sample in _samples(rule, named[rule.entity], reader, mapping.rows_of(rule), number, row, time)
    )
    return _once(samples, reader, "samples")


def _known(rule: EntityRule, reader: Reader) -> Known:
    by_row: dict[int, Mention] = {}
    for number, row in enumerate(reader.rows(rule.each)):
        if key := reader.id(rule.key, row):
            name = reader.name(rule.label, row) or key
            by_row[number] = Mention(entity=EntityRef(type=rule.type, key=key), name=name)
    return Known(rule.each, by_row, tuple(by_row.values()))


def _claims(
    rule: ClaimRule,
    named: Mapping[str, Known],
    reader: Reader,
    each: str | None,
    number: int,
    row: Place,
    time: datetime | None,
) -> Iterator[Claim]:
    said: list[tuple[EntityRef | str, str]] = []
    if rule.object:
        said = [(mention.entity, mention.name) for mention in named[rule.object].beside(each, number)]
    elif rule.value:
        said = [(words, words) for words in map(reader.said, reader.found(rule.value, row))]
    if not said:
        return
    since = reader.time(rule.time, row) or time
    for subject in named[rule.subject].beside(each, number):
        for what, words in said:
            yield claim(subject, rule.predicate, what, f"{spoken_code(rule.predicate)} {words}", since=since)


def _samples(
    rule: SampleRule,
    known: Known,
    reader: Reader,
    each: str | None,
    number: int,
    row: Place,
    time: datetime | None,
) -> Iterator[Sample]:
    measured = reader.number(rule.value, row)
    entities = known.beside(each, number)
    if measured is None or not entities:
        return
    at = reader.time(rule.time, row) or time
    if at is None:
        raise reader.timeless(row)
    for mention in entities:
        yield Sample(entity=mention.entity, metric=rule.metric, at=at, value=measured)


def _once(found: Iterator[_FoundT], reader: Reader, what: str) -> Sequence[_FoundT]:
    bounded = list(islice(found, MAX_ROWS + 1))
    if len(bounded) > MAX_ROWS:
        raise reader.too_many(what)
    return tuple(dict.fromkeys(bounded))
