"""JSON values in, checked field values out: the types that the sources' shapes are made of."""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeVar

from pydantic import BeforeValidator, Field, PlainValidator
from pydantic_core import PydanticCustomError

MAX_IDENTIFIER: Final = 256
MAX_NAME: Final = 1_000
MAX_TEXT: Final = 500_000
MAX_ROWS: Final = 1_000
_MAX_NUMBER: Final = 10**18

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999

# PostgreSQL refuses NUL, UTF-8 refuses lone surrogates; the other control characters print as nothing.
_UNSTORABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def storable(text: str) -> str:
    """The text with every character that no store can keep replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def _identifier(value: object) -> str:
    if isinstance(value, str) and len(value) <= MAX_IDENTIFIER:
        spelled = " ".join(unicodedata.normalize("NFC", value).split())
        if spelled and spelled.isprintable():
            return spelled
    raise _expected(f"a printable string of 1 to {MAX_IDENTIFIER} characters")


def _id(value: object) -> str:
    """Vendors send the same id as a number here and as a string there."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_NUMBER:
        return str(value)
    return _identifier(value)


def _id_if_any(value: object) -> str | None:
    return None if _blank_as_none(value) is None else _id(value)


def _name(value: object) -> str | None:
    return " ".join(_bounded(value, MAX_NAME).split()) or None


def text_within(limit: int) -> Callable[[object], str | None]:
    """Reads a text of at most so many characters."""
    return lambda value: _bounded(value, limit).strip() or None


def _bounded(value: object, limit: int) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and len(value) <= limit:
        return storable(value)
    raise _expected(f"a string of at most {limit} characters")


def _instant(value: object) -> datetime:
    if isinstance(value, str):
        try:
            at = datetime.fromisoformat(value.strip())
            if at.tzinfo:
                return at.astimezone(UTC)
        except (ValueError, OverflowError):  # overflow: year 1 or 9999, moved over the edge by its offset
            pass
    raise _expected("a time as RFC 3339 with its offset, such as 2025-10-19T14:23:00Z")


def _instant_if_any(value: object) -> datetime | None:
    return None if _blank_as_none(value) is None else _instant(value)


def _seconds(value: object) -> datetime:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LAST_SECOND:
        return _EPOCH + timedelta(seconds=value)
    raise _expected("a time in seconds since 1970, such as 1795010700.5")


def _milliseconds(value: object) -> datetime:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LAST_SECOND * 1000:
        return _EPOCH + timedelta(milliseconds=value)
    raise _expected("a time in milliseconds since 1970, such as 1795010700500")


def _seconds_if_any(value: object) -> datetime | None:
    return None if _blank_as_none(value) is None else _seconds(value)


def _blank_as_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _none_as_empty(value: object) -> object:
    return [] if value is None else value


def _expected(what: str) -> PydanticCustomError:
    return PydanticCustomError("expected", "expected {what}", {"what": what})


_ReadT = TypeVar("_ReadT")


def _readable(read: Callable[[object], _ReadT], value: object) -> _ReadT | None:
    try:
        return read(value)
    except PydanticCustomError:
        return None


def readable_id(value: object) -> str | None:
    """For what may be of any shape: the id, or None if it is none."""
    return _readable(_id, value)


def readable_name(value: object) -> str | None:
    return _readable(_name, value)


def readable_instant(value: object) -> datetime | None:
    return _readable(_instant, value)


def readable_seconds(value: object) -> datetime | None:
    return _readable(_seconds, value)


def readable_milliseconds(value: object) -> datetime | None:
    return _readable(_milliseconds, value)


Identifier = Annotated[str, PlainValidator(_identifier)]
Id = Annotated[str, PlainValidator(_id)]
OptionalId = Annotated[str | None, PlainValidator(_id_if_any)]
OptionalName = Annotated[str | None, PlainValidator(_name)]
OptionalText = Annotated[str | None, PlainValidator(text_within(MAX_TEXT))]
Instant = Annotated[datetime, PlainValidator(_instant)]
OptionalInstant = Annotated[datetime | None, PlainValidator(_instant_if_any)]
Milliseconds = Annotated[datetime, PlainValidator(_milliseconds)]
OptionalSeconds = Annotated[datetime | None, PlainValidator(_seconds_if_any)]
ReadableName = Annotated[str | None, PlainValidator(readable_name)]
ReadableInstant = Annotated[datetime | None, PlainValidator(readable_instant)]
BlankAsNone = BeforeValidator(_blank_as_none)

_RowT = TypeVar("_RowT")
#: An array of objects, some of them possibly null; null itself is an empty one.
Rows = Annotated[list[_RowT | None], BeforeValidator(_none_as_empty), Field(max_length=MAX_ROWS)]

# Strict: neither "41.8" nor true is a number.
Latitude = Annotated[float, Field(strict=True, ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(strict=True, ge=-180, le=180, allow_inf_nan=False)]
Speed = Annotated[float, Field(strict=True, ge=0, le=1_000, allow_inf_nan=False)]
Heading = Annotated[float, Field(strict=True, ge=0, le=360, allow_inf_nan=False)]
