"""How well the whole procedure does on rows it did not see: every fold fits members, stack and calibration anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kolray.models.metrics import Floats, Labels, decision_metrics, probability_metrics
from kolray.models.splits import stratified_folds
from kolray.models.trust.baseline import Stump, fit_stump
from kolray.models.trust.fit import Accounts, fit_trust
from kolray.models.trust.model import FAKE_FROM, TrustModel
from kolray.models.trust.share import judge_fake_share
from kolray.models.trust.speed import speed

FOLDS = 10
MANY_FOLDS, MANY_ROWS = 5, 5_000
REPEATS = 10


@dataclass(frozen=True)
class Judged:
    """What models said of rows they did not see, and the trivial baseline's answers; (repeats, rows) each.

    ``rank`` orders as ``probability`` does, without its clip (see ``Calibrator.rank``). ``share``: (repeats, rows, 3),
    the fake share with its interval (NaN where nothing could be learnt). ``speed``: of the last model.
    """

    test: Accounts
    probability: Floats
    rank: Floats
    fake: NDArray[np.bool_]
    baseline_rank: Floats
    baseline_fake: NDArray[np.bool_]
    share: Floats
    folds: int
    speed: dict[str, float] = field(default_factory=dict)

    @classmethod
    def empty(cls, test: Accounts, folds: int, repeats: int) -> Judged:
        """To be filled."""
        places = (repeats, len(test.y))
        flags = [np.zeros(places, np.bool_) for _ in range(2)]
        share = np.full((*places, 3), np.nan)
        return cls(test, np.zeros(places), np.zeros(places), flags[0], np.zeros(places), flags[1], share, folds)

    @property
    def labels(self) -> Labels:
        return self.test.y

    def metrics(self) -> dict[str, Any]:
        """``auc, pr_auc, accuracy, f1, brier, ece, log_loss, baseline_auc, baseline_accuracy, n, folds, repeats``.

        Each is the mean over the repeats of the figure over all rows at once. Beside them ``speed`` and, where the true
        share is known, ``fake_share`` (see ``judge_fake_share``) of the first repeat.
        """
        by_repeat = [
            probability_metrics(self.labels, self.probability[r], self.rank[r])
            | decision_metrics(self.labels, self.fake[r])
            | self._baseline(r)
            for r in range(len(self.probability))
        ]
        found: dict[str, Any] = {name: float(np.mean([one[name] for one in by_repeat])) for name in by_repeat[0]}
        found |= {"n": len(self.labels), "folds": self.folds, "repeats": len(by_repeat), "speed": self.speed}
        if self.test.share is not None and not np.isnan(self.share).any():
            found["fake_share"] = judge_fake_share(self.share[0], self.test.share)
        return found

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
    judged = Judged.empty(data, folds, repeats)
    for repeat in range(repeats):
        fold = stratified_folds(data.y, folds, seed + repeat, data.groups)
        for k in range(folds):
            mine, rest = fold == k, fold != k
            train = data.rows(rest)
            model = fit_trust(train, names, seed + folds * repeat + k, params).model
            _judge(judged, repeat, mine, data.x[mine], model, fit_stump(train.x, train.y))
            on_fold(folds * repeat + k + 1, folds * repeats)
    judged.speed.update(speed(model, data.x))
    return judged


def hold_out(
    train: Accounts, test: Accounts, names: tuple[str, ...], seed: int, params: dict[str, Any] | None = None
) -> Judged:
    """Fits on one table and judges another once: ``folds`` is 1."""
    return judge(fit_trust(train, names, seed, params).model, fit_stump(train.x, train.y), test)


def judge(model: TrustModel, stump: Stump, test: Accounts) -> Judged:
    """A fitted model and the trivial baseline on rows they did not see."""
    judged = Judged.empty(test, 1, 1)
    _judge(judged, 0, np.ones(len(test.y), np.bool_), test.x, model, stump)
    judged.speed.update(speed(model, test.x))
    return judged


def _judge(judged: Judged, repeat: int, mine: NDArray[np.bool_], x: Floats, model: TrustModel, stump: Stump) -> None:
    odds = model.fold_log_odds(x).mean(axis=1)
    probability = model.calibrator.probability(odds)
    judged.rank[repeat, mine] = model.calibrator.rank(odds)
    judged.probability[repeat, mine] = probability
    judged.fake[repeat, mine] = probability >= FAKE_FROM
    judged.baseline_rank[repeat, mine] = stump.rank(x)
    judged.baseline_fake[repeat, mine] = stump.fake(x)
    if model.share is not None:
        judged.share[repeat, mine] = model.share.predict(x)
