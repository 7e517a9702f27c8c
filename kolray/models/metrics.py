"""How good a model is: for probabilities (AUC, PR-AUC, Brier, ECE) and for forecasts (sMAPE, MASE, coverage)."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int8]

ECE_BINS = 10
CURVE_POINTS = 200


def probability_metrics(labels: Labels, probability: Floats, rank: Floats | None = None) -> dict[str, float]:
    """``auc, pr_auc, brier, ece, log_loss`` of probabilities of label 1; both labels must occur.

    ``rank``: what to order by for the first two, where the probabilities are clipped and so tie; none: the
    probabilities.
    """
    from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

    order = probability if rank is None else rank
    return {
        "auc": float(roc_auc_score(labels, order)),
        "pr_auc": float(average_precision_score(labels, order)),
        "brier": float(np.mean((probability - labels) ** 2)),
        "ece": ece(labels, probability),
        "log_loss": float(log_loss(labels, probability, labels=[0, 1])),
    }


def decision_metrics(labels: Labels, positive: NDArray[np.bool_]) -> dict[str, float]:
    """``accuracy, f1`` of a yes or no; F1 is 0 where nothing is called positive and nothing is."""
    hits = int((positive & (labels == 1)).sum())
    called = int(positive.sum()) + int((labels == 1).sum())
    return {"accuracy": float((positive == (labels == 1)).mean()), "f1": 2.0 * hits / called if called else 0.0}


def reliability(labels: Labels, probability: Floats, bins: int = ECE_BINS) -> pl.DataFrame:
    """Bins of equal count: ``expected`` (mean probability), ``observed`` (share of label 1), ``n``."""
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return pl.DataFrame(
        {
            "expected": [float(probability[part].mean()) for part in parts],
            "observed": [float(labels[part].mean()) for part in parts],
            "n": [len(part) for part in parts],
        }
    )


def curves(labels: Labels, probability: Floats) -> dict[str, list[tuple[float, float]]]:
    """``roc`` (false and true positive rate) and ``pr`` (recall, precision), ``CURVE_POINTS`` each at most."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    wrong, right, _ = roc_curve(labels, probability)
    precision, recall, _ = precision_recall_curve(labels, probability)
    return {"roc": _thinned(wrong, right), "pr": _thinned(recall[::-1], precision[::-1])}


def _thinned(x: Floats, y: Floats) -> list[tuple[float, float]]:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).round().astype(int))
    return list(zip(x[kept].tolist(), y[kept].tolist(), strict=True))


def by_group(groups: pl.Series, labels: Labels, probability: Floats) -> dict[str, dict[str, float]]:
    """``n, auc, ece`` of each group that has both labels; rows without a group are left out."""
    from sklearn.metrics import roc_auc_score

    found = {}
    for name in groups.drop_nulls().unique().sort():
        mine = groups.eq_missing(name).to_numpy()
        if len(np.unique(labels[mine])) > 1:
            auc = float(roc_auc_score(labels[mine], probability[mine]))
            found[name] = {"n": int(mine.sum()), "auc": auc, "ece": ece(labels[mine], probability[mine])}
    return found


def ece(labels: Labels, probability: Floats, bins: int = ECE_BINS) -> float:
    """Expected calibration error over bins of equal count: mean distance of expected and observed, in 0-1."""
    table = reliability(labels, probability, bins)
    gaps = (table["expected"] - table["observed"]).abs() * table["n"]
    return float(gaps.sum()) / len(labels)


def ece_by_chance(probability: Floats, seed: int, bins: int = ECE_BINS, draws: int = 100) -> float:
    """What ``ece`` of as many rows is on average when every probability is exactly right: of few rows it is not 0."""
    rng = np.random.default_rng(seed)
    drawn = rng.random((draws, len(probability))) < probability
    return float(np.mean([ece(labels.astype(np.int8), probability, bins) for labels in drawn]))


def smape(actual: Floats, forecast: Floats) -> float:
    """Symmetric mean absolute percentage error as in M4: 0-200 %; a point where both are 0 counts 0."""
    return float(np.mean(percentage_errors(actual, forecast)))


def percentage_errors(actual: Floats, forecast: Floats) -> Floats:
    """What ``smape`` is the mean of: of each point, 0-200 %."""
    size = np.abs(actual) + np.abs(forecast)
    return 200.0 * np.abs(actual - forecast) / np.where(size > 0, size, 1.0)


def mase(actual: Floats, forecast: Floats, history: Floats, season: int) -> float:
    """Mean absolute error over that of the seasonal naive within ``history``; NaN if history is constant by season.

    ``actual`` and ``forecast``: (series, horizon); ``history``: (series, hours). Series whose scale is 0 are left out.
    """
    scale = seasonal_scale(history, season)
    known = ~np.isnan(scale)
    error = np.abs(actual - forecast).mean(axis=1)
    return float(np.mean(error[known] / scale[known])) if known.any() else float("nan")


def seasonal_scale(history: Floats, season: int) -> Floats:
    """Mean absolute change over a season of each series (series, steps; NaN: not known); NaN where it is 0."""
    scale = known_mean(np.abs(history[:, season:] - history[:, :-season]), axis=1)
    return np.where(scale > 0, scale, np.nan)


def known_mean(values: Floats, axis: int) -> Floats:
    """Mean of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    return np.asarray(np.where(known, values, 0.0).sum(axis=axis) / np.where(count > 0, count, np.nan))


def coverage(actual: Floats, lower: Floats, upper: Floats) -> float:
    """Share of values inside their interval, bounds included."""
    return float(np.mean((actual >= lower) & (actual <= upper)))
