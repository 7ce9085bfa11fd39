"""A media type and a file name in, the parser for them out."""

from pathlib import PurePath
from typing import Final

from apex_memory.domain.errors import DocumentRejected
from apex_memory.pipeline.parsing.markdown import MarkdownParser
from apex_memory.pipeline.parsing.text import PlainTextParser
from apex_memory.ports import Parser

PARSERS: Final[tuple[Parser, ...]] = (PlainTextParser(), MarkdownParser())
# What senders say that do not know: the extension then tells more.
VAGUE: Final = frozenset({"", "application/octet-stream", "binary/octet-stream", "text/plain"})


def parser_for(media_type: str, name: str) -> Parser:
    """By media type, parameters ignored; by the name's extension where the media type says little.

    Raises:
        DocumentRejected: no parser reads this format; names those that can be read.
    """
    essence = media_type.partition(";")[0].strip().lower()
    extension = PurePath(name).suffix.lower()
    if essence in VAGUE:
        for parser in PARSERS:
            if extension in parser.extensions:
                return parser
    for parser in PARSERS:
        if essence in parser.media_types:
            return parser
    readable = ", ".join(sorted(ending for parser in PARSERS for ending in parser.extensions))
    raise DocumentRejected(
        name, f"is of an unsupported format ({essence or 'no media type'}); supported: {readable}"
    )
