"""A parsed document in, passages along its headings and within the embedder's limit out."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from apex_memory.domain.documents import ParsedDocument, Passage
from apex_memory.pipeline.parsing.blocks import Block, markdown_blocks, plain_blocks
from apex_memory.pipeline.parsing.packing import Packer
from apex_memory.pipeline.parsing.pieces import TokenCounter, pieces_of
from apex_memory.pipeline.parsing.text import PLAIN_TEXT

# Counting many texts at once is what makes the tokenizer fast.
BLOCKS_AT_ONCE: Final = 512


class HeadingChunker:
    """Cuts where headings, paragraphs and sentences end, in time linear in the text.

    A passage and its header line have at most 254 tokens together. Sections of a few words share a passage;
    nothing is repeated, and nothing but white space is left out.
    """

    def __init__(self, counter: TokenCounter) -> None:
        self._counter = counter

    def chunk(self, document: ParsedDocument) -> Sequence[Passage]:
        """Plain text has no headings; every other parser answers in Markdown."""
        read = plain_blocks if document.media_type == PLAIN_TEXT else markdown_blocks
        return list(self._passages(document, read(document.text)))

    def _passages(self, document: ParsedDocument, blocks: Iterator[Block]) -> Iterator[Passage]:
        packer = Packer(document, self._counter)
        path = _HeadingPath()
        while batch := list(islice(blocks, BLOCKS_AT_ONCE)):
            counted = pieces_of(document.text, [(block.start, block.end) for block in batch], self._counter)
            for block, pieces in zip(batch, counted, strict=True):
                path.pass_by(block)
                yield from packer.add(pieces, path=path.titles, heading=block.level > 0)
        yield from packer.finish()


class _HeadingPath:
    """The headings that the block just passed lies under, outermost first; a heading lies under itself."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []
        self.titles: tuple[str, ...] = ()

    def pass_by(self, block: Block) -> None:
        if block.level:
            self._open = [entry for entry in self._open if entry[0] < block.level]
            self._open.append((block.level, block.title))
            self.titles = tuple(title for _, title in self._open)
