"""Where the chunker cuts, by example."""

from collections.abc import Sequence

import pytest
from tests.unit.parsing.promises import assert_all_promises, markdown, plain

from apex_memory.domain.documents import Passage
from apex_memory.pipeline.embedding.tokenizer import WordPieceCounter
from apex_memory.pipeline.parsing.chunking import HeadingChunker
from apex_memory.pipeline.parsing.pieces import MAX_RUN_CHARS

PARAGRAPH = "The driver reports to the gate and waits there until the dock is free. " * 8


def _paths(passages: Sequence[Passage]) -> list[tuple[str, ...]]:
    return [passage.heading_path for passage in passages]


def test_a_passage_knows_the_headings_above_it(chunker: HeadingChunker) -> None:
    headings = ["# Handbook", "## Docks", "### Dock 7", "## Gates"]
    text = "\n\n".join(f"{heading}\n\n{PARAGRAPH}" for heading in headings)

    passages = chunker.chunk(markdown(text))

    assert _paths(passages) == [
        ("Handbook",),
        ("Handbook", "Docks"),
        ("Handbook", "Docks", "Dock 7"),
        ("Handbook", "Gates"),
    ]
    assert passages[2].text.startswith("### Dock 7\n")


def test_short_sections_share_a_passage_under_what_they_have_in_common(chunker: HeadingChunker) -> None:
    passages = chunker.chunk(markdown("# Opening hours\n\n## Monday\n\n8 to 5\n\n## Tuesday\n\n9 to 4\n"))

    assert _paths(passages) == [("Opening hours",)]


def test_a_heading_stays_with_the_text_that_follows_it(chunker: HeadingChunker) -> None:
    short = "Only a few words here. Read on below."

    passages = chunker.chunk(markdown(f"# One\n\n{short}\n\n# Two\n\n{PARAGRAPH * 2}"))

    assert passages[0].text == f"# One\n\n{short}"
    assert passages[1].text.startswith("# Two\n\nThe driver")


def test_a_paragraph_that_fits_is_never_cut(chunker: HeadingChunker) -> None:
    text = "\n\n".join([PARAGRAPH.strip()] * 5)

    passages = chunker.chunk(markdown(text))

    assert all(
        passage.text.startswith("The driver") and passage.text.endswith("free.") for passage in passages
    )


def test_a_long_paragraph_is_cut_between_sentences(chunker: HeadingChunker) -> None:
    passages = chunker.chunk(markdown(PARAGRAPH * 10))

    assert len(passages) > 3
    assert all(passage.text.endswith("free.") for passage in passages)


def test_a_long_table_is_cut_between_rows(chunker: HeadingChunker) -> None:
    rows = "".join(f"| unit {n} | arrived at dock {n % 7} | signed for |\n" for n in range(200))

    passages = chunker.chunk(markdown(f"| unit | what | state |\n|---|---|---|\n{rows}"))

    assert all(passage.text.startswith("|") and passage.text.endswith("|") for passage in passages)


def test_underlined_headings_count_too(chunker: HeadingChunker) -> None:
    text = f"Handbook\n========\n\n{PARAGRAPH}\n\nDocks\n-----\n\n{PARAGRAPH}"

    assert _paths(chunker.chunk(markdown(text))) == [("Handbook",), ("Handbook", "Docks")]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("```\n# no heading\n```\n", id="fence"),
        pytest.param("~~~ sh\n```\n# no heading\n~~~\n", id="fence in a fence"),
        pytest.param("    # no heading\n", id="indented"),
        pytest.param("#no heading\n", id="no space"),
        pytest.param("####### no heading\n", id="seven hashes"),
        pytest.param("- an item\n---\n", id="rule after a list"),
        pytest.param("two lines\nof prose\n---\n", id="rule after prose"),
        pytest.param("---\ntitle: no heading\n---\n", id="front matter"),
        pytest.param("# " + "x" * 500 + "\n", id="too long"),
        pytest.param("#  ##\n", id="empty"),
    ],
)
def test_what_only_looks_like_a_heading_is_none(chunker: HeadingChunker, text: str) -> None:
    assert set(_paths(chunker.chunk(markdown(f"{text}\n{PARAGRAPH}")))) == {()}


def test_a_heading_is_named_without_its_marks(chunker: HeadingChunker) -> None:
    passages = chunker.chunk(markdown(f"## **Docks** and [`gates`](https://example.com) ##\n\n{PARAGRAPH}"))

    assert _paths(passages) == [("Docks and gates",)]


def test_a_backtick_fence_in_a_line_of_prose_opens_nothing(chunker: HeadingChunker) -> None:
    passages = chunker.chunk(markdown(f"```not a fence```\n{PARAGRAPH}\n\n# Docks\n\n{PARAGRAPH}"))

    assert _paths(passages) == [(), ("Docks",)]


def test_windows_line_ends_left_in_a_text_change_nothing(chunker: HeadingChunker) -> None:
    text = f"# Handbook\r\n\r\n{PARAGRAPH}\r\n\r\n## Docks\r\n\r\n{PARAGRAPH}"

    assert _paths(chunker.chunk(markdown(text))) == [("Handbook",), ("Handbook", "Docks")]


def test_plain_text_keeps_its_hashes(chunker: HeadingChunker) -> None:
    passages = chunker.chunk(plain(f"# a comment\n\n{PARAGRAPH}"))

    assert _paths(passages) == [()]


def test_a_blank_document_has_no_passages(chunker: HeadingChunker) -> None:
    assert chunker.chunk(markdown(" \n\n\t")) == []


@pytest.mark.parametrize(("offset", "repeats"), [(37, 66), (42, 200), (114, 20)])
def test_halves_of_a_word_are_never_counted_as_if_they_were_words(
    chunker: HeadingChunker, counter: WordPieceCounter, offset: int, repeats: int
) -> None:
    # Alone, "nevertheless" is one token; after "qz" it is several. So two halves can count less than the
    # whole, and at these lengths a passage that joins them would have a token too many.
    document = plain("-" * offset + "_qznevertheless" * repeats)

    passages = chunker.chunk(document)

    assert_all_promises(document, passages, counter)


PATHOLOGICAL = {
    "no spaces": "x" * 100_000,
    "one line": "goods moved " * 10_000,
    "headings": "".join(f"# Heading {n}\n" for n in range(5_000)),
    "nested headings": "".join(f"{'#' * (n % 6 + 1)} Heading {n}\n\ntext\n\n" for n in range(2_000)),
    "unclosed fence": "# Title\n\n```\n" + PARAGRAPH * 100,
    "fences": "```\n```\n" * 10_000,
    "table": "| a | b |\n|---|---|\n" + "".join(f"| row {n} | {n * 7} |\n" for n in range(4_000)),
    "table of one row": "|" + " cell |" * 15_000,
    "CJK": "東京都港区の倉庫に荷物が到着しました。" * 3_000,
    "CJK without full stops": "東京都港区の倉庫" * 5_000,
    "Hangul in pieces": "\u1112\u1161\u11ab" * 20_000,
    "CRLF": "# Title\r\n\r\nSome text.\r\n\r\n" * 4_000,
    "hashes": "# " * 50_000,
    "line ends": "\n" * 100_000 + "end",
    "spaces": " " * 100_000 + "end",
    "control characters": "\x01\n\n" * 20_000,
    "brackets": "[" * 50_000,
    "dots": "a.b." * 25_000,
    "backticks": "`" * 50_000,
    "rules": "---\n" * 20_000,
    "open front matter": "---\n" + "title: x\n" * 10_000,
    "minified": '{"a":1,"b":[1,2,3],"c":{"d":"e"}},' * 3_000,
    "an image in base64": "![](data:image/png;base64," + "iVBORw0KGgo/AAAANSUhEUgAA+" * 3_000 + ")",
}


class MeteredCounter:
    """Counts, and notes how much it had to read."""

    def __init__(self, counter: WordPieceCounter) -> None:
        self._counter = counter
        self.characters = 0
        self.longest = 0

    def count(self, texts: Sequence[str]) -> list[int]:
        self.characters += sum(map(len, texts))
        self.longest = max(self.longest, *map(len, texts), 0)
        return self._counter.count(texts)


@pytest.mark.parametrize("name", PATHOLOGICAL)
def test_a_hostile_text_is_cut_as_promised_in_linear_work(counter: WordPieceCounter, name: str) -> None:
    document = markdown(PATHOLOGICAL[name])
    metered = MeteredCounter(counter)

    passages = HeadingChunker(metered).chunk(document)

    assert_all_promises(document, passages, counter)
    assert metered.longest <= MAX_RUN_CHARS
    assert metered.characters <= 8 * len(document.text)
