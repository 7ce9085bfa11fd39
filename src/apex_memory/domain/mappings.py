"""How a tenant wants the records of a source of its own read: which places hold what. Checked as a whole."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from apex_memory.domain.paths import MAX_PATH, parsed
from apex_memory.domain.value import Value

#: What a tenant may call a source of its own; names of ours are taken before.
OWN_NAME: Final = "[a-z][a-z0-9_-]{1,31}"
#: Ways in, and what their items have as their source.
RESERVED: Final = frozenset({"api", "feed", "http", "https", "local_upload", "s3", "upload", "webhook"})

MAX_ENTITIES: Final = 32
MAX_CLAIMS: Final = 64
MAX_SAMPLES: Final = 32
MAX_TEXTS: Final = 16

_OWN: Final = re.compile(OWN_NAME)
_Problem = tuple[tuple[str | int, ...], str]


def _path(text: str) -> str:
    parsed(text)
    return text


def _one_place(text: str) -> str:
    if not parsed(text).singular:
        raise ValueError(
            "expected a path to one place: names and indices only; `each` reads one row at a time"
        )
    return text


Word = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,63}$")]
AnyPath = Annotated[str, Field(max_length=MAX_PATH), AfterValidator(_path)]
OnePath = Annotated[str, Field(max_length=MAX_PATH), AfterValidator(_one_place)]


def may_be_own(name: str) -> bool:
    """Whether a tenant may give a source this name, as long as no source of ours has it."""
    return _OWN.fullmatch(name) is not None and name not in RESERVED


class EntityRule(Value):
    """An entity that the record speaks of, or one for `each` row; none where the key is missing.

    name: how claims and samples of this mapping call it. label: what people call it; without it, the key.
    """

    name: Word
    type: Word
    each: AnyPath | None = None
    key: OnePath
    label: OnePath | None = None


class ClaimRule(Value):
    """A fact about each entity of the name `subject`: either an `object`, or the value at each place found.

    each: the rows to read, if not the subject's. Entities that were read from the same rows are taken row by
    row, all others with every row. time: since when, if not the record's time.
    """

    subject: Word
    predicate: Word
    object: Word | None = None
    value: AnyPath | None = None
    each: AnyPath | None = None
    time: OnePath | None = None


class SampleRule(Value):
    """A number that was measured at each entity of the name `entity`. each, time: as of a claim."""

    entity: Word
    metric: Word
    value: OnePath
    each: AnyPath | None = None
    time: OnePath | None = None


class RecordMapping(Value):
    """What of a record is what. A path begins with `$` at the record, or with `@` at the row of `each`.

    id: the external id; without it, the record's own `id` or its digest. time: what it speaks of. text: what
    it says in sentences; stands before the other fields.
    """

    id: OnePath | None = None
    title: OnePath | None = None
    time: OnePath | None = None
    text: Annotated[tuple[AnyPath, ...], Field(max_length=MAX_TEXTS)] = ()
    entities: Annotated[tuple[EntityRule, ...], Field(max_length=MAX_ENTITIES)] = ()
    claims: Annotated[tuple[ClaimRule, ...], Field(max_length=MAX_CLAIMS)] = ()
    samples: Annotated[tuple[SampleRule, ...], Field(max_length=MAX_SAMPLES)] = ()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        # In pydantic's own form: each problem keeps the place that it is at, for whoever wrote the mapping.
        problems = [
            InitErrorDetails(
                type=PydanticCustomError("mapping", "{said}", {"said": said}), loc=at, input=None
            )
            for at, said in _problems(self)
        ]
        if problems:
            raise ValidationError.from_exception_data(type(self).__name__, problems)
        return self

    def rows_of(self, rule: ClaimRule | SampleRule) -> str | None:
        """Which rows the rule reads; None: the record itself."""
        entity = rule.subject if isinstance(rule, ClaimRule) else rule.entity
        return rule.each or next(known.each for known in self.entities if known.name == entity)


class Declaration(Value):
    """That a tenant has said how the records of this source are read."""

    source: str
    created_at: datetime
    updated_at: datetime


class DeclaredMapping(Declaration):
    """And how."""

    mapping: RecordMapping


def _problems(mapping: RecordMapping) -> Iterator[_Problem]:
    yield from _of_the_record(mapping)
    known: dict[str, EntityRule] = {}
    for n, entity in enumerate(mapping.entities):
        if entity.name in known:
            yield ("entities", n, "name"), "another entity has this name"
        known.setdefault(entity.name, entity)
        yield from _unrowed(("entities", n), {"key": entity.key, "label": entity.label}, entity.each)
        yield from _rows_of_rows(("entities", n), entity.each)
    for n, claim in enumerate(mapping.claims):
        if (claim.object is None) == (claim.value is None):
            yield ("claims", n), "expected either an object or a value"
        named = {"subject": claim.subject} | ({"object": claim.object} if claim.object else {})
        paths = {"value": claim.value, "time": claim.time}
        yield from _of_a_rule(("claims", n), claim.subject, claim.each, named, paths, known)
    for n, sample in enumerate(mapping.samples):
        named, paths = {"entity": sample.entity}, {"value": sample.value, "time": sample.time}
        yield from _of_a_rule(("samples", n), sample.entity, sample.each, named, paths, known)
        if mapping.time is None and sample.time is None:
            yield ("samples", n, "time"), "a sample needs a time: its own, or that of the record"


def _of_the_record(mapping: RecordMapping) -> Iterator[_Problem]:
    paths: Sequence[tuple[tuple[str | int, ...], str | None]] = (
        *((("id",), mapping.id), (("title",), mapping.title), (("time",), mapping.time)),
        *((("text", n), path) for n, path in enumerate(mapping.text)),
    )
    for at, path in paths:
        if path and parsed(path).of_row:
            yield at, "expected a path that begins with $"


def _of_a_rule(
    at: tuple[str | int, ...],
    about: str,
    each: str | None,
    named: dict[str, str],
    paths: dict[str, str | None],
    known: dict[str, EntityRule],
) -> Iterator[_Problem]:
    for field, name in named.items():
        if name not in known:
            yield (*at, field), "no entity of this mapping has this name"
    yield from _rows_of_rows(at, each)
    if about in known:
        yield from _unrowed(at, paths, each or known[about].each)


def _unrowed(at: tuple[str | int, ...], paths: dict[str, str | None], each: str | None) -> Iterator[_Problem]:
    for field, path in paths.items():
        if path and each is None and parsed(path).of_row:
            yield (*at, field), "a path that begins with @ needs the rows of an `each`"


def _rows_of_rows(at: tuple[str | int, ...], each: str | None) -> Iterator[_Problem]:
    if each and parsed(each).of_row:
        yield (*at, "each"), "expected a path that begins with $"
