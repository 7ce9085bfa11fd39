"""Text in, WordPiece token ids or counts out, as all-MiniLM-L6-v2 was trained to read it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from apex_memory.pipeline.embedding.model_files import TOKENIZER, verified

# The file says 128 and its sibling configurations 512; 256 is the length that the model was trained with.
MAX_TOKENS: Final = 256


class ModelTokenizer:
    """What the model reads: at most 256 ids a text, `[CLS]` and `[SEP]` included, the end cut off."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, model_dir: Path) -> Self:
        """Raises DependencyMissing."""
        tokenizer = _load(model_dir)
        tokenizer.enable_truncation(MAX_TOKENS)  # pyright: ignore[reportUnknownMemberType] - untyped kwargs
        return cls(tokenizer)

    def token_ids(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """An empty text still has its two special tokens."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        return [np.array(encoding.ids, np.int64) for encoding in encodings]


class WordPieceCounter:
    """How many tokens a text has, whatever its length, special tokens not counted."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, model_dir: Path) -> Self:
        """Raises DependencyMissing."""
        tokenizer = _load(model_dir)
        tokenizer.no_truncation()
        return cls(tokenizer)

    def count(self, texts: Sequence[str]) -> list[int]:
        """In input order. Never give it a long text without spaces: its time would grow with the square."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]


def _load(model_dir: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(verified(model_dir, TOKENIZER)))
    # The file pads every text to 128 tokens: 16 times the work for a short one.
    tokenizer.no_padding()
    return tokenizer
