"""JSON values in, checked field values out: the types that the sources' shapes are made of."""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, PlainValidator
from pydantic_core import PydanticCustomError

MAX_IDENTIFIER: Final = 256
MAX_NAME: Final = 1_000
MAX_TEXT: Final = 500_000

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


def _name(value: object) -> str | None:
    return " ".join(_bounded(value, MAX_NAME).split()) or None


def _text(value: object) -> str | None:
    return _bounded(value, MAX_TEXT).strip() or None


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


def _blank_as_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _expected(what: str) -> PydanticCustomError:
    return PydanticCustomError("expected", "expected {what}", {"what": what})


Identifier = Annotated[str, PlainValidator(_identifier)]
OptionalName = Annotated[str | None, PlainValidator(_name)]
OptionalText = Annotated[str | None, PlainValidator(_text)]
Instant = Annotated[datetime, PlainValidator(_instant)]
OptionalInstant = Annotated[datetime | None, PlainValidator(_instant_if_any)]
BlankAsNone = BeforeValidator(_blank_as_none)

# Strict: neither "41.8" nor true is a number.
Latitude = Annotated[float, Field(strict=True, ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(strict=True, ge=-180, le=180, allow_inf_nan=False)]
Speed = Annotated[float, Field(strict=True, ge=0, le=1_000, allow_inf_nan=False)]
