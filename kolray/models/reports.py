"""Reports of earlier versions named the KOLs that they showed; an erasure puts ranks in place of the names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from kolray.models.plots import forecast_plot
from kolray.models.registry import ModelRegistry
from kolray.models.success.report import SuccessReport, sample_places

ONE_METRIC = ("test", "baseline", "by_horizon", "weights")
Names = Callable[[Any], bool]
"""Whether a JSON value names the KOL."""


def forget_reports(registry: ModelRegistry, names: Names) -> int:
    """Takes all names out of the reports that name this KOL, and draws their plots anew; returns how many."""
    found = [(run_id, report) for run_id, report in registry.reports() if names(report)]
    for run_id, held in found:
        report = _without_names(held)
        registry.replace_report(run_id, report.to_dict(), {"forecast.png": forecast_plot(report)})
    return len(found)


def reports_with(registry: ModelRegistry, names: Names) -> list[str]:
    """Runs whose report names the KOL."""
    return [f"MLflow run {run_id}" for run_id, report in registry.reports() if names(report)]


def _without_names(held: dict[str, Any]) -> SuccessReport:
    places = sample_places(held["n_series"])
    sample = [
        {"rank": place + 1, **{name: value for name, value in kol.items() if name != "kol_id"}}
        for place, kol in zip(places, held["sample"], strict=True)
    ]
    known = {field.name: held[field.name] for field in fields(SuccessReport) if field.name in held}
    if "weights" in held:  # of a time when a report was of one metric
        known["by_metric"] = {"engagement": {name: held[name] for name in ONE_METRIC if name in held}}
    return SuccessReport(**{**known, "sample": sample})
