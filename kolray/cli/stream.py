"""``kolray stream``: run the shards on Ray."""

from __future__ import annotations

import json
from functools import partial

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from kolray.settings import load_settings


def stream(
    until_end: bool = typer.Option(False, "--until-end", help="stop at the end of the topics and close all windows"),
    reset: bool = typer.Option(False, "--reset", help="forget all checkpoints first and read from the beginning"),
    as_json: bool = typer.Option(False, "--json", help="print the final counters as JSON"),
) -> None:
    """Consume the raw topics into windows, patterns and alerts, until Ctrl-C."""
    settings = load_settings()
    if reset:
        from kolray.stream.checkpoint import forget

        forget(settings)
    from kolray.models.champion_scorer import champion_scorer
    from kolray.models.sentiment import kept_classifiers
    from kolray.stream.actors import run_stream

    sentiment = kept_classifiers(settings)
    with Live(console=Console(stderr=True), refresh_per_second=2) as live:
        totals = run_stream(
            settings,
            sentiment,
            partial(champion_scorer, settings),
            older=sentiment.find,
            until_end=until_end,
            on_totals=lambda t: live.update(_table(t)),
        )
    print(json.dumps(totals) if as_json else _line(totals))


def _table(totals: dict[str, int]) -> Table:
    table = Table(*totals, title="kolray stream")
    table.add_row(*(f"{value:,}" for value in totals.values()))
    return table


def _line(totals: dict[str, int]) -> str:
    return ", ".join(f"{value:,} {name}" for name, value in totals.items())


def register(root: typer.Typer) -> None:
    """Adds ``kolray stream``."""
    root.command()(stream)
