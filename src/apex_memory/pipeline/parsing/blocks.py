"""Text in, its blocks out: headings, paragraphs, and runs of lines such as tables and code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NamedTuple

from apex_memory.pipeline.parsing.front_matter import front_matter_end

# Longer lines are no headings; the limit also keeps the patterns below away from a line of megabytes.
MAX_HEADING_CHARS: Final = 400
HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(.+)")
CLOSING_HASHES: Final = re.compile(r"(?:^|[ \t]+)#+$")
UNDERLINE: Final = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
# Lines that an underline cannot make a heading: of lists and quotations.
LIST_OR_QUOTE: Final = re.compile(r"[ \t]*(?:[-*+>]|\d{1,9}[.)])[ \t]")
FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
EMPHASIS: Final = re.compile(r"[*`]+")


@dataclass(frozen=True, slots=True)
class Block:
    """`text[start:end]`. `level` is 1 to 6 for a heading with that `title`, 0 for everything else."""

    start: int
    end: int
    level: int = 0
    title: str = ""


class _Kind(Enum):
    BLANK = auto()
    PROSE = auto()
    ROW = auto()
    VERBATIM = auto()
    HEADING = auto()
    UNDERLINE = auto()


class _Line(NamedTuple):
    start: int
    end: int
    kind: _Kind
    level: int = 0
    title: str = ""


def plain_blocks(text: str) -> Iterator[Block]:
    """Paragraphs, parted by blank lines."""
    lines = (
        _Line(start, end, _Kind.PROSE if text[start:end].strip() else _Kind.BLANK)
        for start, end in _line_spans(text, 0)
    )
    return _grouped(text, lines)


def markdown_blocks(text: str) -> Iterator[Block]:
    """In order; every character that is not white space lies in exactly one of them.

    Headings are those of CommonMark, except that an underlined one has a single line. A fence that is never
    closed runs to the end.
    """
    return _grouped(text, _markdown_lines(text))


def _grouped(text: str, lines: Iterator[_Line]) -> Iterator[Block]:
    """Consecutive lines of one kind make a block; blank lines make none."""
    first = last = None
    for line in lines:
        if first and last and line.kind is _Kind.UNDERLINE and _may_be_heading(text, first, last):
            yield Block(first.start, line.end, line.level, _plain(text[first.start : first.end]))
            first = last = None
            continue
        if line.kind is _Kind.UNDERLINE:
            line = _Line(line.start, line.end, _Kind.PROSE)  # noqa: PLW2901 - it underlines nothing
        if first and last and (line.kind is not first.kind or line.kind is _Kind.HEADING):
            yield Block(first.start, last.end, first.level, first.title)
            first = None
        if line.kind is not _Kind.BLANK:
            first, last = first or line, line
    if first and last:
        yield Block(first.start, last.end, first.level, first.title)


def _may_be_heading(text: str, first: _Line, last: _Line) -> bool:
    is_one_line = first.start == last.start and first.end - first.start <= MAX_HEADING_CHARS
    return is_one_line and first.kind is _Kind.PROSE and not LIST_OR_QUOTE.match(text, first.start)


def _markdown_lines(text: str) -> Iterator[_Line]:
    body = front_matter_end(text)
    if body:
        yield _Line(0, body, _Kind.VERBATIM)
    fence = ""
    for start, end in _line_spans(text, body):
        line = text[start:end].rstrip("\n")
        if fence:
            yield _Line(start, end, _Kind.VERBATIM)
            fence = "" if _closes(fence, line) else fence
        elif fence := _opened_fence(line):
            yield _Line(start, end, _Kind.VERBATIM)
        else:
            yield _classified(line, start, end)


def _line_spans(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Only a line feed ends a line: `splitlines` also breaks at separators that occur inside sentences."""
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield start, end
        start = end


def _classified(line: str, start: int, end: int) -> _Line:
    mark = line.lstrip()[:1]
    if not mark:
        return _Line(start, end, _Kind.BLANK)
    if mark == "|":
        return _Line(start, end, _Kind.ROW)
    if len(line) <= MAX_HEADING_CHARS:
        if mark == "#" and (match := HEADING.match(line)) and (title := _plain(match[2])):
            return _Line(start, end, _Kind.HEADING, len(match[1]), title)
        if mark in "=-" and (match := UNDERLINE.match(line)):
            return _Line(start, end, _Kind.UNDERLINE, 1 if match[1][0] == "=" else 2)
    return _Line(start, end, _Kind.PROSE)


def _plain(title: str) -> str:
    """Without closing hashes, emphasis and link targets."""
    title = CLOSING_HASHES.sub("", title.strip())
    return EMPHASIS.sub("", LINK.sub(r"\1", title)).strip()


def _opened_fence(line: str) -> str:
    """The fence that the line opens, or nothing."""
    match = FENCE.match(line) if line.lstrip()[:1] in {"`", "~"} else None
    if not match or (match[1][0] == "`" and "`" in match[2]):
        return ""
    return match[1]


def _closes(fence: str, line: str) -> bool:
    match = FENCE.match(line)
    return bool(match and match[1].startswith(fence) and not match[2].strip())
