"""Trains the convolutional member: forward, backward and Adam in numpy. Exact per seed on one machine.

Dropout of words, embedding values and filters as in Kim 2014; cross-entropy with smoothed labels; Adam (Kingma and Ba
2015) at a rate that rises for a third of the way and falls as a cosine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kolray.models.sentiment.convnet import (
    FILTERS,
    FIRST_WORD,
    MAX_WORDS,
    PAD,
    UNKNOWN,
    WINDOWS,
    ConvNet,
    Laid,
    lay,
    number_words,
    window_slices,
)
from kolray.models.sentiment.spelling import Floats, Hashes, Ints, Spelled

EMBEDDING = 128
EPOCHS, MOST_EPOCHS, LEAST_EPOCHS = 10, 30, 3
STEPS = 500
"""Few texts are seen more often than ``EPOCHS``, so that there are as many steps."""
WORDS = 2_000_000
"""Many texts are seen less often, so that so many words are enough; at least ``LEAST_EPOCHS`` times."""
BATCH = 64
RATE = 2e-3
VOCABULARY = 20_000
SMOOTHING = np.float32(0.05)
DROP_WORD, DROP_VALUE, DROP_FILTER = 0.1, 0.3, 0.5
_BUCKET = 20
"""Batches that texts of a like length are put together in."""


def fit_convnet(texts: Spelled, labels: Ints, rows: Ints, n_labels: int, seed: int) -> ConvNet:
    """Learns from the texts of ``rows`` and their labels 0 … ``n_labels`` - 1; the other texts are not looked at."""
    rng = np.random.default_rng(seed)
    mine = np.zeros(len(labels), bool)
    mine[rows] = True
    vocabulary = _vocabulary(texts.words[np.repeat(mine, texts.n_words)])
    numbers = number_words(texts.words, vocabulary)
    lengths = np.minimum(texts.n_words[rows], MAX_WORDS)
    learner = _Learner(_start(vocabulary, n_labels, rng), rng)
    per_epoch = -(-len(rows) // BATCH)
    epochs = max(min(EPOCHS, WORDS // max(int(lengths.sum()), 1)), LEAST_EPOCHS, min(STEPS // per_epoch, MOST_EPOCHS))
    step, steps = 0, epochs * per_epoch
    for _ in range(epochs):
        for batch in _batches(lengths, rng):
            step += 1
            learner.learn(lay(numbers, texts.n_words, rows[batch]), labels[rows[batch]], _rate(step / steps))
    return learner.net


def _vocabulary(words: Hashes) -> Hashes:
    """The most frequent words of at least two places, ascending."""
    known, counts = np.unique(words, return_counts=True)
    known, counts = known[counts > 1], counts[counts > 1]
    return np.sort(known[np.argsort(-counts, kind="stable")[:VOCABULARY]])


def _start(vocabulary: Hashes, n_labels: int, rng: np.random.Generator) -> ConvNet:
    embedding = rng.normal(0, 0.1, (len(vocabulary) + FIRST_WORD, EMBEDDING)).astype(np.float32)
    embedding[PAD] = 0
    size = FILTERS * len(WINDOWS)
    filters = [_uniform(rng, (EMBEDDING, FILTERS * width), EMBEDDING * width) for width in WINDOWS]
    thresholds, bias = np.zeros(size, np.float32), np.zeros(n_labels, np.float32)
    return ConvNet(
        vocabulary, embedding, np.concatenate(filters, axis=1), thresholds, _uniform(rng, (size, n_labels), size), bias
    )


def _uniform(rng: np.random.Generator, shape: tuple[int, int], inputs: int) -> Floats:
    return (rng.uniform(-1, 1, shape) / np.sqrt(inputs)).astype(np.float32)


def _batches(lengths: Ints, rng: np.random.Generator) -> Iterator[Ints]:
    """Every text once, in batches of like length, which spares no time here but noise in the largest answers."""
    order = rng.permutation(len(lengths))
    found: list[Ints] = []
    for i in range(0, len(order), BATCH * _BUCKET):
        near = order[i : i + BATCH * _BUCKET]
        near = near[np.argsort(lengths[near], kind="stable")]
        found += [near[j : j + BATCH] for j in range(0, len(near), BATCH)]
    for place in rng.permutation(len(found)):
        yield found[place]


def _rate(done: float) -> float:
    return RATE * (done / 0.3 if done < 0.3 else 0.5 * (1 + np.cos(np.pi * (done - 0.3) / 0.7)))


@dataclass
class _Moments:
    """Adam's running means of a parameter's gradient and of its square."""

    mean: Floats
    square: Floats

    def step(self, parameter: Floats, gradient: Floats, rate: float, n: int, rows: Ints | slice = slice(None)) -> None:
        """Moves the parameter (those rows of it) in place."""
        self.mean[rows] = 0.9 * self.mean[rows] + 0.1 * gradient
        self.square[rows] = 0.999 * self.square[rows] + 0.001 * gradient**2
        size = np.sqrt(self.square[rows] / (1 - 0.999**n)) + 1e-8
        parameter[rows] -= np.float32(rate / (1 - 0.9**n)) * self.mean[rows] / size


class _Learner:
    def __init__(self, net: ConvNet, rng: np.random.Generator) -> None:
        self.net, self._rng, self._n = net, rng, 0
        names = ("embedding", "filters", "thresholds", "top", "bias")
        self._moments = {
            name: _Moments(np.zeros_like(getattr(net, name)), np.zeros_like(getattr(net, name))) for name in names
        }

    def learn(self, laid: Laid, labels: Ints, rate: float) -> None:
        """One step on a batch."""
        net, self._n = self.net, self._n + 1
        dropped = (self._rng.random(len(laid.words)) < DROP_WORD) & (laid.words != PAD)
        words = np.where(dropped, UNKNOWN, laid.words)
        kept = self._kept((len(words), EMBEDDING), DROP_VALUE)
        seen = net.embedding[words] * kept
        answers = seen @ net.filters
        heard = [_window(answers, laid, slices) for slices in window_slices()]
        strongest = np.concatenate([np.maximum.reduceat(part, laid.first, axis=0) for part in heard], axis=1)
        above = strongest + net.thresholds
        open_ = self._kept(above.shape, DROP_FILTER) * (above > 0)
        hidden = above * open_
        error = _error(hidden @ net.top + net.bias, labels)
        towards = (error @ net.top.T) * open_
        back = _spread(towards, strongest, heard, laid, answers.shape)
        self._move("top", hidden.T @ error, rate)
        self._move("bias", error.sum(axis=0), rate)
        self._move("thresholds", towards.sum(axis=0), rate)
        rows, gradient = _by_word(words, (back @ net.filters.T) * kept)
        self._move("filters", seen.T @ back, rate)
        self._moments["embedding"].step(net.embedding, gradient, rate, self._n, rows)

    def _move(self, name: str, gradient: Floats, rate: float) -> None:
        self._moments[name].step(getattr(self.net, name), gradient, rate, self._n)

    def _kept(self, shape: tuple[int, ...], share: float) -> Floats:
        """0 for a share of values, and for the others what keeps the mean."""
        return (self._rng.random(shape, dtype=np.float32) > share).astype(np.float32) / np.float32(1 - share)


def _window(answers: Floats, laid: Laid, slices: list[slice]) -> Floats:
    """What the filters of one width say at each place of a text."""
    heard = answers[laid.places, slices[0]]
    for offset, part in enumerate(slices[1:], start=1):
        heard = heard + answers[laid.places + offset, part]
    return heard


def _error(logits: Floats, labels: Ints) -> Floats:
    """Gradient of the mean cross-entropy by the logits."""
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    target = np.full_like(share, SMOOTHING / share.shape[1])
    target[np.arange(len(labels)), labels] += 1 - SMOOTHING
    return (share - target) / np.float32(len(labels))


def _spread(towards: Floats, strongest: Floats, heard: list[Floats], laid: Laid, shape: tuple[int, ...]) -> Floats:
    """The gradient by each place's answers: only where a filter's strongest answer came from."""
    back = np.zeros(shape, np.float32)
    for number, slices in enumerate(window_slices()):
        mine = slice(FILTERS * number, FILTERS * (number + 1))
        best = heard[number] == np.repeat(strongest[:, mine], laid.counts, axis=0)
        through = best * np.repeat(towards[:, mine], laid.counts, axis=0)
        for offset, part in enumerate(slices):
            back[laid.places + offset, part] += through
    return back


def _by_word(words: Ints, gradient: Floats) -> tuple[Ints, Floats]:
    """Gradients of places added up by word, and the words; the pad learns nothing."""
    from scipy.sparse import csr_matrix

    rows, place = np.unique(words, return_inverse=True)
    member = csr_matrix((np.ones(len(words), np.float32), (place, np.arange(len(words)))), (len(rows), len(words)))
    summed = member @ gradient
    summed[rows == PAD] = 0
    return rows, summed
