"""Counted pieces in reading order in, passages as full as they may be out."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from apex_memory.domain.documents import ParsedDocument, Passage, header_line
from apex_memory.pipeline.parsing.pieces import Piece, TokenCounter, halved

# all-MiniLM-L6-v2 reads 256 tokens, two of which are its own. The header line counts too.
MAX_TOKENS: Final = 254
# Reached only by texts of few tokens: wide tables, and words so long that the model reads none of them.
MAX_CHARS: Final = 2000
# A heading ends a passage of so many tokens; shorter sections share one.
ENOUGH_TOKENS: Final = 48

Path = tuple[str, ...]


class _Entry(NamedTuple):
    piece: Piece
    path: Path
    heading: bool


class Packer:
    """Fills one passage at a time; the pieces must come in order."""

    def __init__(self, document: ParsedDocument, counter: TokenCounter) -> None:
        self._document = document
        self._counter = counter
        self._header_counts: dict[Path, int] = {}
        self._ordinal = 0
        self._open = _Open()

    def add(self, pieces: Sequence[Piece], *, path: Path, heading: bool) -> Iterator[Passage]:
        """One block's pieces in, the passages that they complete out."""
        if heading and self._open.has_body and self._open.tokens >= ENOUGH_TOKENS:
            yield from self.finish()
        whole = Piece(pieces[0].start, pieces[-1].end, sum(piece.tokens for piece in pieces))
        if self._fits_alone(whole, path) and not any(piece.torn for piece in pieces):
            pieces = [whole]
        for piece in pieces:
            for part in self._fitting(piece, path):
                yield from self._append(_Entry(part, path, heading))

    def finish(self) -> Iterator[Passage]:
        """What is still open, as a passage."""
        done, self._open = self._open, _Open()
        text = self._document.text[done.start : done.end]
        start = done.start + len(text) - len(text.lstrip())
        text = text.strip()
        if text:
            yield Passage(
                ordinal=self._ordinal, text=text, heading_path=done.path, start=start, end=start + len(text)
            )
            self._ordinal += 1

    def _append(self, entry: _Entry) -> Iterator[Passage]:
        entries = [entry]
        if not self._fits(entry):
            # Headings at the end belong to what follows them.
            entries = [*self._open.split_trailing_headings(), entry]
            yield from self.finish()
        for each in entries:
            # Headings that fitted below other text need not fit below their own header.
            if not self._fits(each):
                yield from self.finish()
            self._open.append(each)

    def _fitting(self, piece: Piece, path: Path) -> Iterator[Piece]:
        """The piece, or its halves if it is too long for any passage."""
        if self._fits_alone(piece, path) or piece.end - piece.start == 1:
            yield piece
            return
        for half in halved(self._document.text, piece, self._counter):
            yield from self._fitting(half, path)

    def _fits_alone(self, piece: Piece, path: Path) -> bool:
        return piece.end - piece.start <= MAX_CHARS and piece.tokens + self._header_tokens(path) <= MAX_TOKENS

    def _fits(self, entry: _Entry) -> bool:
        if self._open.is_empty:
            return True
        header = self._header_tokens(self._open.path_with(entry))
        tokens = header + self._open.tokens + entry.piece.tokens
        length = entry.piece.end - self._open.start
        return not entry.piece.torn and tokens <= MAX_TOKENS and length <= MAX_CHARS

    def _header_tokens(self, path: Path) -> int:
        if path not in self._header_counts:
            line = header_line(self._document.title, path)
            self._header_counts[path] = self._counter.count([line])[0]
        return self._header_counts[path]


class _Open:
    """The entries of the passage that is being filled, and what they add up to."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self.tokens = 0
        self.path: Path = ()
        self.has_body = False

    @property
    def is_empty(self) -> bool:
        return not self._entries

    @property
    def start(self) -> int:
        return self._entries[0].piece.start if self._entries else 0

    @property
    def end(self) -> int:
        return self._entries[-1].piece.end if self._entries else 0

    def append(self, entry: _Entry) -> None:
        self.path = self.path_with(entry)
        self.has_body = self.has_body or not entry.heading
        self.tokens += entry.piece.tokens
        self._entries.append(entry)

    def path_with(self, entry: _Entry) -> Path:
        """What all body text lies under; a heading counts only as long as there is nothing else."""
        if self.is_empty or (not entry.heading and not self.has_body):
            return entry.path
        return self.path if entry.heading and self.has_body else _common(self.path, entry.path)

    def split_trailing_headings(self) -> list[_Entry]:
        """Take them off the end, unless there is nothing before them; then the rest may only be finished."""
        headings: list[_Entry] = []
        while self.has_body and self._entries[-1].heading:
            headings.append(self._entries.pop())
        return headings[::-1]


def _common(left: Path, right: Path) -> Path:
    shared = 0
    while shared < min(len(left), len(right)) and left[shared] == right[shared]:
        shared += 1
    return left[:shared]
