"""Bytes in, text and title out."""

import codecs

import pytest

from apex_memory.domain.errors import DocumentRejected
from apex_memory.pipeline.parsing import decoding
from apex_memory.pipeline.parsing.markdown import MarkdownParser
from apex_memory.pipeline.parsing.text import PlainTextParser

SENTENCE = "Zoë paid 5 € for naïve café maps.\n"


def _text(data: bytes) -> str:
    return PlainTextParser().parse(data, name="notes.txt").text


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(SENTENCE.encode(), id="utf-8"),
        pytest.param(codecs.BOM_UTF8 + SENTENCE.encode(), id="utf-8 with mark"),
        pytest.param(codecs.BOM_UTF16_LE + SENTENCE.encode("utf-16-le"), id="utf-16 little"),
        pytest.param(codecs.BOM_UTF16_BE + SENTENCE.encode("utf-16-be"), id="utf-16 big"),
        pytest.param(codecs.BOM_UTF32_LE + SENTENCE.encode("utf-32-le"), id="utf-32 little"),
        pytest.param(codecs.BOM_UTF32_BE + SENTENCE.encode("utf-32-be"), id="utf-32 big"),
        pytest.param(SENTENCE.encode("cp1252"), id="cp1252"),
        pytest.param(SENTENCE.replace("\n", "\r\n").encode(), id="windows line ends"),
        pytest.param(SENTENCE.replace("\n", "\r").encode(), id="old mac line ends"),
    ],
)
def test_every_common_encoding_gives_the_same_text(data: bytes) -> None:
    assert _text(data) == SENTENCE


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"", "is empty", id="no bytes"),
        pytest.param(b" \r\n\t", "is empty", id="blank"),
        pytest.param(codecs.BOM_UTF8, "is empty", id="only a mark"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "is binary", id="image"),
        pytest.param(b"text\x00text", "is binary", id="NUL"),
        pytest.param(SENTENCE.encode("utf-16-le"), "UTF-16 without a byte order mark", id="unmarked"),
        pytest.param(b"MZ\x90\x03\xff\xfe", "is binary", id="program"),
        pytest.param(codecs.BOM_UTF16_LE + b"a", "malformed at byte 2", id="half a character"),
        pytest.param("倉庫に荷物が到着しました".encode("shift-jis"), "cannot be told", id="shift-jis"),
        pytest.param("Привет, мир".encode("cp1251"), "cannot be told", id="cp1251"),
        pytest.param(b"plain text with one \x81 in it", "cannot be told", id="not in cp1252"),
    ],
)
def test_what_is_no_text_is_rejected_with_the_reason(data: bytes, problem: str) -> None:
    with pytest.raises(DocumentRejected, match=problem) as caught:
        _text(data)

    assert caught.value.name == "notes.txt"


def test_a_text_that_is_too_large_is_rejected_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_TEXT_BYTES", 10)

    with pytest.raises(DocumentRejected, match="has 11 bytes of text; at most 10"):
        _text(b"x" * 11)


def test_a_coloured_log_in_a_western_encoding_is_text() -> None:
    assert _text(b"\x1b[31mCaf\xe9\x1b[0m is closed today\n") == "\x1b[31mCafé\x1b[0m is closed today\n"


def test_plain_text_is_called_what_its_file_is_called() -> None:
    document = PlainTextParser().parse(b"# text", name="notes/today\n.txt")

    assert (document.title, document.media_type) == ("today .txt", "text/plain")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        pytest.param('---\ntags: [a]\ntitle: "Dock rules"\n---\n# Other\n', "Dock rules", id="yaml"),
        pytest.param("+++\ntitle = 'Dock rules'\n+++\ntext", "Dock rules", id="toml"),
        pytest.param("---\ntitle: Dock rules\n---", "Dock rules", id="nothing but front matter"),
        pytest.param("\ntext\n\n## *Dock* rules ##\n", "Dock rules", id="first heading"),
        pytest.param("Dock rules\n===\n", "Dock rules", id="underlined heading"),
        pytest.param("---\ntitle: \n---\n# Dock rules\n", "Dock rules", id="empty in front matter"),
        pytest.param("---\ntitle: not closed\n\n# Dock rules\n", "Dock rules", id="open front matter"),
        pytest.param("text\n\ntitle: not front matter\n", "rules.md", id="none"),
    ],
)
def test_markdown_is_called_what_it_says(text: str, title: str) -> None:
    document = MarkdownParser().parse(text.encode(), name="docks/rules.md")

    assert document.title == title
    assert document.text == text


def test_a_title_is_one_line_of_bounded_length() -> None:
    document = MarkdownParser().parse(b"# " + b"long  " * 60, name="x.md")

    assert document.title == ("long " * 40).strip()


def test_a_file_without_a_name_has_a_title() -> None:
    assert PlainTextParser().parse(b"text", name="").title == "untitled"
