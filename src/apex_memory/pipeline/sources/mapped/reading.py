"""A record and paths into it in, checked values out; what is of another kind is rejected with its pointer."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Final

from apex_memory.domain.errors import RecordRejected
from apex_memory.domain.paths import Effort, EffortSpent, Path, Place, parsed, pointer_of
from apex_memory.pipeline.sources._fields import (
    MAX_IDENTIFIER,
    MAX_NAME,
    MAX_ROWS,
    MAX_TEXT,
    readable_id,
    readable_instant,
    readable_milliseconds,
    readable_seconds,
)
from apex_memory.pipeline.sources._passages import written
from apex_memory.pipeline.sources._reading import described

#: Seconds since 1970 reach it in the year 5138, milliseconds had it in 1973.
_FIRST_MILLISECONDS: Final = 10**11
_MAX_NUMBER: Final = 1e300
_CHARS_OF_A_LOOK: Final = 256


class Reader:
    """One record, as the paths of a mapping see it. All of them together are worth one effort.

    Every method raises RecordRejected: the pointer says where, the problem what was expected there.
    """

    def __init__(self, source: str, record: Mapping[str, object]) -> None:
        self._source = source
        self._record = Place(dict(record))
        self._effort = Effort()
        self._rows: dict[str, Sequence[Place]] = {}
        self._names: set[str] = set()

    def rows(self, each: str | None) -> Sequence[Place]:
        """What `@` stands for, one after the other. Without `each` there is one row: the record."""
        if each is None:
            return (self._record,)
        if each not in self._rows:
            self._rows[each] = self._bounded(self.found(each, self._record), each)
        return self._rows[each]

    def found(self, path: str, row: Place) -> Sequence[Place]:
        """Every place that says something: null and blank text are as good as nothing."""
        return [place for place in self._find(parsed(path), row) if not self._is_blank(place.value)]

    def id(self, path: str, row: Place) -> str | None:
        for place in self.found(path, row):
            known = readable_id(place.value)
            if known is None:
                expected = (
                    f"expected a whole number, or a printable string of 1 to {MAX_IDENTIFIER} characters"
                )
                raise self.rejected(place, expected)
            return known
        return None

    def required_id(self, path: str) -> str:
        known = self.id(path, self._record)
        if known is None:
            pointer = parsed(path).expected_at(self._record)
            raise RecordRejected(self._source, pointer, "required, and missing")
        return known

    def name(self, path: str | None, row: Place) -> str | None:
        return next((self.said(place) for place in self.found(path, row)), None) if path else None

    def said(self, place: Place) -> str:
        """Of a text, a number, true or false."""
        if isinstance(place.value, dict | list):
            raise self.rejected(place, "expected text, a number, true or false")
        words = " ".join(written(place.value).split())
        if len(words) > MAX_NAME:
            raise self.rejected(place, f"expected at most {MAX_NAME} characters")
        return words

    def time(self, path: str | None, row: Place) -> datetime | None:
        """RFC 3339 with its offset, or a number of seconds or milliseconds since 1970."""
        for place in self.found(path, row) if path else ():
            at = _instant(place.value)
            if at is None:
                expected = "expected a time as RFC 3339 with its offset, or a number of seconds since 1970"
                raise self.rejected(place, expected)
            return at
        return None

    def number(self, path: str, row: Place) -> float | None:
        for place in self.found(path, row):
            value = place.value
            # Not a number (NaN) is in no range.
            if isinstance(value, bool) or not (isinstance(value, int | float) and abs(value) <= _MAX_NUMBER):
                raise self.rejected(place, "expected a number")
            return float(value)
        return None

    def texts(self, paths: Sequence[str]) -> Sequence[tuple[Place, str]]:
        """What is text, a number, true or false, each place once; what holds others is left to them."""
        texts: dict[str, tuple[Place, str]] = {}
        for path in paths:
            places = [p for p in self.found(path, self._record) if not isinstance(p.value, dict | list)]
            for place in self._bounded(places, path):
                if (pointer := place.pointer()) not in texts:
                    texts[pointer] = place, written(place.value)
        if sum(len(text) for _, text in texts.values()) > MAX_TEXT:
            raise RecordRejected(self._source, "", f"expected at most {MAX_TEXT} characters of text")
        return tuple(texts.values())

    def rejected(self, place: Place, expected: str) -> RecordRejected:
        problem = f"{expected}; found {described(place.value)}"
        return RecordRejected(self._source, self._pointer(place), problem)

    def timeless(self, row: Place) -> RecordRejected:
        problem = "a sample that neither its row nor the record gives a time"
        return RecordRejected(self._source, self._pointer(row), problem)

    def too_many(self, what: str) -> RecordRejected:
        return RecordRejected(self._source, "", f"expected at most {MAX_ROWS} {what}")

    def _find(self, path: Path, row: Place) -> Sequence[Place]:
        self._names |= path.names
        try:
            return path.find(row if path.of_row else self._record, self._effort)
        except EffortSpent:
            raise self._too_large() from None

    def _pointer(self, place: Place) -> str:
        """As far as the paths name the way: the name of any other member is text of the payload."""
        told = takewhile(lambda step: isinstance(step, int) or step in self._names, place.steps())
        return pointer_of(tuple(told))

    def _is_blank(self, value: object) -> bool:
        if not isinstance(value, str):
            return value is None
        # A path may find the same megabyte a thousand times.
        self._spend(len(value) // _CHARS_OF_A_LOOK)
        return not value.strip()

    def _spend(self, looks: int) -> None:
        try:
            self._effort.spend(looks)
        except EffortSpent:
            raise self._too_large() from None

    def _too_large(self) -> RecordRejected:
        problem = "too large for this mapping: its paths look at more places than one record is worth"
        return RecordRejected(self._source, "", problem)

    def _bounded(self, places: Sequence[Place], path: str) -> Sequence[Place]:
        if len(places) > MAX_ROWS:
            raise self.too_many(f"places at {path}")
        return places


def _instant(value: object) -> datetime | None:
    # A NaN is before nothing, and no time either.
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= _FIRST_MILLISECONDS:
        return readable_milliseconds(int(value)) if value <= _MAX_NUMBER else None
    return readable_instant(value) or readable_seconds(value)
