"""The plots logged beside a report. Drawn without a display."""

from __future__ import annotations

from typing import Any

from kolray.models.success.report import SuccessReport
from kolray.models.trust.report import TrustReport


def reliability_plot(report: TrustReport) -> Any:
    """Observed share against expected probability, bins of equal count (a matplotlib ``Figure``)."""
    figure, axes = _square()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="perfect")
    expected, observed = ([row[name] for row in report.reliability] for name in ("expected", "observed"))
    axes.plot(expected, observed, marker="o", label=f"ECE {report.test['ece']:.3f}")
    axes.set(xlabel="expected probability of a bought audience", ylabel="observed share", title="Reliability")
    axes.legend()
    return figure


def roc_plot(report: TrustReport) -> Any:
    """True against false positives on the untouched fold (a matplotlib ``Figure``)."""
    figure, axes = _square()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="chance")
    axes.plot(*zip(*report.curves["roc"], strict=True), label=f"AUC {report.test['auc']:.3f}")
    axes.set(xlabel="honest audiences taken for bought", ylabel="bought audiences found", title="ROC")
    axes.legend(loc="lower right")
    return figure


def precision_plot(report: TrustReport) -> Any:
    """Precision against recall on the untouched fold (a matplotlib ``Figure``)."""
    figure, axes = _square()
    axes.axhline(report.prevalence, color="grey", linewidth=1, label="chance")
    axes.plot(*zip(*report.curves["pr"], strict=True), label=f"PR-AUC {report.test['pr_auc']:.3f}")
    axes.set(xlabel="bought audiences found", ylabel="of those called bought, are", title="Precision and recall")
    axes.legend(loc="lower left")
    return figure


def forecast_plot(report: SuccessReport) -> Any:
    """Forecast, 90 % interval and truth of a few KOLs on the untouched day (a matplotlib ``Figure``)."""
    figure, metric = _figure(8, 3 * len(report.sample)), next(iter(report.by_metric), "")
    for i, kol in enumerate(report.sample):
        axes = figure.add_subplot(len(report.sample), 1, i + 1)
        hours = range(1, len(kol["actual"]) + 1)
        axes.fill_between(hours, kol["lower"], kol["upper"], alpha=0.25, label="90 % interval")
        axes.plot(hours, kol["forecast"], label="forecast")
        axes.plot(hours, kol["actual"], color="black", linewidth=1, label="truth")
        title = f"rank {kol['rank']} of {report.n_series} by volume"
        axes.set(title=title, xlabel="hours ahead", ylabel=f"{metric} per hour")
        axes.legend(loc="upper left", fontsize="small")
    figure.tight_layout()
    return figure


def horizons_plot(report: SuccessReport) -> Any:
    """sMAPE beside the seasonal naive's, and what the intervals cover, by hours ahead (a matplotlib ``Figure``)."""
    figure = _figure(9, 2.6 * len(report.by_metric))
    for i, (metric, own) in enumerate(report.by_metric.items()):
        ahead, error, naive, covered = (
            [row[name] for row in own["by_horizon"]] for name in ("horizon", "smape", "baseline_smape", "coverage_90")
        )
        left = figure.add_subplot(len(report.by_metric), 2, 2 * i + 1)
        left.plot(ahead, naive, color="grey", linewidth=1, label="seasonal naive")
        left.plot(ahead, error, marker=".", label="forecast")
        left.set(title=metric, xlabel="hours ahead", ylabel="sMAPE, %", ylim=(0, None))
        left.legend(loc="lower right", fontsize="small")
        right = figure.add_subplot(len(report.by_metric), 2, 2 * i + 2)
        right.axhline(0.9, color="grey", linewidth=1)
        right.plot(ahead, covered, marker=".")
        right.set(title=f"{metric}: 90 % intervals", xlabel="hours ahead", ylabel="cover", ylim=(0.5, 1.01))
    figure.tight_layout()
    return figure


def _square() -> tuple[Any, Any]:
    figure = _figure(5, 5)
    return figure, figure.add_subplot()


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure  # without pyplot: no display, no global state

    return Figure(figsize=(width, height))
