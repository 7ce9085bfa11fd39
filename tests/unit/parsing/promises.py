"""What holds for the passages of any document, as assertions."""

from collections.abc import Sequence

from apex_memory.domain.documents import ParsedDocument, Passage, header_line
from apex_memory.pipeline.parsing.packing import MAX_CHARS, MAX_TOKENS
from apex_memory.pipeline.parsing.pieces import TokenCounter


def markdown(text: str, *, title: str = "Title") -> ParsedDocument:
    return ParsedDocument(title=title, text=text, media_type="text/markdown")


def plain(text: str) -> ParsedDocument:
    return ParsedDocument(title="notes.txt", text=text, media_type="text/plain")


def assert_all_promises(document: ParsedDocument, passages: Sequence[Passage], counter: TokenCounter) -> None:
    assert [passage.ordinal for passage in passages] == list(range(len(passages)))
    assert_offsets_are_exact(document.text, passages)
    assert_nothing_is_left_out(document.text, passages)
    assert_none_is_too_long(document, passages, counter)


def assert_offsets_are_exact(text: str, passages: Sequence[Passage]) -> None:
    for passage in passages:
        assert text[passage.start : passage.end] == passage.text
        assert passage.text.strip() == passage.text != ""


def assert_nothing_is_left_out(text: str, passages: Sequence[Passage]) -> None:
    """Every character but white space lies in exactly one passage."""
    end = 0
    for passage in passages:
        assert end <= passage.start
        assert not text[end : passage.start].strip()
        end = passage.end
    assert not text[end:].strip()


def assert_none_is_too_long(
    document: ParsedDocument, passages: Sequence[Passage], counter: TokenCounter
) -> None:
    assert all(len(passage.text) <= MAX_CHARS for passage in passages)
    embedded = [f"{header_line(document.title, p.heading_path)}\n{p.text}" for p in passages]
    assert all(count <= MAX_TOKENS for count in counter.count(embedded))
