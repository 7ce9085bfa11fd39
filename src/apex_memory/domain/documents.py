"""Bytes read as text, and the passages it is cut into."""

from collections.abc import Sequence
from typing import Final

from apex_memory.domain.value import Value

#: A text has no more tokens than bytes: of an embedder's 254, at least 94 are left for the passage itself.
MAX_HEADER_BYTES: Final = 160
HEADER_SEPARATOR: Final = " / "


def header_line(title: str, heading_path: Sequence[str]) -> str:
    """The line that says where a passage stands: title and headings, each once.

    It is embedded above the passage, so it is bounded: the headings next to the title are left out first.
    """
    parts = list(dict.fromkeys((title, *heading_path)))
    while len(parts) > 2 and _bytes(HEADER_SEPARATOR.join(parts)) > MAX_HEADER_BYTES:  # noqa: PLR2004 - both ends
        del parts[1]
    return HEADER_SEPARATOR.join(parts).encode()[:MAX_HEADER_BYTES].decode(errors="ignore")


def _bytes(text: str) -> int:
    return len(text.encode())


class ParsedDocument(Value):
    """A document as text. `text` is what offsets refer to."""

    title: str
    text: str
    media_type: str
    language: str | None = None


class Passage(Value):
    """A piece of text that is embedded and cited as one: `start` and `end` are offsets into the document.

    worded: so many characters of it are sentences, the rest lists a record's fields. None: all of them are.
    """

    ordinal: int
    text: str
    heading_path: tuple[str, ...] = ()
    start: int
    end: int
    page: int | None = None
    worded: int | None = None
