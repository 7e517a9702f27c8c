"""``kolray models backtest``: forecasts judged at origins of the past."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import Progress

from kolray.cli.options import FIELD_COLUMN, pairs
from kolray.errors import InvalidInputError


def backtest(
    kind: str = typer.Argument("success", help="success"),
    series: Path | None = typer.Option(None, "--series", help="file of series_id, at, value; none: hourly gold"),
    world: str | None = typer.Option(None, help="a frozen generated world instead of gold (see docs/worlds.md)"),
    horizon: int = typer.Option(24, min=1, help="steps ahead"),
    season: int = typer.Option(24, min=1, help="steps after which a series repeats itself"),
    origins: int = typer.Option(1, min=1, help="how many origins, a horizon apart; 1: only the last steps are judged"),
    calendar: bool = typer.Option(True, help="hour, weekday and holidays; no where the dates mean nothing"),
    metric: str | None = typer.Option(None, help="of the lake; none: all (young-posts: engagement)"),
    prophet: int = typer.Option(0, min=0, help="fit Prophet to so many series of the largest volume, as Ray tasks"),
    maps: list[str] = FIELD_COLUMN,
    task: str = typer.Option(
        "series", help="series; young-posts: counts --horizon hours after posting; campaigns: lifts on --world"
    ),
    known: float = typer.Option(1.0, "--known-h", help="young-posts: hours after posting that are known"),
    step_minutes: float = typer.Option(20.0, help="young-posts: minutes between two counts of a file"),
    seed: int = typer.Option(7, help="exact per seed"),
    as_json: bool = typer.Option(False, "--json", help="print JSON for machines"),
) -> None:
    """Fit on what was known at each origin, judge on what came, beside the seasonal naive."""
    if kind != "success":
        raise InvalidInputError(f"no backtest of {kind!r}: choose success")
    if task == "young-posts":
        from kolray.cli.young_posts import backtest_young_posts, show_young_posts

        hours = (known, float(horizon))
        report = backtest_young_posts(series, pairs(maps), metric or "engagement", hours, step_minutes, seed)
        show_young_posts(report, as_json=as_json)
        return
    if task == "campaigns":
        from kolray.cli.campaigns import backtest_campaigns

        backtest_campaigns(world, as_json=as_json)
        return
    if task != "series":
        raise InvalidInputError(f"no task {task!r}: choose series, young-posts or campaigns")
    told = _judged(series, world, metric, pairs(maps), (season, horizon, calendar), origins, seed, prophet)
    if as_json:
        print(json.dumps(told))
        return
    from kolray.cli.series import show_series

    show_series(told)


def _judged(
    file: Path | None,
    world: str | None,
    metric: str | None,
    maps: dict[str, str],
    shape: tuple[int, int, bool],
    origins: int,
    seed: int,
    prophet: int,
) -> dict[str, Any]:
    from kolray.cli.series import DAY, judge_file, judge_gold, judge_world
    from kolray.models.success.design import Design

    design = Design(*shape)
    if file is None and design != DAY:
        raise InvalidInputError("--horizon, --season and --no-calendar are for --series: KOLs are forecast for a day")
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("origins", total=origins)

        def step() -> None:
            progress.advance(bar)

        if file is not None:
            return judge_file(file, maps, design, origins, seed, step, _prophets(prophet))
        if world is not None:
            return judge_world(world, origins, seed, step, _prophets(prophet))
        return judge_gold(metric, origins, seed, step, _prophets(prophet))


def _prophets(important: int) -> Any:
    if not important:
        return None
    from kolray.models.success.prophet import Prophets
    from kolray.models.success.prophet_ray import fit_on_ray

    return Prophets(important, fit_on_ray)


def register(models: typer.Typer) -> None:
    """Adds ``backtest`` to ``kolray models``."""
    models.command()(backtest)
