"""Which parser reads what."""

import inspect
import pkgutil
from importlib import import_module

import pytest

from apex_memory.domain.errors import DocumentRejected
from apex_memory.pipeline import parsing
from apex_memory.pipeline.parsing.markdown import MarkdownParser
from apex_memory.pipeline.parsing.registry import PARSERS, parser_for
from apex_memory.pipeline.parsing.text import PlainTextParser


@pytest.mark.parametrize(
    ("media_type", "name", "parser"),
    [
        ("text/plain", "notes.txt", PlainTextParser),
        ("text/plain; charset=utf-8", "no-extension", PlainTextParser),
        ("text/plain", "main.py", PlainTextParser),
        ("", "server.LOG", PlainTextParser),
        ("text/markdown", "no-extension", MarkdownParser),
        ("Text/Markdown; variant=GFM", "a.b", MarkdownParser),
        ("text/plain", "README.md", MarkdownParser),
        ("application/octet-stream", "README.markdown", MarkdownParser),
        ("text/markdown", "notes.txt", MarkdownParser),
    ],
)
def test_media_type_decides_and_the_extension_where_that_is_vague(
    media_type: str, name: str, parser: type
) -> None:
    assert isinstance(parser_for(media_type, name), parser)


@pytest.mark.parametrize(
    ("media_type", "name"), [("image/png", "notes.txt"), ("", "tape.wav"), ("application/octet-stream", "x")]
)
def test_an_unsupported_format_is_rejected_and_the_supported_ones_are_named(
    media_type: str, name: str
) -> None:
    with pytest.raises(DocumentRejected, match=r"unsupported.*\.markdown, \.md, .*\.txt"):
        parser_for(media_type, name)


def test_no_two_parsers_claim_the_same() -> None:
    claims = [claim for parser in PARSERS for claim in (*parser.media_types, *parser.extensions)]

    assert len(set(claims)) == len(claims)


def test_every_parser_of_the_folder_is_registered() -> None:
    modules = [import_module(f"{parsing.__name__}.{m.name}") for m in pkgutil.iter_modules(parsing.__path__)]
    found = {
        cls
        for module in modules
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if cls.__module__ == module.__name__ and hasattr(cls, "media_types")
    }

    assert found == {type(parser) for parser in PARSERS}
