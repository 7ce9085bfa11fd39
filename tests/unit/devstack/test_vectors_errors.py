"""What the engine raises, told apart by its text."""

import pytest

from apex_memory.devstack.vectors.errors import BadRequest, EngineFailed, NotFound, Refusal, refusals


class Bug(Exception):
    """An error of our own."""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Vector dimension error: expected dim: 4, got 2", BadRequest),
        ("Not existing vector name error: nope", BadRequest),
        ("Wrong usage of sparse vectors", BadRequest),
        ("No appropriate index for faceting: `s`.", BadRequest),
        ("Validation failed: cannot apply Fusion without prefetches", BadRequest),
        ("No point with id 999", NotFound),
        ("Service runtime error: Shard is not initialized", EngineFailed),
        ("something nobody has seen yet", EngineFailed),
    ],
)
def test_the_engines_bare_exceptions_are_told_apart_by_their_text(text: str, kind: type[Refusal]) -> None:
    with pytest.raises(kind, match=text[:20]), refusals():
        raise Exception(text)  # noqa: TRY002 - the engine does


def test_a_value_the_binding_cannot_read_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="invalid JSON path"), refusals():
        raise ValueError("invalid JSON path a b..")


def test_an_error_of_our_own_is_not_taken_for_the_engines() -> None:
    with pytest.raises(Bug), refusals():
        raise Bug
