"""``kolray models backtest``: forecasts judged at origins of the past."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from kolray.cli.options import FIELD_COLUMN, pairs
from kolray.errors import InvalidInputError
from kolray.settings import load_settings


def backtest(
    kind: str = typer.Argument("success", help="success"),
    series: Path | None = typer.Option(None, "--series", help="file of series_id, at, value; none: hourly gold"),
    horizon: int = typer.Option(24, min=1, help="steps ahead"),
    season: int = typer.Option(24, min=1, help="steps after which a series repeats itself"),
    origins: int = typer.Option(1, min=1, help="how many origins, a horizon apart; 1: only the last steps are judged"),
    calendar: bool = typer.Option(True, help="hour, weekday and holidays; no where the dates mean nothing"),
    metric: str = typer.Option("engagement", help="of the lake"),
    prophet: int = typer.Option(0, min=0, help="fit Prophet to so many series of the largest volume, as Ray tasks"),
    maps: list[str] = FIELD_COLUMN,
    task: str = typer.Option("series", help="series, or young-posts: a post's count --horizon hours after posting"),
    known: float = typer.Option(1.0, "--known-h", help="young-posts: hours after posting that are known"),
    step_minutes: float = typer.Option(20.0, help="young-posts: minutes between two counts of a file"),
    seed: int = typer.Option(7, help="exact per seed"),
    as_json: bool = typer.Option(False, "--json", help="print JSON for machines"),
) -> None:
    """Fit on what was known at each origin, judge on what came, beside the seasonal naive."""
    from kolray.cli.young_posts import backtest_young_posts, show_young_posts
    from kolray.models.lifecycle import complete_hours
    from kolray.models.success.backtest import backtest as run
    from kolray.models.success.design import Design
    from kolray.models.success.series import hourly_history, to_matrix
    from kolray.models.success.series_file import read_series

    if kind != "success":
        raise InvalidInputError(f"no backtest of {kind!r}: choose success")
    if task == "young-posts":
        hours = (known, float(horizon))
        show_young_posts(backtest_young_posts(series, pairs(maps), metric, hours, step_minutes, seed), as_json=as_json)
        return
    if task != "series":
        raise InvalidInputError(f"no task {task!r}: choose series or young-posts")
    if series is not None:
        read = read_series(series, pairs(maps))
        panel, left_out = read.panel, read.left_out
    else:
        panel, left_out = to_matrix(hourly_history(complete_hours(load_settings().lake_root), metric)), {}
    prophets = _prophets(prophet)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("origins", total=origins)
        design, step = Design(season, horizon, calendar), lambda: progress.advance(bar)
        report = run(panel, design, origins, seed, step=step, prophets=prophets)
    told = report.to_dict()
    told["left_out"] = left_out | told["left_out"]
    if as_json:
        print(json.dumps(told))
        return
    table = Table(f"{report.series} series, {report.origins} origins", "forecast", "seasonal naive")
    table.add_row("sMAPE, %", f"{report.smape:.3f}", f"{report.baseline_smape:.3f}")
    table.add_row("MASE", f"{report.mase:.3f}", f"{report.baseline_mase:.3f}")
    table.add_row("90 % intervals cover", f"{report.coverage_90:.3f}", "")
    Console().print(table)
    print(f"weights: {_told(report.weights)}")
    if prophet:
        print(f"of the {prophet} largest: {_told(report.important_weights) or 'the same; Prophet earned none'}")
    for name, why in list(told["left_out"].items())[:5]:
        print(f"left out {name}: {why}")
    if len(told["left_out"]) > 5:
        print(f"and {len(told['left_out']) - 5} more: --json lists them")


def _told(weights: dict[str, float]) -> str:
    return ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())


def _prophets(important: int) -> Any:
    if not important:
        return None
    from kolray.models.success.prophet import Prophets
    from kolray.models.success.prophet_ray import fit_on_ray

    return Prophets(important, fit_on_ray)


def register(models: typer.Typer) -> None:
    """Adds ``backtest`` to ``kolray models``."""
    models.command()(backtest)
