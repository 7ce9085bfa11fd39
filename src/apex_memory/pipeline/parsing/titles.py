"""What a document is called in, one short line out."""

from pathlib import PurePath
from typing import Final

MAX_TITLE_CHARS: Final = 200


def one_line(title: str) -> str:
    """Without line ends and runs of spaces, at most `MAX_TITLE_CHARS` long; empty stays empty."""
    return " ".join(title[: 2 * MAX_TITLE_CHARS].split())[:MAX_TITLE_CHARS].rstrip()


def file_title(name: str) -> str:
    """The last part of a path or URL path, for a document that does not say what it is called."""
    return one_line(PurePath(name).name) or "untitled"
