"""The HTML of a message in, its text out, in time that grows with its length, however deep it is nested."""

import html
import re
from html.parser import HTMLParser
from typing import Final

#: Each begins a line.
_BLOCKS: Final = frozenset(
    {
        *(
            "address",
            "article",
            "aside",
            "blockquote",
            "br",
            "center",
            "dd",
            "div",
            "dl",
            "dt",
            "footer",
            "form",
        ),
        *(
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "header",
            "hr",
            "li",
            "main",
            "ol",
            "p",
            "pre",
            "section",
            "table",
        ),
        *("tbody", "tfoot", "thead", "title", "tr", "ul"),
    }
)
_CELLS: Final = frozenset({"td", "th"})
_SILENT: Final = frozenset({"script", "style"})

_SPACE: Final = re.compile(r"\s+")
_TAG: Final = re.compile(r"<[^<>]*>")
# The parser turns references into integers: one of 5,000 digits is an error in Python, and no character.
_LONG_REFERENCE: Final = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{8,});?")


def html_text(source: str) -> str:
    """A line for each block; neither markup nor scripts, comments, pictures. What is malformed is text."""
    reader = _Reader()
    # The space tells the parser that a reference at the very end is over.
    reader.feed(_LONG_REFERENCE.sub("\ufffd", source) + " ")
    # Not `close()`: at a construct that never ends it looks for the end anew from every "<" that follows.
    rest = _TAG.sub(" ", reader.rawdata)
    lines = ("".join(reader.parts) + _SPACE.sub(" ", html.unescape(rest))).split("\n")
    return "\n".join(filter(None, (" ".join(line.split()) for line in lines)))


class _Reader(HTMLParser):
    """Keeps no stack: tags that are never closed, or nested however deep, cost what they are long."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the parser's
        self._silent = tag in _SILENT
        self._part(tag)

    def handle_endtag(self, tag: str) -> None:
        self._silent = False
        self._part(tag)

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(_SPACE.sub(" ", data))

    def parse_html_declaration(self, i: int) -> int:
        """Office writes `<![if …]>`, at which the parser would raise an AssertionError."""
        return self.parse_bogus_comment(i)

    def _part(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")
        elif tag in _CELLS:
            self.parts.append(" ")
