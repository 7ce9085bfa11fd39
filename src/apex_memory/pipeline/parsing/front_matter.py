"""Markdown in, where its front matter ends and which title it gives out."""

import re
from typing import Final

# YAML between lines of three hyphens or TOML between lines of three pluses, at the very beginning.
FENCES: Final = ("---", "+++")
# An unclosed fence must not make the whole text front matter, nor cost more than this to find out.
MAX_CHARS: Final = 65_536
# One line is enough to find a title, so neither format needs a parser.
TITLE: Final = re.compile(r"^title[ \t]*[:=][ \t]*(.{1,400})$", re.MULTILINE)


def front_matter_end(text: str) -> int:
    """The offset of the first character after the front matter; 0 if there is none."""
    fence = text[:3]
    if fence not in FENCES or text[3:4] != "\n":
        return 0
    closing = text.find(f"\n{fence}\n", 3, MAX_CHARS)
    if closing >= 0:
        return closing + len(fence) + 2
    return len(text) if len(text) <= MAX_CHARS and text.endswith(f"\n{fence}") else 0


def front_matter_title(text: str) -> str:
    """Empty if there is none."""
    match = TITLE.search(text, 0, front_matter_end(text))
    return match[1].strip().strip("\"'") if match else ""
