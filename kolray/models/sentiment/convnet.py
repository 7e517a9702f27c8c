"""A member that sees words in their places: a convolutional network over word embeddings, in numpy.

Kim 2014, "Convolutional Neural Networks for Sentence Classification" (arXiv 1408.5882): filters over windows of one to
four words, the strongest answer of each filter in the text, and a linear layer on top. ``convnet_fit`` trains it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kolray.models.sentiment.spelling import Floats, Hashes, Ints, Spelled

WINDOWS = (1, 2, 3, 4)
FILTERS = 64
"""A window size."""
MAX_WORDS = 256
"""Words beyond are not seen."""
PAD, UNKNOWN, FIRST_WORD = 0, 1, 2
_CHUNK = 512
"""Texts judged at once: the working arrays stay in the processor's cache."""


@dataclass(frozen=True)
class Laid:
    """Words of texts by number, with as many pads after each text as the widest window needs.

    ``words``: all of them; ``places``: those that are a text's and no pad; ``first``: where in ``places`` each text
    begins, ``counts`` of them a text (a text without words has one pad).
    """

    words: Ints
    places: Ints
    first: Ints
    counts: Ints


def lay(numbers: Ints, n_words: Ints, rows: Ints) -> Laid:
    """The chosen texts out of many; ``numbers`` are the words of all texts, ``n_words`` a text."""
    begin = (np.cumsum(n_words) - n_words)[rows]
    real = np.minimum(n_words[rows], MAX_WORDS)
    counts = np.maximum(real, 1)
    first = np.cumsum(counts) - counts
    padded = first + np.arange(len(rows)) * (max(WINDOWS) - 1)
    words = np.full(int(counts.sum()) + len(rows) * (max(WINDOWS) - 1), PAD)
    within = np.arange(int(real.sum())) - np.repeat(np.cumsum(real) - real, real)
    words[np.repeat(padded, real) + within] = numbers[np.repeat(begin, real) + within]
    places = np.arange(int(counts.sum())) + np.repeat(padded - first, counts)
    return Laid(words, places, first, counts)


@dataclass(frozen=True)
class ConvNet:
    """``vocabulary``: hashes of known words, ascending; the word at place i is number i + ``FIRST_WORD``.

    ``embedding``: a row a word; ``filters``: (embedding, ``FILTERS`` a place of each window), ``thresholds`` one a
    filter; ``top`` and ``bias``: filters to labels.
    """

    vocabulary: Hashes
    embedding: Floats
    filters: Floats
    thresholds: Floats
    top: Floats
    bias: Floats

    def logits(self, texts: Spelled) -> Floats:
        """Shape (texts, labels). What the filters say of a word is worked out once for all its places."""
        numbers = np.concatenate([[PAD], number_words(texts.words, self.vocabulary)])
        known, numbers = np.unique(numbers, return_inverse=True)  # the pad stays number 0
        answers = self.embedding[known] @ self.filters
        parts = [[np.ascontiguousarray(answers[:, part]) for part in slices] for slices in window_slices()]
        rows = np.arange(len(texts.n_words))
        chunks = (lay(numbers[1:], texts.n_words, rows[i : i + _CHUNK]) for i in range(0, len(rows), _CHUNK))
        return np.concatenate(
            [np.empty((0, len(self.bias)), np.float32), *(self._chunk(laid, parts) for laid in chunks)]
        )

    def _chunk(self, laid: Laid, parts: list[list[Floats]]) -> Floats:
        strongest = []
        for window in parts:
            heard = window[0].take(laid.words[laid.places], axis=0)
            for offset, part in enumerate(window[1:], start=1):
                heard += part.take(laid.words[laid.places + offset], axis=0)
            strongest.append(np.maximum.reduceat(heard, laid.first, axis=0))
        return np.maximum(np.concatenate(strongest, axis=1) + self.thresholds, 0) @ self.top + self.bias


def number_words(words: Hashes, vocabulary: Hashes) -> Ints:
    """Numbers of words; ``UNKNOWN`` for those that are not in the vocabulary."""
    if not len(vocabulary):
        return np.full(len(words), UNKNOWN)
    place = np.minimum(np.searchsorted(vocabulary, words), len(vocabulary) - 1)
    return np.where(vocabulary[place] == words, place + FIRST_WORD, UNKNOWN)


def window_slices() -> list[list[slice]]:
    """For each window its places' columns of ``filters``."""
    out, begin = [], 0
    for width in WINDOWS:
        out.append([slice(begin + FILTERS * place, begin + FILTERS * (place + 1)) for place in range(width)])
        begin += FILTERS * width
    return out
