"""The model's own token counter: what the chunker promises is about real tokens."""

import pytest

from apex_memory.pipeline.embedding.model_files import locate_model
from apex_memory.pipeline.embedding.tokenizer import WordPieceCounter
from apex_memory.pipeline.parsing.chunking import HeadingChunker


@pytest.fixture(scope="session")
def counter() -> WordPieceCounter:
    return WordPieceCounter.load(locate_model())


@pytest.fixture(scope="session")
def chunker(counter: WordPieceCounter) -> HeadingChunker:
    return HeadingChunker(counter)
