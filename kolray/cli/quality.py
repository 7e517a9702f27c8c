"""``kolray lake quality``."""

from __future__ import annotations

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from kolray.settings import load_settings

STYLES = {"error": "red", "warning": "yellow", "duplicate": "cyan"}
WIDE = 110
"""Characters of a terminal that has room for all columns."""


def quality(
    every: bool = typer.Option(False, "--all", help="also the rules that every row keeps"),
    last: bool = typer.Option(False, "--last", help="only the newest run of each kind; default: all runs"),
    as_json: bool = typer.Option(False, "--json", help="as JSON"),
) -> None:
    """Which declared rules silver's rows broke, how often, and what became of the rows."""
    from kolray.lake.quality import newest_runs, summary
    from kolray.lake.tables import LakeTables

    runs = LakeTables(load_settings().lake_root).scan("silver.quality")
    rules = summary(newest_runs(runs) if last else runs)
    shown = rules if every else rules.filter(pl.col("failed") > 0)
    if as_json:
        print(shown.write_json())
    elif rules.is_empty():
        print("no run of silver was recorded yet; run `kolray lake silver`")
    else:
        _print(rules, shown)


def _print(rules: pl.DataFrame, shown: pl.DataFrame) -> None:
    console, broken = Console(), rules.filter(pl.col("failed") > 0).height
    console.print(
        f"{broken} of {rules.height} rules broken: an error's rows are in silver.quarantine, a warning's stay"
    )
    table = Table(box=None, header_style="bold")
    columns = ("kind", "rule", "severity", "failed", "share", *(() if console.width < WIDE else ("of", "newest")))
    for name in columns:
        table.add_column(name, no_wrap=True, justify="right" if name in {"failed", "share", "of"} else "left")
    table.add_column("what it means", style="dim")
    for row in shown.iter_rows(named=True):
        cells = {name: str(row[name]) for name in ("kind", "rule")} | {
            "severity": f"[{STYLES[row['severity']] if row['failed'] else 'dim'}]{row['severity']}[/]",
            "failed": f"{row['failed']:,}",
            "of": f"{row['checked']:,}",
            "share": "" if row["share"] is None else f"{row['share']:.2%}",
            "newest": f"{row['newest']:%m-%d %H:%M}" if row["newest"] else "",
        }
        table.add_row(*(cells[name] for name in columns), row["means"])
    if shown.height:
        console.print(table)
