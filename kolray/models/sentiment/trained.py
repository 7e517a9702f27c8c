"""A classifier from a labelled file, with its report: what is registered, and judged against the champion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from kolray.models.drift import Reference
from kolray.models.monitor import AtTraining
from kolray.models.sentiment.fit import fit_model
from kolray.models.sentiment.judge import SentimentReport, cross_validate, judge, text_folds
from kolray.models.sentiment.labelled import Labelled
from kolray.models.sentiment.stored import Trained
from kolray.protocols import TextClassifier

HELD_OUT = 5
"""One in so many texts is held out where there is no test file."""
MAX_CROSSED = 20_000
"""More rows are not cross-validated: five trainings take long, and a fifth of so many is judged surely enough."""


@dataclass(frozen=True)
class TrainedSentiment:
    """A trained classifier and how it did on ``test``, which it never saw; ``loss`` is 1 - macro F1 there."""

    model: Trained
    report: SentimentReport
    train: Labelled
    test: Labelled
    reference: AtTraining | None = None

    @property
    def loss(self) -> float:
        return 1.0 - self.report.macro_f1

    def loss_of(self, other: TextClassifier) -> float:
        """Another classifier's loss on the same texts."""
        return 1.0 - judge(other, self.train, self.test).macro_f1


def train_sentiment(
    data: Labelled, test: Labelled | None, seed: int, fit: Callable[[pl.DataFrame, int], Trained] | None = None
) -> TrainedSentiment:
    """Trains on ``data`` and judges on ``test``, or trains on four fifths and judges on the last.

    Args:
        fit: instead of ``fit_model``, as the fine-tuning of a transformer.
    """
    split = "test file"
    if test is None:
        held = pl.Series(text_folds(data.frame, HELD_OUT, seed) == 0)
        test, split = Labelled(data.frame.filter(held), 0), f"held-out fold, 1/{HELD_OUT} of the rows"
        data = Labelled(data.frame.filter(~held), data.skipped)
    model = (fit or fit_model)(data.frame, seed)
    then = AtTraining(Reference({}, {}), data={"texts": data.digest}, seed=seed)
    return TrainedSentiment(model, judge(model, data, test, split), data, test, then)


def evaluate_sentiment(
    data: Labelled, test: Labelled | None, seed: int, step: Callable[[], None] = lambda: None
) -> SentimentReport:
    """Figures on ``test``; without one in cross-validation on ``data``, or of many rows on a held-out fold."""
    if test is None and data.frame.height <= MAX_CROSSED:
        return cross_validate(data, fit_model, seed, step)
    return train_sentiment(data, test, seed).report
