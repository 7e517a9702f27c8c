"""``kolray models forecast-campaigns``, and ``backtest success --task campaigns`` on a generated world."""

from __future__ import annotations

import json
from typing import Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from kolray.errors import InvalidInputError
from kolray.settings import load_settings


def forecast(as_json: bool = typer.Option(False, "--json", help="print JSON for machines")) -> None:
    """What campaigns bring, have brought and added: to gold.campaign_outlook and gold.campaign_forecasts.

    May be repeated; the night does it too.
    """
    from kolray.models.campaigns import forecast_campaigns

    with Console(stderr=True).status("looking at campaigns …"):
        made = forecast_campaigns(load_settings())
    if as_json:
        print(json.dumps(made))
        return
    print(f"{made['campaigns']:,} campaigns as of {made['origin']}: gold.campaign_outlook, gold.campaign_forecasts")


def register(models: typer.Typer) -> None:
    """Adds ``forecast-campaigns`` to ``kolray models``."""
    models.command("forecast-campaigns")(forecast)


def backtest_campaigns(world: str | None, *, as_json: bool) -> None:
    """Judges on a frozen generated world and prints.

    Raises:
        InvalidInputError: no world is given, there is none of the name, or the generator makes another one now.
    """
    from kolray.models.success.campaigns.forecast_report import judge_forecasts
    from kolray.models.success.campaigns.lift_report import judge_lifts
    from kolray.models.success.campaigns.world import campaign_world

    if world is None:
        raise InvalidInputError("say --world NAME: only of a generated world the true lift of campaigns is known")
    known = campaign_world(world, load_settings().home)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("lifts and forecasts", total=None)

        def step() -> None:
            progress.advance(bar)

        report = {"world": world, "lift": judge_lifts(known, step), "forecast": judge_forecasts(known, step)}
    if as_json:
        print(json.dumps(report))
        return
    _show_lifts(report)
    _show_forecasts(report)


def _show_lifts(report: dict[str, Any]) -> None:
    for metric, groups in report["lift"].items():
        names = ("campaigns", "RMSE", "alone", "during / before", "spread of truth", "90 % cover", "width")
        table = Table(f"lift of {metric}", *names)
        for group, told in groups.items():
            keys = ("rmse", "alone_rmse", "trivial_rmse", "truth_sd", "coverage_90", "width_90")
            table.add_row(group, f"{told['n']:,.0f}", *(f"{told[key]:.3f}" for key in keys))
        Console().print(table)


def _show_forecasts(report: dict[str, Any]) -> None:
    names = ("campaigns", "errors / sum", "own rate so far", "90 % cover", "width / sum")
    for metric, parts in report["forecast"].items():
        for what, groups in parts.items():
            table = Table(f"{metric}, {'next 24 h' if what == 'day' else 'whole campaign'}", *names)
            for group, told in groups.items():
                keys = ("wape", "trivial_wape", "coverage_90", "width")
                table.add_row(group, f"{told['n']:,.0f}", *(f"{told[key]:.3f}" for key in keys))
            Console().print(table)
