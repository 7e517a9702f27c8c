"""What ``kolray models backtest success`` judges series of: a file, the lake's hourly gold, or a generated world."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from kolray.errors import InvalidInputError
from kolray.models.success.backtest import backtest, backtest_metrics
from kolray.models.success.backtest_report import mean_report
from kolray.models.success.design import HOURLY, Design
from kolray.models.success.prophet import Prophets
from kolray.models.success.series import METRICS
from kolray.models.success.series_file import read_series
from kolray.models.success.train import metric_panels
from kolray.settings import load_settings

FIGURES = {"smape": "sMAPE, %", "mase": "MASE", "rmsle": "RMSLE", "coverage_90": "90 % intervals cover"}
DAY = Design(HOURLY.season, HOURLY.max_horizon)
Step = Callable[[], None]


def judge_file(
    file: Path, maps: dict[str, str], design: Design, origins: int, seed: int, step: Step, prophets: Prophets | None
) -> dict[str, Any]:
    """``BacktestReport`` of a file of ``series_id, at, value``."""
    read = read_series(file, maps)
    told = backtest(read.panel, design, origins, seed, step=step, prophets=prophets).to_dict()
    return told | {"left_out": read.left_out | told["left_out"]}


def judge_gold(metric: str | None, origins: int, seed: int, step: Step, prophets: Prophets | None) -> dict[str, Any]:
    """The same of the lake's KOLs, with all that is known of them; of one metric or of each."""
    from kolray.models.lifecycle import complete_hours
    from kolray.models.success.covariates import lake_covariates

    if metric is not None and metric not in METRICS:
        raise InvalidInputError(f"metric {metric!r} is not forecast; choose one of {', '.join(METRICS)}")
    root = load_settings().lake_root
    panels = metric_panels(complete_hours(root), lake_covariates(root))
    panels = panels if metric is None else {metric: panels[metric]}
    found = backtest_metrics(panels, HOURLY, origins, seed, step, prophets)
    reports = {name: one.report() for name, one in found.items()}
    return (mean_report(reports) if metric is None else reports[metric]).to_dict()


def judge_world(name: str, origins: int, seed: int, step: Step, prophets: Prophets | None) -> dict[str, Any]:
    """The same of a generated world, beside what could be reached on it."""
    from kolray.models.success import world_report
    from kolray.models.success.world import kpi_world

    known = kpi_world(name, load_settings().home)
    return {"world": name} | world_report.judge_world(known, origins, seed, step, prophets)


def show_series(told: dict[str, Any]) -> None:
    """Forecast beside the seasonal naive; of a world by metric and group."""
    console = Console()
    table = Table(f"{told['series']:,} series, {told['origins']} origins", "forecast", "seasonal naive")
    for name, title in FIGURES.items():
        table.add_row(title, _number(told[name]), _number(told.get(f"baseline_{name}")))
    console.print(table)
    if told["by_metric"]:
        console.print(_by_metric(told["by_metric"]))
    print(f"weights: {_weights(told['weights'])}")
    if told["important_weights"]:
        print(f"of the largest series: {_weights(told['important_weights'])}")
    for name, why in list(told["left_out"].items())[:5]:
        print(f"left out {name}: {why}")
    if len(told["left_out"]) > 5:
        print(f"and {len(told['left_out']) - 5} more: --json lists them")


def _by_metric(by_metric: dict[str, Any]) -> Table:
    rest = ("series", "forecast", "seasonal naive", "floor", "cover", "day", "its floor")
    table = Table(Column("sMAPE, %", no_wrap=True), *rest)
    for metric, own in by_metric.items():
        groups = own.get("groups", {"all": own})
        for group, row in groups.items():
            title = metric if group == "all" else f"  {group}"
            names = ("smape", "baseline_smape", "floor_smape", "coverage_90", "day_smape", "day_floor_smape")
            table.add_row(title, f"{row['series']:,}", *(_number(row.get(name)) for name in names))
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _weights(weights: dict[str, float]) -> str:
    return ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())
