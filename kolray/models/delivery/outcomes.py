"""How right both models were about KOLs that the challenger did not learn from: gains, one a KOL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import numpy as np

from kolray.lake.reference import current
from kolray.lake.tables import Root
from kolray.models.lifecycle import Kind, complete_hours, newest_features
from kolray.models.metrics import Floats, known_mean, seasonal_scale
from kolray.models.success import SuccessModel
from kolray.models.success.covariates import lake_covariates
from kolray.models.success.report import SEASON
from kolray.models.success.train import Untouched, judged_on
from kolray.models.trust.train import part
from kolray.stores.trials import Evidence

Gain = Callable[[Evidence], float | None]
"""The champion's loss less the challenger's (-1 … 1); None for a KOL of which nothing may be told."""
HELD_BACK: Mapping[Kind, timedelta] = {"trust": timedelta(0), "success": timedelta(days=1)}
"""The newest hours that a challenger must not have learnt from: a trial judges by them."""


def gains(kind: Kind, lake_root: Root, reference: Mapping[str, Any], champion: Any, challenger: Any) -> Gain:
    """What a trial of two models goes by.

    Args:
        reference: what was kept with the challenger's version: the tables' versions it was trained on, and the seed.

    Trust: Brier losses of the scores as served, of KOLs whose labels the challenger was not fitted to. Success: mean
    over metrics of ``m / (1 + m)``, ``m`` the MASE of the newest day.
    """
    if kind == "success":
        found = _forecast_gains(judged_on(complete_hours(lake_root), lake_covariates(lake_root)), champion, challenger)
        return lambda seen: found.get(seen.kol_id)
    labels = unseen_labels(lake_root, reference)
    return lambda seen: _brier_gain(seen, labels.get(seen.kol_id))


def unseen_labels(lake_root: Root, reference: Mapping[str, Any]) -> dict[str, int]:
    """The newest labels (1 = bought audience) of KOLs that a version was not fitted to, those labelled later too."""
    then = reference["data"]
    features = newest_features(lake_root, then.get("gold.features"))
    parts = part(features, current(lake_root, "labels", version=then.get("ref.labels")), reference["seed"])
    fitted = set(parts.table["kol_id"].to_numpy()[~parts.test].tolist())
    labels = current(lake_root, "labels").select("kol_id", "label")
    return {kol_id: label for kol_id, label in labels.iter_rows() if kol_id not in fitted}


def _brier_gain(seen: Evidence, label: int | None) -> float | None:
    if label is None or seen.champion is None or seen.challenger is None:
        return None
    genuine = 1 - label
    return (seen.champion / 100 - genuine) ** 2 - (seen.challenger / 100 - genuine) ** 2


def _forecast_gains(
    untouched: Mapping[str, Untouched], champion: SuccessModel, challenger: SuccessModel
) -> dict[str, float]:
    """Of every KOL; a metric that either does not forecast is left out."""
    by_metric: list[dict[str, float]] = []
    for metric, own in untouched.items():
        if metric in champion.metrics and metric in challenger.metrics:
            gain = _loss(champion, metric, own) - _loss(challenger, metric, own)
            by_metric.append(dict(zip(own.history.ids, gain.tolist(), strict=True)))
    kols = sorted(set().union(*by_metric))
    table = np.array([[gain.get(kol_id, np.nan) for gain in by_metric] for kol_id in kols]).reshape(
        len(kols), len(by_metric)
    )
    means = known_mean(table, axis=1)
    return {kol_id: float(mean) for kol_id, mean in zip(kols, means, strict=True) if np.isfinite(mean)}


def _loss(model: SuccessModel, metric: str, own: Untouched) -> Floats:
    """0 … 1 a series, 1 where what it forecasts is no number; NaN where its history is the same every day."""
    made = model.forecasters[metric].forecast(own.history, own.actual.shape[1])
    scale = seasonal_scale(np.nan_to_num(own.history.values), SEASON)
    wrong = np.abs(own.actual - np.where(np.isfinite(made.value), made.value, np.inf))
    return np.asarray(1 - 1 / (1 + wrong.mean(axis=1) / scale))
