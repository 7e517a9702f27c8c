"""Training of the trust model: folds by account, out-of-fold stacking, calibration and test on folds of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kolray.errors import InvalidInputError
from kolray.models.metrics import by_group, curves, ece, probability_metrics, reliability
from kolray.models.monitor import AtTraining
from kolray.models.splits import stratified_folds
from kolray.models.trust.calibration import IDENTITY
from kolray.models.trust.fit import Accounts, fit_trust, grouped
from kolray.models.trust.members import BoosterFit, fit_booster
from kolray.models.trust.model import TrustModel, feature_matrix
from kolray.models.trust.report import TrustReport, baseline_metrics, judge_members
from kolray.models.trust.share import judge_fake_share
from kolray.protocols import Scorer

TENTHS = 10
TEST_TENTHS, CALIBRATION_TENTHS = (0, 1), (2, 3)
CROSS_FITTED_BELOW = 5_000
MIN_OF_EACH_LABEL = 20
SHARE, ACCOUNT = "fake_share", "account_id"


@dataclass(frozen=True)
class TrainedTrust:
    """A model and its report; ``test`` are the rows (features and ``label``) it never saw.

    ``reference`` is what the night compares with.
    """

    model: TrustModel
    report: TrustReport
    test: pl.DataFrame
    reference: AtTraining | None = None

    def among(self, features: pl.DataFrame, data: Mapping[str, int | str], seed: int) -> TrainedTrust:
        """With what the night compares with (all KOLs of its time, labelled or not) and what it was trained from."""
        reference = AtTraining.of(features, self.model, self.report.test["auc"])
        return replace(self, reference=replace(reference, data=dict(data), seed=seed))

    def by_groups(self, kols: pl.DataFrame) -> TrainedTrust:
        """With the figures of each platform and tier; ``kols``: ``kol_id, platform, tier``."""
        known = self.test.select("kol_id", "label").join(kols, on="kol_id", how="left", maintain_order="left")
        labels = known["label"].to_numpy().astype(np.int8)
        probability = self.model.score(self.test)["probability"].to_numpy()
        groups = {kind: by_group(known[kind], labels, probability) for kind in ("platform", "tier")}
        return replace(self, report=replace(self.report, groups={kind: own for kind, own in groups.items() if own}))

    @property
    def loss(self) -> float:
        """Log-loss on the untouched rows: what a challenger is compared by."""
        return self.report.test["log_loss"]

    def loss_of(self, other: Scorer) -> float:
        """The same of another model. Rows it was trained on flatter it: the comparison errs on the champion's side."""
        probability = other.score(self.test)["probability"].to_numpy()
        return probability_metrics(self.test["label"].to_numpy().astype(np.int8), probability)["log_loss"]


class Parts(NamedTuple):
    """Labelled accounts by what they are for: fitting and tuning see ``train`` alone, ``test`` judges once.

    With fewer than ``CROSS_FITTED_BELOW`` none is for the calibration alone (see ``fit_trust``).
    """

    table: pl.DataFrame
    names: tuple[str, ...]
    every: Accounts
    test: NDArray[np.bool_]
    calibration: NDArray[np.bool_]

    @property
    def train(self) -> Accounts:
        return self.every.rows(~(self.test | self.calibration))


def part(features: pl.DataFrame, labels: pl.DataFrame, seed: int) -> Parts:
    """Parts labelled accounts, arguments and errors as ``train_trust``; exact per seed."""
    table, names = labelled(features, labels)
    x = feature_matrix(table, names)
    share = table[SHARE].to_numpy().astype(np.float64) if SHARE in table.columns else None
    every = Accounts(x, table["label"].to_numpy().astype(np.int8), grouped(x, table), share)
    tenth = stratified_folds(every.y, TENTHS, seed, every.groups)
    calibration = np.isin(tenth, CALIBRATION_TENTHS) & (len(every.y) >= CROSS_FITTED_BELOW)
    return Parts(table, names, every, np.isin(tenth, TEST_TENTHS), calibration)


def train_trust(
    features: pl.DataFrame,
    labels: pl.DataFrame,
    seed: int,
    params: dict[str, Any] | None = None,
    fit: BoosterFit = fit_booster,
    without: frozenset[str] = frozenset(),
) -> TrainedTrust:
    """Fits and judges a trust model. Exact per seed.

    Args:
        features: ``kol_id`` and features (numeric columns), one row a KOL; ``as_of`` is ignored.
        labels: ``kol_id, label`` (1 = bought audience) and, where known, ``fake_share`` (0-1, of the followers); with
            ``at``, the newest label of a KOL counts. Rows of one ``account_id``, if there is that, are never parted.
        params: of the booster, over ``members.BOOSTER_DEFAULTS``.
        fit: fits one booster; the trainers' one does it on several nodes.
        without: members that are left out.

    Raises:
        InvalidInputError: too few labelled KOLs, or only one kind.
    """
    table, names, data, test, calibration = parts = part(features, labels, seed)
    train = parts.train
    own = data.rows(calibration) if calibration.any() else None
    fitted = fit_trust(train, names, seed, params, own, fit, without)
    model = fitted.model
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
        members=judge_members(fitted.members, fitted.scores, train.y, fitted.gains, weights),
        calibration={
            "method": model.calibrator.method,
            "brier": fitted.briers,
            "ece_before": ece(y_test, uncalibrated),
        },
        reliability=reliability(y_test, probability).to_dicts(),
        importance=_importance(model, unseen),
        params=params or {},
        fake_share=_judged_share(model, data.rows(test)),
        curves=curves(y_test, probability),
    )
    return TrainedTrust(model, report, unseen)


def labelled(features: pl.DataFrame, labels: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Features with ``label``, ordered by ``kol_id``, and the names of the features."""
    newest = labels.sort("at", maintain_order=True) if "at" in labels.columns else labels
    told = [name for name in ("label", SHARE, ACCOUNT) if name in labels.columns]
    newest = newest.unique("kol_id", keep="last", maintain_order=True).select("kol_id", *told)
    table = features.drop("label", SHARE, ACCOUNT, strict=False).join(newest, on="kol_id").sort("kol_id")
    counts = [int((table["label"] == label).sum()) for label in (0, 1)]
    if min(counts) < MIN_OF_EACH_LABEL:
        raise InvalidInputError(
            f"training needs at least {MIN_OF_EACH_LABEL} KOLs of each label with features; there are {counts[0]} with "
            f"label 0 and {counts[1]} with label 1, of {labels.height} labels. Import more with `kolray ingest labels`."
        )
    aside = {"kol_id", "as_of", "label", SHARE, ACCOUNT}
    names = [n for n, t in table.schema.items() if n not in aside and (t.is_numeric() or t == pl.Boolean)]
    return table.filter(pl.col("label").is_in([0, 1])), tuple(names)


def _judged_share(model: TrustModel, test: Accounts) -> dict[str, float] | None:
    if model.share is None or test.share is None or np.isnan(test.share).all():
        return None
    return judge_fake_share(model.share.predict(test.x), test.share)


def _importance(model: TrustModel, rows: pl.DataFrame) -> dict[str, float]:
    parts = model.contributions(rows).filter(pl.col("feature") != "base")
    mean = parts.group_by("feature").agg(pl.col("contribution").abs().mean())
    return dict(mean.filter(pl.col("contribution") > 0).sort("contribution", "feature", descending=True).iter_rows())
