"""A linear classifier over hashed character n-grams: numpy at run time, scikit-learn only to train it."""

from __future__ import annotations

import functools
import hashlib
import io
from importlib import resources

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kolray.models.sentiment.ngrams import BUCKETS, buckets, prepare

LABELS = (-1, 0, 1)
_CHUNK = 4096
"""Texts judged at once: the working arrays stay in the processor's cache."""


class LinearClassifier:
    """Multinomial logistic regression; a ``TextClassifier``.

    Args:
        weights: float16 of shape (``BUCKETS``, 3), columns in the order of ``LABELS``.
        bias: float32 of shape (3,).
    """

    def __init__(self, weights: NDArray[np.float16], bias: NDArray[np.float32]) -> None:
        if weights.shape != (BUCKETS, len(LABELS)) or bias.shape != (len(LABELS),):
            raise ValueError(f"weights {weights.shape} and bias {bias.shape} are not those of {BUCKETS} buckets")
        digest = hashlib.sha256(weights.tobytes() + bias.tobytes()).hexdigest()[:12]
        self.version = f"linear-{digest}"
        # Neutral is the reference class: two columns give the same argmax as three.
        self._against_neutral = np.ascontiguousarray((weights.astype(np.float32) - weights[:, 1:2])[:, [0, 2]])
        self._against_neutral[0] = 0.0
        self._bias = (bias - bias[1])[[0, 2]]
        self.weights, self.bias = weights, bias

    def classify(self, texts: pl.Series) -> pl.Series:
        """Int8 sentiment of each text: -1, 0 or 1; null and blank texts are 0."""
        logits = self.logits(texts)
        sentiment = np.where(logits[:, 0] > logits[:, 1], -1, 1).astype(np.int8)
        sentiment[logits.max(axis=1, initial=-np.inf) <= 0] = 0
        blank = (texts.fill_null("").str.strip_chars() == "").to_numpy()
        sentiment[blank] = 0
        return pl.Series(texts.name, sentiment, dtype=pl.Int8)

    def logits(self, texts: pl.Series) -> NDArray[np.float32]:
        """Log-odds against neutral, shape (n, 2): negative, positive."""
        prepared = prepare(texts.cast(pl.String)).to_list()
        parts = [self._chunk(prepared[i : i + _CHUNK]) for i in range(0, len(prepared), _CHUNK)]
        return np.concatenate([np.empty((0, 2), np.float32), *parts])

    def _chunk(self, prepared: list[str]) -> NDArray[np.float32]:
        total = np.zeros((len(prepared), 2), np.float32)
        count = np.zeros(len(prepared), np.float32)
        sizes, starts = buckets(prepared)
        for bucket in sizes:
            total += np.add.reduceat(self._against_neutral.take(bucket, axis=0), starts, axis=0)
            count += np.add.reduceat((bucket > 0).astype(np.float32), starts)
        return total / np.sqrt(np.maximum(count, 1.0))[:, None] + self._bias

    def to_bytes(self) -> bytes:
        """The classifier as an npz file."""
        out = io.BytesIO()
        np.savez_compressed(out, weights=self.weights, bias=self.bias)
        return out.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> LinearClassifier:
        """What ``to_bytes`` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return cls(file["weights"], file["bias"])


@functools.cache
def default_classifier() -> LinearClassifier:
    """The classifier that ships with kolray (``default.npz``, written by ``kolray.models.sentiment.train``)."""
    return LinearClassifier.from_bytes((resources.files(__package__) / "default.npz").read_bytes())
