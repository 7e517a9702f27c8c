"""A member that weighs n-grams of words and characters: multinomial logistic regression over hashed tf-idf.

Each n-gram is a bucket, each bucket a row of weights, and a text the sum of its rows over its length (the Euclidean
norm of its scales). scikit-learn only trains it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from kolray.models.sentiment.spelling import Floats, Ints, Spelled

BUCKETS = 1 << 18
"""For words, and as many again for characters."""
WORDS = (1, 2, 3)
CHARS = (2, 3, 4, 5, 6)
WORD_WEIGHT = 2.0
"""An n-gram of words counts as much as so many of characters, of which there are several times more."""
STRENGTH = 10.0
"""Inverse of the L2 penalty."""
MAX_CODES = 8_000_000
"""Training texts longer than this together have words enough: n-grams of characters would only cost memory."""


@dataclass(frozen=True)
class Terms:
    """``table``: float32, a row a bucket: each label's weight times the bucket's scale, and that scale squared.

    Row 0 is empty; then come ``BUCKETS`` rows for words and, where characters are weighed, as many for them.
    ``bias`` a label.
    """

    table: Floats
    bias: Floats

    @property
    def chars(self) -> bool:
        """Whether n-grams of characters are weighed too."""
        return len(self.table) > BUCKETS + 1

    def logits(self, texts: Spelled) -> Floats:
        """Shape (texts, labels)."""
        total = np.zeros((len(texts.lengths), self.table.shape[1]), np.float32)
        for buckets, counts in grams(texts, chars=self.chars):
            some = np.flatnonzero(counts)
            if len(some):
                first = (np.cumsum(counts) - counts)[some]
                total[some] += np.add.reduceat(self.table.take(buckets, axis=0), first, axis=0)
        return total[:, :-1] / np.sqrt(np.maximum(total[:, -1:], 1e-6)) + self.bias


def grams(texts: Spelled, *, chars: bool) -> Iterator[tuple[Ints, Ints]]:
    """Of each kind and size of n-gram its buckets, text after text, and how many places a text has.

    Bucket 0 is a place whose n-gram would leave the text; the rows of 0 are zeros.
    """
    for buckets in texts.word_grams(WORDS, BUCKETS):
        yield buckets, texts.n_words
    if chars:
        for buckets in texts.char_grams(CHARS, BUCKETS):
            yield np.where(buckets > 0, buckets + BUCKETS, 0), texts.lengths


def count_grams(texts: Spelled) -> csr_matrix:
    """How often each bucket occurs in each text; n-grams of words alone where the texts are long."""
    chars = len(texts.codes) <= MAX_CODES
    shape = (len(texts.lengths), BUCKETS * (2 if chars else 1) + 1)
    counted = csr_matrix(shape, dtype=np.float32)
    for buckets, counts in grams(texts, chars=chars):
        rows = np.repeat(np.arange(shape[0], dtype=np.int32), counts)
        held = buckets > 0
        entries = (np.ones(int(held.sum()), np.float32), (rows[held], buckets[held].astype(np.int32)))
        counted += csr_matrix(entries, shape=shape)
    return counted


def fit_terms(counted: csr_matrix, labels: Ints) -> Terms:
    """Learns from what ``count_grams`` gave and labels 0, 1, …, each of which occurs. Deterministic.

    N-grams of a single text are left out, but among fewer than 1,000 texts.
    """
    from sklearn.linear_model import LogisticRegression

    n_texts, size = counted.shape
    in_texts = np.bincount(counted.indices, minlength=size)
    known = np.flatnonzero(in_texts >= (2 if n_texts >= 1000 else 1))
    scale = np.log(n_texts / in_texts[known]) + 1.0
    scale[known <= BUCKETS] *= WORD_WEIGHT
    features = counted[:, known]
    norm = np.sqrt(np.maximum(features @ (scale**2), 1e-6))
    features.data *= scale[features.indices] / np.repeat(norm, np.diff(features.indptr))
    model = LogisticRegression(C=STRENGTH, max_iter=150, tol=1e-3).fit(features, labels)
    weights, bias = model.coef_, model.intercept_
    if len(weights) == 1:  # two labels: scikit-learn keeps the second's log-odds alone
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    table = np.zeros((size, len(weights) + 1), np.float32)
    table[known, :-1], table[known, -1] = (weights * scale).T, scale**2
    return Terms(table, bias.astype(np.float32))
