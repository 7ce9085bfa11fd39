"""A span of text in, small pieces with their token counts out, cut where counts add up."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

# Small enough that passages are filled well, large enough that counting stays cheap.
PIECE_CHARS: Final = 120
# No tokenizer may see a longer run without a boundary: its time can grow with the square of the length.
MAX_RUN_CHARS: Final = 1000
# Best first. Each ends in white space or is punctuation, where WordPiece parts words: so the counts of two
# pieces add up to the count of their union.
CUTS: Final = ("\n", ". ", "! ", "? ", "。", "！", "？", "; ", ", ", "，", "、", " ")  # noqa: RUF001
NEXT_CUT: Final = re.compile(r"[ \t\n\u00a0\u3000.,;:!?/&=>})\]。，、！？；]")  # noqa: RUF001
LAST_CUT: Final = re.compile(rf"(?s).*{NEXT_CUT.pattern}")


class TokenCounter(Protocol):
    """Counts as the embedding model does; counts add up where a text is cut after a space or punctuation."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """One number a text, special tokens not counted; never more than the text has bytes in UTF-8."""
        ...


@dataclass(frozen=True, slots=True)
class Piece:
    """`text[start:end]`; a `torn` one begins inside a word, and its count does not add to the one before."""

    start: int
    end: int
    tokens: int
    torn: bool = False


def pieces_of(text: str, spans: Sequence[tuple[int, int]], counter: TokenCounter) -> list[list[Piece]]:
    """The pieces of each span, counted in one call."""
    cuts = [list(_cut_up(text, start, end)) for start, end in spans]
    counts = iter(counter.count([text[start:end] for cut in cuts for start, end, _ in cut]))
    return [[Piece(start, end, next(counts), torn) for start, end, torn in cut] for cut in cuts]


def halved(text: str, piece: Piece, counter: TokenCounter) -> tuple[Piece, Piece]:
    """A piece of two or more characters as two, cut as near to its middle as it reads well."""
    middle = (piece.start + piece.end) // 2
    at = _last_cut(text, piece.start, middle)
    torn = at is None
    at = at or middle
    left, right = counter.count([text[piece.start : at], text[at : piece.end]])
    return Piece(piece.start, at, left, piece.torn), Piece(at, piece.end, right, torn)


def _cut_up(text: str, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    torn = False
    while end - start > PIECE_CHARS:
        at, next_torn = _cut(text, start, end)
        yield start, at, torn
        start, torn = at, next_torn
    if start < end:
        yield start, end, torn


def _cut(text: str, start: int, end: int) -> tuple[int, bool]:
    """Where the piece that begins at `start` ends, and whether that is inside a word."""
    if at := _last_cut(text, start, start + PIECE_CHARS):
        return at, False
    limit = min(end, start + MAX_RUN_CHARS)
    match = NEXT_CUT.search(text, start + PIECE_CHARS, limit)
    return (match.end(), False) if match else (limit, limit < end)


def _last_cut(text: str, start: int, limit: int) -> int | None:
    """The last of the best kind of boundary in the second half before `limit`, else the last of any kind."""
    for mark in CUTS:
        at = text.rfind(mark, (start + limit) // 2, limit)
        if at >= 0:
            return at + len(mark)
    match = LAST_CUT.match(text, start, limit)
    return match.end() if match else None
