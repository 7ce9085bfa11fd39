"""Texts in, vectors out, computed by OpenAI or by a server that speaks its embeddings API."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from openai import APIError, AsyncOpenAI, omit

from apex_memory.domain.errors import ProviderRefused, StoreUnavailable
from apex_memory.pipeline.embedding.openai_errors import PROVIDER, translated
from apex_memory.pipeline.embedding.openai_wire import decoded

MAX_INPUTS: Final = 2048
MAX_REQUEST_TOKENS: Final = 300_000
MAX_INPUT_TOKENS: Final = 8192
TIMEOUT_S: Final = 60.0
# The API refuses an empty input, and with it the whole request.
BLANK: Final = "."


class OpenAIEmbedder:
    """Keeps the API's limits without a tokenizer: no text has more tokens than bytes in UTF-8."""

    def __init__(
        self, *, api_key: str, base_url: str, model: str, dim: int, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.id = f"openai:{model}:{dim}"
        self.dim = dim
        self.max_tokens = MAX_INPUT_TOKENS
        self._model = model
        # Only the third generation can be asked for a length; others answer the parameter with a 400.
        self._dimensions = dim if model.startswith("text-embedding-3") else omit
        # Temporal owns the retries: the client's own would hide an outage for minutes.
        self._client = AsyncOpenAI(api_key=api_key, base_url=base_url, timeout=timeout_s, max_retries=0)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """`float32 (len(texts), dim)`, L2-normalised, in input order; what follows byte 8192 is not sent.

        Raises:
            RateLimited: after how many seconds to come back.
            StoreUnavailable: no answer in time, a 5xx, or an answer that is no embedding.
            ProviderRefused: key, quota, request or dimension.
        """
        vectors = [await self._request(batch) for batch in batches([_sendable(text) for text in texts])]
        return np.concatenate(vectors) if vectors else np.empty((0, self.dim), np.float32)

    async def aclose(self) -> None:
        """Close the connections; the embedder cannot be used after."""
        await self._client.close()

    async def _request(self, batch: list[str]) -> NDArray[np.float32]:
        try:
            answer = await self._client.embeddings.with_raw_response.create(
                model=self._model, input=batch, dimensions=self._dimensions, encoding_format="base64"
            )
        except APIError as exc:
            raise translated(exc) from exc
        vectors = decoded(answer.content, count=len(batch))
        if vectors.shape[1] != self.dim:
            raise ProviderRefused(
                PROVIDER,
                f"{self._model} answers with {vectors.shape[1]} dimensions, {self.dim} are configured",
            )
        return _normalised(vectors)


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Consecutive texts, as many at a time as one request may carry."""
    batch: list[str] = []
    size = 0
    for text in texts:
        length = len(text.encode())
        if batch and (len(batch) == MAX_INPUTS or size + length > MAX_REQUEST_TOKENS):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += length
    if batch:
        yield batch


def _sendable(text: str) -> str:
    if not text.strip():
        return BLANK
    return text.encode()[:MAX_INPUT_TOKENS].decode(errors="ignore")


def _normalised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise StoreUnavailable(PROVIDER, "a vector in the answer has no direction (zero, NaN or infinite)")
    return vectors / lengths
