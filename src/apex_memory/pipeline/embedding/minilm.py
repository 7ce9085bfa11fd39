"""Token ids in, one unit vector per sequence out: all-MiniLM-L6-v2 as a plain numpy forward pass.

Sequences are packed end to end into one (tokens, width) matrix, so nothing is padded and nothing is masked;
only attention looks at one sequence at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import (
    load_file,  # pyright: ignore[reportUnknownVariableType] - its path is an open generic
)

Floats = NDArray[np.float32]
TokenIds = NDArray[np.int64]

WIDTH: Final = 384
LAYERS: Final = 6
HEADS: Final = 12
HEAD_WIDTH: Final = WIDTH // HEADS
FEED_FORWARD_WIDTH: Final = 1536
LAYER_NORM_EPSILON: Final = np.float32(1e-12)
# 64 rows of 1536 floats and their scratch stay in a core's second-level cache.
GELU_ROWS: Final = 64
# Abramowitz and Stegun 7.1.26: erf(z) = 1 - (a1 t + ... + a5 t^5) exp(-z^2) with t = 1 / (1 + p z); its error
# is below 1.5e-7, a rounding of float32.
ERF_P: Final = np.float32(0.3275911)
ERF_A5_TO_A1: Final = tuple(
    np.float32(a) for a in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
)
SQRT_HALF: Final = np.float32(0.70710678)


class MiniLM:
    """The encoder and its mean pooling. Read-only once built: many threads may share it."""

    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        self._words = tensors["embeddings.word_embeddings.weight"]
        # Every token is of type 0 here, so its type embedding is a constant of its position.
        self._positions = (
            tensors["embeddings.position_embeddings.weight"]
            + tensors["embeddings.token_type_embeddings.weight"][0]
        )
        self._norm = _Norm.of(tensors, "embeddings.LayerNorm")
        self._layers = [_Layer.of(tensors, f"encoder.layer.{n}") for n in range(LAYERS)]

    @classmethod
    def load(cls, weights: Path) -> Self:
        """Read a `model.safetensors` of 90 MB into memory."""
        return cls(load_file(weights))

    def forward(self, sequences: Sequence[TokenIds]) -> Floats:
        """One L2-normalised row per sequence; each has 1 to 512 ids, special tokens included."""
        lengths = [len(ids) for ids in sequences]
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        spans = [slice(start, start + n) for start, n in zip(starts, lengths, strict=True)]
        hidden = self._words[np.concatenate(sequences)]
        hidden += np.concatenate([self._positions[:n] for n in lengths])
        self._norm.apply(hidden)
        for layer in self._layers:
            layer.apply(hidden, spans)
        pooled = np.add.reduceat(hidden, starts, axis=0) / np.asarray(lengths, np.float32)[:, None]
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)


@dataclass(frozen=True, slots=True)
class _Norm:
    """Layer normalisation."""

    scale: Floats
    shift: Floats

    @classmethod
    def of(cls, tensors: Mapping[str, Floats], name: str) -> Self:
        return cls(tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    def apply(self, x: Floats) -> None:
        """In place."""
        x -= x.mean(-1, keepdims=True)
        variance = np.einsum("ti,ti->t", x, x)[:, None] / np.float32(x.shape[1])
        x *= 1 / np.sqrt(variance + LAYER_NORM_EPSILON)
        x *= self.scale
        x += self.shift


@dataclass(frozen=True, slots=True)
class _Dense:
    """An affine map; `weight` is (in, out), the transpose of what the file holds."""

    weight: Floats
    bias: Floats

    @classmethod
    def of(cls, tensors: Mapping[str, Floats], name: str) -> Self:
        return cls(np.ascontiguousarray(tensors[f"{name}.weight"].T), tensors[f"{name}.bias"])

    def __call__(self, x: Floats) -> Floats:
        y = x @ self.weight
        y += self.bias
        return y


@dataclass(frozen=True, slots=True)
class _Layer:
    """Self-attention, then feed-forward; each is added to its input and normalised."""

    project: _Dense
    merge: _Dense
    attention_norm: _Norm
    widen: _Dense
    narrow: _Dense
    output_norm: _Norm

    @classmethod
    def of(cls, tensors: Mapping[str, Floats], name: str) -> Self:
        return cls(
            project=_query_key_value(tensors, f"{name}.attention.self"),
            merge=_Dense.of(tensors, f"{name}.attention.output.dense"),
            attention_norm=_Norm.of(tensors, f"{name}.attention.output.LayerNorm"),
            widen=_Dense.of(tensors, f"{name}.intermediate.dense"),
            narrow=_Dense.of(tensors, f"{name}.output.dense"),
            output_norm=_Norm.of(tensors, f"{name}.output.LayerNorm"),
        )

    def apply(self, hidden: Floats, spans: Sequence[slice]) -> None:
        """In place."""
        projected = self.project(hidden)
        attended = np.empty_like(hidden)
        for span in spans:
            attended[span] = _attend(projected[span])
        hidden += self.merge(attended)
        self.attention_norm.apply(hidden)
        wide = self.widen(hidden)
        _gelu(wide)
        hidden += self.narrow(wide)
        self.output_norm.apply(hidden)


def _query_key_value(tensors: Mapping[str, Floats], name: str) -> _Dense:
    """The three projections as one matrix product, with attention's 1/sqrt(width) folded into the queries."""
    query, key, value = (_Dense.of(tensors, f"{name}.{part}") for part in ("query", "key", "value"))
    scale = np.float32(HEAD_WIDTH**-0.5)
    return _Dense(
        weight=np.concatenate([query.weight * scale, key.weight, value.weight], axis=1),
        bias=np.concatenate([query.bias * scale, key.bias, value.bias]),
    )


def _attend(projected: Floats) -> Floats:
    """One sequence's (n, 3 x width) queries, keys and values in, its (n, width) mixture of values out."""
    n = len(projected)
    # (queries | keys | values, head, token, width of a head)
    split: Floats = projected.reshape(n, 3, HEADS, HEAD_WIDTH).transpose(1, 2, 0, 3)
    weights: Floats = split[0] @ split[1].swapaxes(1, 2)
    _softmax(weights)
    mixed: Floats = weights @ split[2]
    return mixed.transpose(1, 0, 2).reshape(n, WIDTH)


def _softmax(scores: Floats) -> None:
    """Over the last axis, in place."""
    scores -= scores.max(-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(-1, keepdims=True)


def _gelu(x: Floats) -> None:
    """x/2 (1 + erf(x / sqrt 2)), in place, a few rows at a time."""
    scratch = np.empty((GELU_ROWS, FEED_FORWARD_WIDTH), np.float32)
    for start in range(0, len(x), GELU_ROWS):
        rows = x[start : start + GELU_ROWS]
        _gelu_rows(rows, scratch[: len(rows)])


def _gelu_rows(x: Floats, t: Floats) -> None:
    z = np.abs(x)
    z *= SQRT_HALF
    np.multiply(z, ERF_P, out=t)
    t += np.float32(1)
    np.divide(np.float32(1), t, out=t)
    erf = t * ERF_A5_TO_A1[0]
    for a in ERF_A5_TO_A1[1:]:
        erf += a
        erf *= t
    z *= z
    np.negative(z, out=z)
    np.exp(z, out=z)
    erf *= z
    np.subtract(np.float32(1), erf, out=erf)
    np.copysign(erf, x, out=erf)
    erf += np.float32(1)
    erf *= np.float32(0.5)
    x *= erf
