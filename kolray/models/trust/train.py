"""Training of the trust model: folds by account, out-of-fold stacking, calibration and test on folds of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kolray.errors import InvalidInputError
from kolray.models.drift import Reference
from kolray.models.metrics import Floats, Labels, ece, probability_metrics, reliability
from kolray.models.splits import Rows, stratified_folds
from kolray.models.trust.calibration import IDENTITY, choose_calibrator
from kolray.models.trust.members import BoosterFit, IsolationForest, fit_booster
from kolray.models.trust.model import BOOSTER, FOREST, TrustModel, feature_matrix, margins
from kolray.models.trust.report import TrustReport, baseline_metrics, judge_members
from kolray.models.trust.stack import choose_members, fit_stack
from kolray.protocols import Scorer

MEMBERS = (BOOSTER, FOREST)
N_FOLDS = 5
TENTHS = 10
TEST_TENTHS, CALIBRATION_TENTHS = (0, 1), (2, 3)
MIN_OF_EACH_LABEL = 20


@dataclass(frozen=True)
class TrainedTrust:
    """A model and its report; ``test`` are the rows (features and ``label``) it never saw.

    ``reference`` is what the features of all KOLs, labelled or not, looked like then.
    """

    model: TrustModel
    report: TrustReport
    test: pl.DataFrame
    reference: Reference | None = None

    @property
    def loss(self) -> float:
        """Log-loss on the untouched rows: what a challenger is compared by."""
        return self.report.test["log_loss"]

    def loss_of(self, other: Scorer) -> float:
        """The same of another model. Rows it was trained on flatter it: the comparison errs on the champion's side."""
        probability = other.score(self.test)["probability"].to_numpy()
        return probability_metrics(self.test["label"].to_numpy().astype(np.int8), probability)["log_loss"]


class Accounts(NamedTuple):
    """Features (NaN = missing), labels, and a number that identical rows share."""

    x: Floats
    y: Labels
    groups: Rows

    def rows(self, mask: NDArray[np.bool_]) -> Accounts:
        return Accounts(self.x[mask], self.y[mask], self.groups[mask])


class Parts(NamedTuple):
    """Labelled accounts by what they are for: fitting and tuning see ``train`` alone, ``test`` judges once."""

    table: pl.DataFrame
    names: tuple[str, ...]
    every: Accounts
    test: NDArray[np.bool_]
    calibration: NDArray[np.bool_]

    @property
    def train(self) -> Accounts:
        return self.every.rows(~(self.test | self.calibration))


class _OutOfFold(NamedTuple):
    """Members' scores of rows that they did not see, the folds, and the boosters of all folds."""

    scores: Floats
    folds: Rows
    boosters: list[Any]


def part(features: pl.DataFrame, labels: pl.DataFrame, seed: int) -> Parts:
    """Parts labelled accounts, arguments and errors as ``train_trust``; exact per seed."""
    table, names = labelled(features, labels)
    x = feature_matrix(table, names)
    every = Accounts(x, table["label"].to_numpy().astype(np.int8), identical_rows(x))
    tenth = stratified_folds(every.y, TENTHS, seed, every.groups)
    return Parts(table, names, every, np.isin(tenth, TEST_TENTHS), np.isin(tenth, CALIBRATION_TENTHS))


def inner_folds(train: Accounts, seed: int) -> Rows:
    """The folds that members are fitted out of, and that tuning judges by."""
    return stratified_folds(train.y, N_FOLDS, seed + 1, train.groups)


def train_trust(
    features: pl.DataFrame,
    labels: pl.DataFrame,
    seed: int,
    params: dict[str, Any] | None = None,
    fit: BoosterFit = fit_booster,
) -> TrainedTrust:
    """Fits and judges a trust model. Exact per seed.

    Args:
        features: ``kol_id`` and features (numeric columns), one row a KOL; ``as_of`` is ignored.
        labels: ``kol_id, label`` (1 = bought audience); with ``at``, the newest label of a KOL counts.
        params: of the booster, over ``members.BOOSTER_DEFAULTS``.
        fit: fits one booster; the trainers' one does it on several nodes.

    Raises:
        InvalidInputError: too few labelled KOLs, or only one kind.
    """
    table, names, data, test, calibration = parts = part(features, labels, seed)
    train = parts.train
    fitted = _out_of_fold(train, names, params or {}, seed, fit)
    model, gains = _stacked(train, fitted, names, seed)
    model, briers = _calibrated(model, data.rows(calibration), seed)
    unseen = table.filter(pl.Series(test))
    weights = dict(zip(model.stack.names, model.stack.weights.tolist(), strict=True))
    probability = model.score(unseen)["probability"].to_numpy()
    y_test = data.y[test]
    uncalibrated = IDENTITY.probability(model.log_odds(unseen))
    report = TrustReport(
        n=len(data.y),
        n_test=len(y_test),
        prevalence=float(data.y.mean()),
        test=probability_metrics(y_test, probability),
        baseline=baseline_metrics(names, data.x[~test], data.y[~test], data.x[test], y_test),
        members=judge_members(MEMBERS, fitted.scores, train.y, gains, weights),
        calibration={"method": model.calibrator.method, "brier": briers, "ece_before": ece(y_test, uncalibrated)},
        reliability=reliability(y_test, probability).to_dicts(),
        importance=_importance(model, unseen),
        params=params or {},
    )
    return TrainedTrust(model, report, unseen)


def labelled(features: pl.DataFrame, labels: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Features with ``label``, ordered by ``kol_id``, and the names of the features."""
    newest = labels.sort("at", maintain_order=True) if "at" in labels.columns else labels
    newest = newest.unique("kol_id", keep="last", maintain_order=True).select("kol_id", "label")
    table = features.drop("label", strict=False).join(newest, on="kol_id").sort("kol_id")
    counts = [int((table["label"] == label).sum()) for label in (0, 1)]
    if min(counts) < MIN_OF_EACH_LABEL:
        raise InvalidInputError(
            f"training needs at least {MIN_OF_EACH_LABEL} KOLs of each label with features; there are {counts[0]} with "
            f"label 0 and {counts[1]} with label 1, of {labels.height} labels. Import more with `kolray ingest labels`."
        )
    aside = {"kol_id", "as_of", "label"}
    names = [n for n, t in table.schema.items() if n not in aside and (t.is_numeric() or t == pl.Boolean)]
    return table.filter(pl.col("label").is_in([0, 1])), tuple(names)


def identical_rows(x: Floats) -> Rows:
    """A number for each row that identical rows share, so that no fold sees another's twin."""
    return np.unique(np.where(np.isnan(x), np.inf, x), axis=0, return_inverse=True)[1].reshape(-1)


def _out_of_fold(
    train: Accounts, names: tuple[str, ...], params: dict[str, Any], seed: int, fit: BoosterFit
) -> _OutOfFold:
    folds = inner_folds(train, seed)
    scores = np.empty((len(train.y), len(MEMBERS)))
    boosters = []
    for fold in range(N_FOLDS):
        mine, rest = folds == fold, folds != fold
        boosters.append(fit(train.x[rest], train.y[rest], params, seed + fold, list(names)))
        scores[mine, 0] = margins(boosters[-1], train.x[mine])
        scores[mine, 1] = IsolationForest.fit(train.x[rest], seed + fold).score(train.x[mine])
    return _OutOfFold(scores, folds, boosters)


def _stacked(
    train: Accounts, fitted: _OutOfFold, names: tuple[str, ...], seed: int
) -> tuple[TrustModel, dict[str, float]]:
    kept, gains = choose_members(MEMBERS, fitted.scores, train.y, fitted.folds)
    stack = fit_stack(kept, fitted.scores[:, [MEMBERS.index(name) for name in kept]], train.y)
    forest = IsolationForest.fit(train.x, seed) if FOREST in kept else None
    return TrustModel(names, fitted.boosters, forest, stack, IDENTITY), gains


def _calibrated(model: TrustModel, fold: Accounts, seed: int) -> tuple[TrustModel, dict[str, float]]:
    odds = model.fold_log_odds(fold.x).mean(axis=1)
    calibrator, briers = choose_calibrator(odds, fold.y, seed)
    return TrustModel(model.feature_names, model.boosters, model.forest, model.stack, calibrator), briers


def _importance(model: TrustModel, rows: pl.DataFrame) -> dict[str, float]:
    parts = model.contributions(rows).filter(pl.col("feature") != "base")
    mean = parts.group_by("feature").agg(pl.col("contribution").abs().mean())
    return dict(mean.filter(pl.col("contribution") > 0).sort("contribution", "feature", descending=True).iter_rows())
