"""``kolray local trino``."""

from __future__ import annotations

import json

import typer
from rich.console import Console

from kolray.cli.lake import AS_JSON
from kolray.errors import NotFoundError
from kolray.settings import load_settings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def local() -> None:
    """Servers that belong to no profile."""


@app.command()
def trino(
    stop: bool = typer.Option(False, "--stop", help="stop it (`kolray down` does too)"),
    statements: str | None = typer.Option(
        None, help="print the statements for a Trino of your own that sees the lake at this location, and start nothing"
    ),
    as_json: bool = AS_JSON,
) -> None:
    """Start Trino on loopback with the lake's tables in catalog `lake`; again: add tables that are new."""
    from kolray.lake import trino as tables_in
    from kolray.lake.tables import LakeTables
    from kolray.local.trino import start_trino, stop_trino

    settings = load_settings()
    tables = LakeTables(settings.lake_root)
    if stop:
        print("stopped trino" if stop_trino(settings.home) else "no trino was running here")
        return
    if statements is not None:
        print(*(f"{statement};" for statement in tables_in.statements(tables.names(), statements)), sep="\n")
        return
    if not tables.names():
        raise NotFoundError(f"the lake at {tables.root} holds no tables yet; run `kolray lake bronze`")
    with Console(stderr=True).status("starting trino (the first time it is fetched: 0.8 GB) …"):
        address = start_trino(settings.home, tables_in.catalog(tables.root))
        new = tables_in.register(tables, address)
    if as_json:
        print(json.dumps({"address": address, "tables": tables.names(), "new": new}))
    else:
        print(f"trino on http://{address}, catalog lake: {len(tables.names())} tables, {len(new)} of them new")


def register(root: typer.Typer) -> None:
    """Adds ``kolray local``."""
    root.add_typer(app, name="local")
