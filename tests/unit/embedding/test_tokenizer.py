"""Token counts for the chunker."""

from pathlib import Path

import pytest

from apex_memory.pipeline.embedding.tokenizer import ModelTokenizer, WordPieceCounter


@pytest.fixture(scope="module")
def counter(model_dir: Path) -> WordPieceCounter:
    return WordPieceCounter.load(model_dir)


def test_counts_know_no_limit_and_no_padding(counter: WordPieceCounter) -> None:
    assert counter.count(["", "word", "word " * 1000]) == [0, 1, 1000]


def test_no_texts_have_no_counts(counter: WordPieceCounter) -> None:
    assert counter.count([]) == []


def test_what_the_model_reads_is_the_count_and_two_tokens_of_its_own(
    model_dir: Path, counter: WordPieceCounter
) -> None:
    text = "Unit 42 arrived at dock 7; SHIP-2025-10-19-002 was signed for."

    ids = ModelTokenizer.load(model_dir).token_ids([text])[0]

    assert len(ids) == counter.count([text])[0] + 2
