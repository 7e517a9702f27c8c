"""How well the whole procedure does on rows it did not see: every fold fits members, stack and calibration anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kolray.models.metrics import Floats, Labels, decision_metrics, probability_metrics
from kolray.models.splits import stratified_folds
from kolray.models.trust.baseline import Stump, fit_stump
from kolray.models.trust.fit import Accounts, fit_trust
from kolray.models.trust.model import FAKE_FROM, TrustModel

FOLDS = 10
MANY_FOLDS, MANY_ROWS = 5, 5_000
REPEATS = 10


@dataclass(frozen=True)
class Judged:
    """What models said of rows they did not see, and the trivial baseline's answers; (repeats, rows) each."""

    labels: Labels
    probability: Floats
    fake: NDArray[np.bool_]
    baseline_rank: Floats
    baseline_fake: NDArray[np.bool_]
    folds: int

    def metrics(self) -> dict[str, float]:
        """``auc, pr_auc, accuracy, f1, brier, ece, log_loss, baseline_auc, baseline_accuracy, n, folds, repeats``.

        Each is the mean over the repeats of the figure over all rows at once.
        """
        by_repeat = [
            probability_metrics(self.labels, self.probability[r])
            | decision_metrics(self.labels, self.fake[r])
            | self._baseline(r)
            for r in range(len(self.probability))
        ]
        means = {name: float(np.mean([one[name] for one in by_repeat])) for name in by_repeat[0]}
        return means | {"n": len(self.labels), "folds": self.folds, "repeats": len(by_repeat)}

    def _baseline(self, repeat: int) -> dict[str, float]:
        from sklearn.metrics import roc_auc_score

        return {
            "baseline_auc": float(roc_auc_score(self.labels, self.baseline_rank[repeat])),
            "baseline_accuracy": decision_metrics(self.labels, self.baseline_fake[repeat])["accuracy"],
        }


def plan(n: int) -> tuple[int, int]:
    """Folds and repeats for ``n`` rows: 10 x 10 below 5,000, else 5 x 1."""
    return (FOLDS, REPEATS) if n < MANY_ROWS else (MANY_FOLDS, 1)


def cross_validate(
    data: Accounts,
    names: tuple[str, ...],
    seed: int,
    params: dict[str, Any] | None = None,
    on_fold: Callable[[int, int], None] = lambda _done, _all: None,
    shape: tuple[int, int] | None = None,
) -> Judged:
    """Folds are stratified and keep the rows of a group together; exact per seed.

    Args:
        on_fold: called with the folds done and all folds.
        shape: folds and repeats; none: by ``plan``.

    Raises:
        InvalidInputError: a class has fewer rows than folds.
    """
    folds, repeats = shape or plan(len(data.y))
    places = (repeats, len(data.y))
    judged = Judged(
        data.y, np.empty(places), np.empty(places, np.bool_), np.empty(places), np.empty(places, np.bool_), folds
    )
    for repeat in range(repeats):
        fold = stratified_folds(data.y, folds, seed + repeat, data.groups)
        for k in range(folds):
            mine, rest = fold == k, fold != k
            train = data.rows(rest)
            model = fit_trust(train, names, seed + folds * repeat + k, params).model
            _judge(judged, repeat, mine, data.x[mine], model, fit_stump(train.x, train.y))
            on_fold(folds * repeat + k + 1, folds * repeats)
    return judged


def hold_out(
    train: Accounts, test: Accounts, names: tuple[str, ...], seed: int, params: dict[str, Any] | None = None
) -> Judged:
    """Fits on one table and judges another once: ``folds`` is 1."""
    return judge(fit_trust(train, names, seed, params).model, fit_stump(train.x, train.y), test)


def judge(model: TrustModel, stump: Stump, test: Accounts) -> Judged:
    """A fitted model and the trivial baseline on rows they did not see."""
    places = (1, len(test.y))
    judged = Judged(
        test.y, np.empty(places), np.empty(places, np.bool_), np.empty(places), np.empty(places, np.bool_), 1
    )
    _judge(judged, 0, np.ones(len(test.y), np.bool_), test.x, model, stump)
    return judged


def _judge(judged: Judged, repeat: int, mine: NDArray[np.bool_], x: Floats, model: TrustModel, stump: Stump) -> None:
    probability = model.probability(x)
    judged.probability[repeat, mine] = probability
    judged.fake[repeat, mine] = probability >= FAKE_FROM
    judged.baseline_rank[repeat, mine] = stump.rank(x)
    judged.baseline_fake[repeat, mine] = stump.fake(x)
