"""A sentence and the fields that no shape named in, the one passage of a record out."""

from collections.abc import Iterator, Mapping
from typing import Final, cast

import structlog

from apex_memory.domain.documents import Passage
from apex_memory.pipeline.sources._fields import storable

MAX_UNREAD_CHARS: Final = 32_000
MAX_DEPTH: Final = 32
CUT: Final = "(further fields are not shown)"

# Python refuses to print longer integers in decimal (4,300 digits, about 14,000 bits).
_PRINTABLE_BITS: Final = 10_000

_log = structlog.get_logger()


def passage_of(text: str, unread: Mapping[str, object], *, source: str) -> Passage:
    """One passage of any length: the text, then a `key: value` line for each field that is not in it.

    It may exceed the embedder's limit: whoever embeds cuts it up first. The text that states the claims comes
    first, so that passage 0 still cites them after the cut.
    """
    lines = [text, *_lines_within(unread, source=source)]
    whole = "\n".join(lines)
    return Passage(ordinal=0, text=whole, start=0, end=len(whole), worded=len(text))


def _lines_within(unread: Mapping[str, object], *, source: str) -> Iterator[str]:
    room = MAX_UNREAD_CHARS
    for line in _lines("", unread, depth=0):
        if len(line) > room:
            _log.warning("record.fields_cut", source=source, kept_chars=MAX_UNREAD_CHARS)
            yield line[:room]
            yield CUT
            return
        room -= len(line) + 1
        yield line


def _lines(path: str, value: object, *, depth: int) -> Iterator[str]:
    """Depth first, keys sorted: the order in which a sender writes its keys is no content."""
    if depth > MAX_DEPTH:
        yield f"{path}: (nested deeper than {MAX_DEPTH} levels)"
        return
    match value:
        case dict() | list():
            for key, child in _children(cast("dict[object, object] | list[object]", value)):
                yield from _lines(f"{path}.{key}" if depth else key, child, depth=depth + 1)
        case _:
            if said := written(value):
                yield f"{path}: {said}"


def _children(value: dict[object, object] | list[object]) -> Iterator[tuple[str, object]]:
    if isinstance(value, list):
        yield from ((str(index), child) for index, child in enumerate(value))
    else:
        yield from ((storable(str(key)), value[key]) for key in sorted(value, key=str))


def written(value: object) -> str:
    """Of a JSON value that holds no others: as a reader sees it; empty for null and blanks."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() if value.bit_length() > _PRINTABLE_BITS:
            return hex(value)
        case str():
            return storable(value).strip()
        case _:
            return str(value)
