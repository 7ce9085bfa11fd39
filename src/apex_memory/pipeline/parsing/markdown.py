"""Bytes of Markdown in, the text under its own title out."""

from itertools import islice
from typing import Final

from apex_memory.domain.documents import ParsedDocument
from apex_memory.pipeline.parsing.blocks import markdown_blocks
from apex_memory.pipeline.parsing.decoding import decode_text
from apex_memory.pipeline.parsing.front_matter import front_matter_title
from apex_memory.pipeline.parsing.titles import file_title, one_line

MARKDOWN: Final = "text/markdown"
# A first heading further down than this is not the title of the whole.
TITLE_WITHIN_BLOCKS: Final = 20


class MarkdownParser:
    """Keeps the text as it is: headings are read again when it is cut into passages."""

    media_types = frozenset({MARKDOWN, "text/x-markdown"})
    extensions = frozenset({".md", ".markdown"})

    def parse(self, data: bytes, *, name: str) -> ParsedDocument:
        """The title is the front matter's, else the first heading, else the file's name.

        Raises:
            DocumentRejected: empty, binary or not decodable.
        """
        text = decode_text(data, name=name)
        title = one_line(front_matter_title(text) or _first_heading(text))
        return ParsedDocument(title=title or file_title(name), text=text, media_type=MARKDOWN)


def _first_heading(text: str) -> str:
    blocks = islice(markdown_blocks(text), TITLE_WITHIN_BLOCKS)
    return next((block.title for block in blocks if block.level), "")
