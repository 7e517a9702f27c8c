"""How well a classifier reads labelled comments, beside always answering the most frequent label."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kolray.errors import InvalidInputError
from kolray.models.sentiment.labelled import NAMES, Labelled
from kolray.models.sentiment.ngrams import strip_diacritics
from kolray.protocols import TextClassifier

Fit = Callable[[pl.DataFrame, int], TextClassifier]
"""Trains on a frame of ``text`` and ``label`` with a seed."""
FOLDS = 5
TIMED_S = 0.5


@dataclass(frozen=True)
class SentimentReport:
    """Figures on ``n`` texts that no part of the model saw.

    ``split`` says which: the rows of a test file, or of cross-validation. F1 scores are over the ``labels`` that occur.
    ``no_diacritics_accuracy``: the same texts without their marks. ``comments_per_s``: per second of processor time,
    so of one core. ``confusion``: true label → judged label → texts.
    """

    n: int
    n_train: int
    skipped: int
    split: str
    labels: list[str]
    model: str
    accuracy: float
    macro_f1: float
    weighted_f1: float
    baseline_accuracy: float
    baseline_macro_f1: float
    no_diacritics_accuracy: float
    comments_per_s: float
    confusion: dict[str, dict[str, int]]

    @property
    def beats_baseline(self) -> bool:
        """More than the most frequent label, by both measures."""
        return self.accuracy > self.baseline_accuracy and self.macro_f1 > self.baseline_macro_f1

    @property
    def params(self) -> dict[str, Any]:
        """What the run was made with."""
        return {"n_train": self.n_train, "split": self.split}

    def metrics(self) -> dict[str, float]:
        """The figures alone."""
        return {name: value for name, value in asdict(self).items() if isinstance(value, float)}

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "beats_baseline": self.beats_baseline}


def judge(classifier: TextClassifier, train: Labelled, test: Labelled, split: str = "test file") -> SentimentReport:
    """Figures of a trained classifier on ``test``; the baseline is the most frequent label of ``train``."""
    truth, texts = test.frame["label"], test.frame["text"]
    bare = classifier.classify(strip_diacritics(texts))
    report = _report(truth, classifier.classify(texts), bare, np.full(len(truth), _most_frequent(train.frame), np.int8))
    speed = comments_per_s(classifier, texts)
    return replace(report, n_train=train.frame.height, skipped=test.skipped, split=split, model=classifier.version,
                   comments_per_s=speed)  # fmt: skip


def cross_validate(data: Labelled, fit: Fit, seed: int, step: Callable[[], None] = lambda: None) -> SentimentReport:
    """Figures over all rows, each judged by a model of the other folds; equal texts share a fold.

    Args:
        step: called after each fold.

    Raises:
        InvalidInputError: a label has fewer different texts than folds.
    """
    frame = data.frame
    folds = text_folds(frame, FOLDS, seed)
    judged, bare, usual = (np.zeros(frame.height, np.int8) for _ in range(3))
    speed, version = 0.0, ""
    for fold in range(FOLDS):
        mine = folds == fold
        classifier = fit(frame.filter(~mine), seed)
        texts = frame.filter(mine)["text"]
        judged[mine] = classifier.classify(texts).to_numpy()
        bare[mine] = classifier.classify(strip_diacritics(texts)).to_numpy()
        usual[mine] = _most_frequent(frame.filter(~mine))
        if fold == FOLDS - 1:
            speed, version = comments_per_s(classifier, texts), classifier.version
        step()
    report = _report(frame["label"], pl.Series(judged), pl.Series(bare), usual)
    return replace(report, n_train=int(frame.height * (1 - 1 / FOLDS)), skipped=data.skipped,
                   split=f"{FOLDS}-fold cross-validation", model=version,
                   comments_per_s=speed)  # fmt: skip


def text_folds(frame: pl.DataFrame, n_folds: int, seed: int) -> NDArray[np.int64]:
    """A fold for each row: labels spread evenly, equal texts (whatever their case and edges) together.

    Raises:
        InvalidInputError: a label has fewer different texts than folds, or there is but one label.
    """
    from sklearn.model_selection import StratifiedKFold

    said = frame["text"].str.to_lowercase().str.strip_chars().to_numpy()
    _, first, member = np.unique(said.astype(str), return_index=True, return_inverse=True)
    labels = frame["label"].to_numpy()[first]
    kinds, counts = np.unique(labels, return_counts=True)
    if len(kinds) < 2 or counts.min() < n_folds:
        told = ", ".join(f"{count} {NAMES[int(kind)]}" for kind, count in zip(kinds, counts, strict=True))
        raise InvalidInputError(
            f"{n_folds} folds need {n_folds} different texts of two labels or more; there are {told}"
        )
    fold = np.empty(len(first), np.int64)
    splits = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(labels, labels)
    for number, (_, mine) in enumerate(splits):
        fold[mine] = number
    return fold[member]


def comments_per_s(classifier: TextClassifier, texts: pl.Series) -> float:
    """Texts judged per second of processor time, all threads counted; the first call warms up.

    Linear algebra keeps to one thread: others that wait would be counted as work.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        classifier.classify(texts.head(256))
        started, rounds = time.process_time(), 0
        while time.process_time() - started < TIMED_S:
            classifier.classify(texts)
            rounds += 1
        return rounds * len(texts) / (time.process_time() - started)


def _most_frequent(train: pl.DataFrame) -> int:
    counts = train["label"].value_counts(sort=True)
    return int(counts["label"][0])


def _report(truth: pl.Series, judged: pl.Series, bare: pl.Series, usual: NDArray[np.int8]) -> SentimentReport:
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

    labels = sorted(truth.unique().to_list())
    names = [NAMES[label] for label in labels]

    def f1(answer: Any, average: str) -> float:
        return float(f1_score(truth, answer, labels=labels, average=average, zero_division=0))

    every = sorted(NAMES)
    table = confusion_matrix(truth, judged, labels=every)
    rows = {
        NAMES[label]: dict(zip(NAMES.values(), map(int, table[every.index(label)]), strict=True)) for label in labels
    }
    return SentimentReport(
        n=len(truth), n_train=0, skipped=0, split="", labels=names, model="",
        accuracy=float(accuracy_score(truth, judged)), macro_f1=f1(judged, "macro"), weighted_f1=f1(judged, "weighted"),
        baseline_accuracy=float(accuracy_score(truth, usual)), baseline_macro_f1=f1(usual, "macro"),
        no_diacritics_accuracy=float(accuracy_score(truth, bare)), comments_per_s=0.0, confusion=rows,
    )  # fmt: skip
