"""``kolray models forecast``: the batch of forecasts, by hand."""

from __future__ import annotations

import json

import typer
from rich.console import Console

from kolray.settings import load_settings


def forecast(as_json: bool = typer.Option(False, "--json", help="print JSON for machines")) -> None:
    """Forecast the next day of every KOL with the success champion: to gold.forecasts and Redis. May be repeated."""
    from kolray.models.forecast_pipeline import run_forecasts

    with Console(stderr=True).status("forecasting …"):
        made = run_forecasts(load_settings())
    if as_json:
        print(json.dumps(made))
        return
    rows = f"{made['rows']:,} rows of gold.forecasts" if made["rows"] else "gold.forecasts was up to date"
    print(f"{made['kols']:,} KOLs from {made['origin']} on by {made['model']}: {rows}; Redis has them")


def register(models: typer.Typer) -> None:
    """Adds ``forecast`` to ``kolray models``."""
    models.command()(forecast)
