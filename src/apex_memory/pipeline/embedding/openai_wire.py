"""The body of an embeddings answer in, a matrix in input order out."""

import base64
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from apex_memory.domain.errors import StoreUnavailable
from apex_memory.pipeline.embedding.openai_errors import PROVIDER

LITTLE_ENDIAN_FLOATS: Final = np.dtype("<f4")


class _Embedding(BaseModel):
    index: int
    # Base64 was asked for; servers that only imitate the API answer with numbers all the same.
    embedding: str | list[float]


class _Answer(BaseModel):
    data: list[_Embedding]


def decoded(body: bytes, *, count: int) -> NDArray[np.float32]:
    """`float32 (count, dim)` as sent, not normalised.

    Raises:
        StoreUnavailable: the body is not `count` embeddings of one length. A proxy's error page under
            status 200 looks like this, so it is worth another try.
    """
    try:
        rows = sorted(_Answer.model_validate_json(body).data, key=lambda row: row.index)
        if [row.index for row in rows] != list(range(count)):
            raise StoreUnavailable(PROVIDER, f"{len(rows)} embeddings came back for {count} texts")
        return np.stack([_vector(row.embedding) for row in rows])
    except ValueError as exc:  # pydantic's, base64's and numpy's errors are all ValueErrors
        raise StoreUnavailable(PROVIDER, "the answer is not a list of embeddings") from exc


def _vector(embedding: str | list[float]) -> NDArray[np.float32]:
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), LITTLE_ENDIAN_FLOATS)
    return np.array(embedding, np.float32)
