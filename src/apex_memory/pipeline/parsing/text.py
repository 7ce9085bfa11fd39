"""Bytes of plain text in, the text under its file's name out."""

from typing import Final

from apex_memory.domain.documents import ParsedDocument
from apex_memory.pipeline.parsing.decoding import decode_text
from apex_memory.pipeline.parsing.titles import file_title

PLAIN_TEXT: Final = "text/plain"


class PlainTextParser:
    media_types = frozenset({PLAIN_TEXT})
    extensions = frozenset({".txt", ".text", ".log"})

    def parse(self, data: bytes, *, name: str) -> ParsedDocument:
        """Raises DocumentRejected."""
        return ParsedDocument(
            title=file_title(name), text=decode_text(data, name=name), media_type=PLAIN_TEXT
        )
