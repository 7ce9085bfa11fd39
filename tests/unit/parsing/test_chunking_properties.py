"""The chunker's promises over generated documents."""

from dataclasses import dataclass
from itertools import takewhile

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.unit.parsing.promises import assert_all_promises, markdown, plain

from apex_memory.pipeline.embedding.tokenizer import WordPieceCounter
from apex_memory.pipeline.parsing.chunking import HeadingChunker

Path = tuple[str, ...]

# Session fixtures are shared by all examples on purpose: they hold no state.
repeatable = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

MARKS = ["# ", "## ", "###### ", "#", "```", "~~~", "| a | b |", "---", "===", "- ", "> ", "    ", "\t"]
WHOLE = ["```python\nx = 1\n```\n", "Title\n=====\n", "---\ntitle: x\n---\n", "[SEP]", "[CLS", "[MASK] "]
ODD = [
    "\n",
    "\n\n",
    "\r",
    "\x00",
    "\x1c",
    "\x85",
    "\u2028",
    "\u200b",
    "\u00a0",
    "e\u0301",
    "ﷺ",
    "🚚",
    "。",
    "한국어",
]
RUNS = ["x", "word ", "a.", "好", "# ", "|", "\n", "각", "ab1", "\u1112\u1161\u11ab", "¿", "-"]
PARTS = st.one_of(
    st.sampled_from(MARKS + WHOLE + ODD),
    st.text(max_size=20),
    st.text(alphabet="abc XYZ.,", max_size=60),
    st.builds(str.__mul__, st.sampled_from(RUNS), st.integers(1, 700)),
)
TEXTS = st.lists(PARTS, max_size=40).map("".join)


# A heading of many tokens fits below a line of text, but not below the header that it makes for itself.
@example(text="A line of text.\n# " + "a." * 140, title="")
@repeatable
@given(text=TEXTS, title=st.text(max_size=300))
def test_markdown_of_any_kind_is_cut_as_promised(
    chunker: HeadingChunker, counter: WordPieceCounter, text: str, title: str
) -> None:
    document = markdown(text, title=title)

    passages = chunker.chunk(document)

    assert_all_promises(document, passages, counter)


@repeatable
@given(text=TEXTS)
def test_plain_text_of_any_kind_is_cut_as_promised_and_has_no_headings(
    chunker: HeadingChunker, counter: WordPieceCounter, text: str
) -> None:
    passages = chunker.chunk(plain(text))

    assert_all_promises(plain(text), passages, counter)
    assert all(passage.heading_path == () for passage in passages)


@dataclass(frozen=True)
class Section:
    level: int
    title: str
    words: int


SECTIONS = st.lists(
    st.builds(
        Section,
        level=st.integers(1, 6),
        title=st.sampled_from(
            ["Scope", "Dock rules", "Übersicht", "A title of rather many words, all in all"]
        ),
        words=st.one_of(st.integers(0, 30), st.integers(0, 600)),
    ),
    max_size=15,
)


@repeatable
@given(sections=SECTIONS)
def test_the_heading_path_is_what_all_body_text_of_a_passage_lies_under(
    chunker: HeadingChunker, counter: WordPieceCounter, sections: list[Section]
) -> None:
    text, bodies = _written(sections)

    passages = chunker.chunk(markdown(text))

    assert_all_promises(markdown(text), passages, counter)
    for passage in passages:
        paths = [path for start, end, path in bodies if start < passage.end and passage.start < end]
        if paths:
            assert passage.heading_path == _common(paths)


def _written(sections: list[Section]) -> tuple[str, list[tuple[int, int, Path]]]:
    """The document, and for each section's body where it lies and which headings are above it."""
    text = ""
    bodies: list[tuple[int, int, Path]] = []
    above: dict[int, str] = {}
    for section in sections:
        above = {level: title for level, title in above.items() if level < section.level}
        above[section.level] = section.title
        text += f"{'#' * section.level} {section.title}\n"
        if section.words:
            body = "moved goods " * section.words + "\n\n"
            bodies.append((len(text), len(text) + len(body.rstrip()), tuple(above.values())))
            text += body
    return text, bodies


def _common(paths: list[Path]) -> Path:
    columns = takewhile(lambda column: len(set(column)) == 1, zip(*paths, strict=False))
    return tuple(column[0] for column in columns)
