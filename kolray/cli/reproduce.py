"""``kolray models reproduce``: a past score made again."""

from __future__ import annotations

import json
from contextlib import closing

import typer
from rich.console import Console
from rich.table import Table

from kolray.cli.options import parse_time
from kolray.errors import InvalidInputError
from kolray.settings import load_settings


def reproduce(
    kind: str = typer.Argument("trust", help="trust"),
    kol: str = typer.Option(..., "--kol", help="the KOL's id"),
    as_of: str = typer.Option(None, "--as-of", help="the score's as_of, ISO 8601 (UTC); default: the newest"),
    model: str = typer.Option(None, "--model", help="the score's model, NAME:VERSION or VERSION; default: the newest"),
    as_json: bool = typer.Option(False, "--json", help="print JSON for machines"),
) -> None:
    """Make a past score again from its ids and compare every number to the last bit; exits 1 where one differs."""
    from kolray.lake.tables import LakeTables
    from kolray.models.registry import ModelRegistry
    from kolray.models.reproduce import reproduce as again
    from kolray.stores.open import open_metrics_store

    if kind != "trust":
        raise InvalidInputError(f"no scores of {kind!r} are kept: choose trust")
    label = f"{kind}:{model}" if model is not None and model.isdigit() else model
    settings = load_settings()
    registry = ModelRegistry.of(settings)
    with closing(open_metrics_store(settings)) as store:
        made = again(registry, LakeTables(settings.lake_root), store, kol, parse_time(as_of), label)
    if as_json:
        print(json.dumps(made.to_dict(), default=str))
    else:
        table = Table("", "held", "again", title=f"{made.kol_id}, {made.model}, {made.as_of.isoformat()}")
        for name, value in made.held.items():
            table.add_row(name, repr(value), repr(made.again[name]))
        Console().print(table)
        print("the same to the last bit" if made.same else f"not the same; libraries that changed: {made.libraries}")
    if not made.same:
        raise typer.Exit(1)


def register(models: typer.Typer) -> None:
    """Adds ``reproduce`` to ``kolray models``."""
    models.command()(reproduce)
