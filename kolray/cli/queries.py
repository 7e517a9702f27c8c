"""``kolray lake queries``."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from kolray.cli import lake
from kolray.settings import load_settings


def queries(
    name: str | None = typer.Argument(None, help="the query to run; without one they are listed"),
    show_sql: bool = typer.Option(False, "--sql", help="print its SQL, to begin one of your own from"),
    output: str = typer.Option("table", help="table, csv or json"),
) -> None:
    """Questions an analyst asks of the lake: list them, or run one by its name."""
    from kolray.lake.queries import find_query
    from kolray.lake.sql import query

    if name is None:
        _list()
    elif show_sql:
        print(find_query(name).sql)
    else:
        found = find_query(name)
        if output == "table":
            Console(stderr=True).print(found.question, style="bold", highlight=False)
        lake.print_rows(query(load_settings().lake_root, found.sql), output)


def _list() -> None:
    from kolray.lake.queries import queries as every
    from kolray.lake.tables import LakeTables

    held = set(LakeTables(load_settings().lake_root).names())
    table = Table(box=None, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for query in every():
        missing = [name for name in query.tables if name not in held]
        told = f" [yellow](needs {', '.join(missing)})[/]" if missing else ""
        table.add_row(query.name, f"{query.question}{told}")
    Console().print(table, highlight=False)
    print("\n`kolray lake queries NAME` runs one, `--sql` shows how it is asked")


def register(_: typer.Typer) -> None:
    """Adds it to ``kolray lake``."""
    lake.app.command()(queries)
