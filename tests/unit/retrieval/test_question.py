"""What callers type in, and the reasons for which it is refused."""

import pytest

from apex_memory.domain.answers import SearchFilter
from apex_memory.domain.errors import QueryRejected
from apex_memory.pipeline.retrieval.question import MAX_LIMIT, MAX_QUERY_CHARS, asked

EVERYTHING = SearchFilter()


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "ask with at least one word"),
        (" \t\n\u3000", "ask with at least one word"),
        ("x" * (MAX_QUERY_CHARS + 1), f"ask with at most {MAX_QUERY_CHARS}"),
        ("where\0is it", "remove it"),
        ("where \ud83d is it", "remove it"),
    ],
    ids=["empty", "blank", "too long", "NUL", "half a surrogate pair"],
)
def test_a_query_that_cannot_be_answered_is_refused_with_what_to_do(query: str, reason: str) -> None:
    with pytest.raises(QueryRejected, match=reason):
        asked("acme", query, limit=10, where=EVERYTHING)


@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
def test_a_limit_out_of_bounds_is_refused_with_the_bounds(limit: int) -> None:
    with pytest.raises(QueryRejected, match="choose 1 to 100"):
        asked("acme", "where is it?", limit=limit, where=EVERYTHING)


def test_space_around_a_query_is_no_part_of_it() -> None:
    padded = asked("acme", "  where is it?\n", limit=MAX_LIMIT, where=EVERYTHING)

    assert padded == asked("acme", "where is it?", limit=MAX_LIMIT, where=EVERYTHING)
