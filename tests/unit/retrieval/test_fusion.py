"""Any proposals in, one ranking out that is complete, bounded and the same on every run."""

import math
from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_memory.domain.answers import Candidate
from apex_memory.pipeline.retrieval.fusion import best_first, cosines, fuse, shares_of_best

ITEM = UUID(int=0)


def candidate(chunk: int, score: float) -> Candidate:
    return Candidate(chunk_id=UUID(int=chunk), item_id=ITEM, version=1, score=score)


def legs(scores: st.SearchStrategy[float]) -> st.SearchStrategy[list[Candidate]]:
    return st.lists(st.builds(candidate, st.integers(1, 12), scores), max_size=12)


def chunks(ranked: Sequence[Candidate]) -> list[int]:
    return [one.chunk_id.int for one in ranked]


ANY_LEG = legs(st.floats())
COSINES = legs(st.floats(-1, 1))
# Quarters: sums and powers of two of them are exact, so that equal stays equal.
POINTS = legs(st.integers(0, 40).map(lambda n: n / 4))


@given(ANY_LEG, ANY_LEG)
def test_every_proposed_chunk_is_ranked_once_with_a_score_from_0_to_1(
    dense: list[Candidate], lexical: list[Candidate]
) -> None:
    ranked = fuse(dense=dense, lexical=lexical)

    assert sorted(chunks(ranked)) == sorted({one.chunk_id.int for one in (*dense, *lexical)})
    assert all(0 <= one.score <= 1 for one in ranked)
    assert list(ranked) == sorted(ranked, key=lambda one: (-one.score, one.chunk_id))


@given(COSINES, POINTS)
def test_the_order_in_which_legs_propose_changes_nothing(
    dense: list[Candidate], lexical: list[Candidate]
) -> None:
    ranked = fuse(dense=dense, lexical=lexical)

    assert fuse(dense=dense[::-1], lexical=lexical[::-1]) == ranked


@given(COSINES, POINTS, st.integers(-8, 8))
def test_the_scale_of_lexical_scores_changes_nothing(
    dense: list[Candidate], lexical: list[Candidate], exponent: int
) -> None:
    scaled = [one.model_copy(update={"score": math.ldexp(one.score, exponent)}) for one in lexical]

    assert fuse(dense=dense, lexical=scaled) == fuse(dense=dense, lexical=lexical)


@given(COSINES, POINTS, st.integers(1, 12), st.floats(0, 1))
def test_a_chunk_that_is_nearer_never_ranks_lower(
    dense: list[Candidate], lexical: list[Candidate], chunk: int, cosine: float
) -> None:
    before = chunks(fuse(dense=[*dense, candidate(chunk, 0.0)], lexical=lexical))
    after = chunks(fuse(dense=[*dense, candidate(chunk, 0.0), candidate(chunk, cosine)], lexical=lexical))

    assert after.index(chunk) <= before.index(chunk)


def test_equal_scores_are_ordered_by_chunk_id() -> None:
    ranked = best_first([candidate(3, 0.5), candidate(1, 0.5), candidate(2, 0.9)])

    assert chunks(ranked) == [2, 1, 3]


def test_what_both_legs_find_good_comes_before_what_one_finds_best() -> None:
    ranked = fuse(
        dense=[candidate(1, 0.8), candidate(2, 0.7)], lexical=[candidate(3, 20.0), candidate(2, 15.0)]
    )

    assert [(one.chunk_id.int, one.score) for one in ranked] == [
        (2, pytest.approx(0.5 * 0.7 + 0.5 * 0.75)),
        (3, pytest.approx(0.5)),
        (1, pytest.approx(0.4)),
    ]


def test_what_points_away_and_what_is_no_number_counts_as_nothing() -> None:
    assert set(cosines([candidate(1, -0.4), candidate(2, math.nan)]).values()) == {0.0}
    assert set(shares_of_best([candidate(1, 0.0), candidate(2, math.inf)]).values()) == {0.0}
