"""What is cached in, the name of its key out; and back, for who has to know what a key holds."""

from typing import Final
from uuid import UUID

from apex_memory.domain.bundles import VersionRef

_CARD: Final = "item"
_ANSWER: Final = "answer"
_VECTOR: Final = "vector"


def card_key(item_id: UUID, version: int) -> str:
    return f"{_CARD}:{item_id}:v{version}"


def answer_key(seq: int, digest: str) -> str:
    return f"{_ANSWER}:{seq}:{digest}"


def vector_key(digest: str) -> str:
    return f"{_VECTOR}:{digest}"


def card_of(key: str) -> VersionRef | None:
    """The version whose card lies under this key; None: no card."""
    kind, _, rest = key.partition(":")
    item, _, version = rest.partition(":v")
    return VersionRef(item_id=UUID(item), version=int(version)) if kind == _CARD else None


def answered_at(key: str) -> int | None:
    """The snapshot of the answer under this key; None: no answer."""
    kind, _, rest = key.partition(":")
    return int(rest.partition(":")[0]) if kind == _ANSWER else None
