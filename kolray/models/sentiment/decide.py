"""Chooses how members are weighed and how far each label is favoured, from answers on texts they had not seen."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kolray.models.sentiment.model import Decision
from kolray.models.sentiment.spelling import Floats

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Of the networks."""
PLAIN = (0.5, 0.65, 0.8)
"""Of members that read the text as it stands, where both kinds read."""
FACTORS = tuple(float(factor) for factor in np.exp(np.linspace(-1.2, 1.2, 13)))
CAUTION = 0.3
"""A choice must be worth this over the root of the number of texts, for each natural logarithm of a factor."""


def usual(n_labels: int, *, nets: bool, both: bool) -> Decision:
    """The decision where there are too few texts to choose by: all members alike, no label favoured."""
    return Decision(0.5 if nets else 0.0, 0.5 if both else 0.0, (1.0,) * n_labels)


def decide(members: Mapping[tuple[bool, bool], Floats], labels: NDArray[np.int64]) -> Decision:
    """The decision with the best sum of accuracy and macro F1.

    Args:
        members: out-of-fold probabilities by (reads the text as it stands, is a network).
        labels: 0, 1, …, each of which occurs.
    """
    n_labels = next(iter(members.values())).shape[1]
    nets, both = any(key[1] for key in members), any(key[0] for key in members)
    best, chosen = -np.inf, usual(n_labels, nets=nets, both=both)
    for share, plain in itertools.product(SHARES if nets else (0.0,), PLAIN if both else (0.0,)):
        mean = np.log(np.maximum(Decision(share, plain, (1.0,) * n_labels).mean(members), 1e-9))
        value, factors = _favour(mean, labels)
        if value > best:
            best, chosen = value, Decision(share, plain, factors)
    return chosen


def _favour(logs: Floats, labels: NDArray[np.int64]) -> tuple[float, tuple[float, ...]]:
    """The best factors, one label after the other, twice; the most frequent label's is 1."""
    n_labels = logs.shape[1]
    usual_label = int(np.bincount(labels).argmax())
    chosen = np.zeros(n_labels)
    cost = CAUTION / np.sqrt(len(labels))
    best = _score(logs, labels)
    for label in [label for label in range(n_labels) if label != usual_label] * 2:
        for factor in FACTORS:
            tried = chosen.copy()
            tried[label] = np.log(factor)
            value = _score(logs + tried.astype(np.float32), labels) - cost * float(np.abs(tried).sum())
            if value > best:
                best, chosen = value, tried
    return best, tuple(float(factor) for factor in np.exp(chosen))


def _score(logs: Floats, labels: NDArray[np.int64]) -> float:
    """Accuracy and macro F1 of answering each text's largest value, added up."""
    n_labels = logs.shape[1]
    counts = np.bincount(labels * n_labels + logs.argmax(axis=1), minlength=n_labels**2).reshape(n_labels, n_labels)
    right = counts.diagonal()
    f1 = 2 * right / np.maximum(counts.sum(axis=0) + counts.sum(axis=1), 1)
    return float(right.sum() / len(labels) + f1.mean())
