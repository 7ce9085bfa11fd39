"""A question's text in, the business keys it may be naming out, most telling first."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from apex_memory.domain import ids

MAX_KEYS: Final = 32
MAX_WORDS: Final = 4

_WORD: Final = re.compile(r"\w(?:\S*\w)?")
_POSSESSIVES: Final = ("'s", "\u2019s")


def candidate_keys(text: str) -> tuple[str, ...]:
    """At most `MAX_KEYS` keys in the spelling of `ids.entity_key`, to be looked up: most name nothing.

    First the words that look like keys (SHIP-2025-10-19-002, 4412, bob@example.com), then runs of words
    that are all capitalised (Acme Manufacturing Corp), then the others, in the order of their length.
    """
    words = [_bare(word) for word in _WORD.findall(text)]
    keys = [word for word in words if _looks_like_a_key(word)]
    runs = sorted(_runs(words), key=lambda run: not all(map(_capitalised, run)))
    keys += [" ".join(run) for run in runs]
    return tuple(dict.fromkeys(map(ids.entity_key, keys)))[:MAX_KEYS]


def _bare(word: str) -> str:
    return word[:-2] if word.endswith(_POSSESSIVES) else word


def _looks_like_a_key(word: str) -> bool:
    return "@" in word or "-" in word or any(map(str.isdigit, word))


def _runs(words: Sequence[str]) -> Iterator[Sequence[str]]:
    for length in range(1, MAX_WORDS + 1):
        for start in range(len(words) - length + 1):
            yield words[start : start + length]


def _capitalised(word: str) -> bool:
    return word[0].isupper() or word[0].isdigit()
