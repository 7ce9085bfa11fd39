"""What a caller typed in, a question that can be asked out, or the reason why not."""

from typing import Final

from apex_memory.domain.answers import SearchFilter
from apex_memory.domain.errors import QueryRejected
from apex_memory.domain.value import Value

MAX_LIMIT: Final = 100
# Some 500 tokens: twice what the local embedder reads, and far more than any question.
MAX_QUERY_CHARS: Final = 2_000


class Question(Value):
    """One search, checked; made by `asked`."""

    tenant_id: str
    text: str
    limit: int
    where: SearchFilter


def asked(tenant_id: str, query: str, *, limit: int, where: SearchFilter) -> Question:
    """Raises QueryRejected: empty, too long, unreadable, or more asked for than one answer holds."""
    text = query.strip()
    if not text:
        raise QueryRejected("it is empty; ask with at least one word")
    if len(text) > MAX_QUERY_CHARS:
        raise QueryRejected(f"it has {len(text)} characters; ask with at most {MAX_QUERY_CHARS}")
    if not _storable(text):
        raise QueryRejected("it holds a NUL character or half a surrogate pair; remove it")
    check_limit(limit)
    return Question(tenant_id=tenant_id, text=text, limit=limit, where=where)


def check_limit(limit: int) -> None:
    """Raises QueryRejected."""
    if not 1 <= limit <= MAX_LIMIT:
        raise QueryRejected(f"its limit is {limit}; choose 1 to {MAX_LIMIT}")


def _storable(text: str) -> bool:
    # PostgreSQL takes neither in a text; its driver's complaint would read like an outage.
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
