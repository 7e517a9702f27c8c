"""``kolray lake`` and ``kolray verify``."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import typer
from rich.console import Console

from kolray.cli.options import parse_time
from kolray.cli.quality import quality
from kolray.errors import InvalidInputError
from kolray.observability.runs import recorded
from kolray.settings import Settings, load_settings

if TYPE_CHECKING:
    from kolray.lake.verify import Verdict

app = typer.Typer(no_args_is_help=True, help="Refine and query the Delta lake.")
AS_JSON = typer.Option(False, "--json", help="as JSON")
MOST_COLUMNS, TURNED_ROWS = 24, 4
"""A table of more columns is turned: its columns are lines, so many rows beside each other."""


def _show(counts: dict[str, int], as_json: bool) -> None:
    if as_json:
        print(json.dumps(counts))
    else:
        print(", ".join(f"{rows:,} rows to {table}" for table, rows in counts.items()) or "nothing new")


@app.command()
def bronze(
    follow: bool = typer.Option(False, "--follow", help="go on until Ctrl-C or SIGTERM, a micro-batch every interval"),
    interval: float | None = typer.Option(None, min=0.1, help="with --follow: seconds; default: lake.follow_s"),
    as_json: bool = AS_JSON,
) -> None:
    """Read the topics to their ends into bronze, exactly once."""
    settings = load_settings()
    if follow:
        counts = _follow(settings, interval)
    elif interval is not None:
        raise InvalidInputError("--interval is the pause between the micro-batches of --follow: give both")
    else:
        from kolray.lake.bronze_pipeline import run_bronze

        with Console(stderr=True).status("bronze …"):
            counts = run_bronze(settings)
    _show(counts, as_json)


def _follow(settings: Settings, interval: float | None) -> dict[str, int]:
    import signal
    import threading

    from kolray.lake.follow_actors import run_follow
    from kolray.local.cluster import join_ray

    lake = settings.lake if interval is None else settings.lake.model_copy(update={"follow_s": interval})
    join_ray(lake.followers)  # before our handlers: it sets one of its own
    stop = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: stop.set())
    console = Console(stderr=True)
    console.print("following the topics  (Ctrl-C to stop)")  # a log has no status line
    with console.status("following …") as status:
        return run_follow(
            settings.model_copy(update={"lake": lake}),
            stop,
            lambda counts: status.update(f"following: {sum(counts.values()):,} rows …"),
        )


@app.command()
def silver(as_json: bool = AS_JSON) -> None:
    """Deduplicate, validate and type what bronze gained; sentiment of comments."""
    from kolray.lake.silver_pipeline import run_silver
    from kolray.models.sentiment import kept_classifiers

    settings = load_settings()
    with Console(stderr=True).status("silver …"):
        counts = run_silver(settings, kept_classifiers(settings)())
    _show(counts, as_json)
    if "silver.quarantine" in counts and not as_json:
        print("`kolray lake quality` says which rules were broken")


@app.command()
def gold(
    as_of: str | None = typer.Option(None, help="ISO time of the features; default: now"),
    first: str | None = typer.Option(None, "--from", help="make this day and later ones again, e.g. 2026-01-31"),
    last: str | None = typer.Option(None, "--to", help="the last day to make again, included; default: today"),
    as_json: bool = AS_JSON,
) -> None:
    """KPIs of the days that changed, and features as of a time; or everything of a range of days again."""
    from kolray.clock import SystemClock
    from kolray.lake.gold_pipeline import backfill_gold, run_gold

    at = parse_time(as_of)
    if last is not None and first is None:
        raise InvalidInputError("--to alone is no range: say with --from where it begins")
    if first is not None and at is not None:
        raise InvalidInputError("--from makes features as of the end of each of its days: leave --as-of away")
    with Console(stderr=True).status("gold …"):
        if first is None:
            counts = run_gold(load_settings(), at)
        else:
            until = SystemClock().now().date() if last is None else parse_day(last)
            counts = backfill_gold(load_settings(), parse_day(first), until)
    _show(counts, as_json)


@app.command()
def scores(as_json: bool = AS_JSON) -> None:
    """Copy new scores of the stream and of `kolray score` from the metrics store to gold.scores."""
    from kolray.lake.scores import NAME, copy_scores
    from kolray.lake.tables import LakeTables
    from kolray.stores.open import open_metrics_store

    settings = load_settings()
    store = open_metrics_store(settings)
    with Console(stderr=True).status("scores …"):
        copied = copy_scores(LakeTables(settings.lake_root), store)
    store.close()
    _show({NAME: copied} if copied else {}, as_json)


@app.command()
def sql(
    query: str = typer.Argument(help="one SELECT over bronze.*, silver.*, gold.*, ref.*"),
    output: str = typer.Option("table", help="table, csv or json"),
    as_of: str | None = typer.Option(None, help="ISO time: every table as it was then"),
    version: list[str] = typer.Option([], help="TABLE=VERSION: one table at a version of its Delta log; repeatable"),
) -> None:
    """Query the lake with an embedded engine, also as it was."""
    from kolray.lake.sql import query as run_query

    versions = dict(_table_version(text) for text in version)
    rows = run_query(load_settings().lake_root, query, parse_time(as_of), versions)
    print_rows(rows, output)


def _table_version(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not number.isdecimal():
        raise InvalidInputError(f"--version {text}: write TABLE=VERSION, such as silver.social=3")
    return name, int(number)


def _turned(rows: pl.DataFrame) -> pl.DataFrame:
    """A row a column, so that what has many columns can be read."""
    texts = rows.with_columns(pl.col(pl.Float64).round_sig_figs(5)).select(pl.all().cast(pl.String))
    return texts.transpose(include_header=True, header_name="", column_names=[str(n + 1) for n in range(rows.height)])


def print_rows(rows: pl.DataFrame, output: str) -> None:
    """A result as ``--output`` asks for it."""
    if output == "csv":
        print(rows.write_csv(), end="")
    elif output == "json":
        print(rows.write_json())
    elif output == "table":
        turned = rows.width > MOST_COLUMNS
        with pl.Config(
            tbl_rows=rows.width if turned else 50,
            tbl_cols=-1,
            tbl_hide_dataframe_shape=True,
            tbl_hide_column_data_types=True,
        ):
            print(_turned(rows.head(TURNED_ROWS)) if turned else rows)
        if turned and rows.height > TURNED_ROWS:
            print(f"{TURNED_ROWS} of {rows.height} rows, as columns: --output csv has all")
    else:
        raise InvalidInputError(f"--output {output}: use table, csv or json")


def verify(
    as_json: bool = AS_JSON,
    show: int = typer.Option(20, help="differences to list"),
    refresh: bool = typer.Option(True, help="bring bronze up to date first"),
    incremental: bool = typer.Option(False, help="only windows that changed since the last comparison that held"),
) -> None:
    """Recompute every closed window from the lake and compare it with the store; exit 1 on any difference."""
    settings = load_settings()
    with Console(stderr=True).status("verify …"):
        verdict = run_verify(settings, refresh=refresh, incremental=incremental)
    differences = verdict.differences
    if as_json:
        found = {"windows": verdict.windows, "differences": differences.height, "unchecked": verdict.unchecked}
        print(json.dumps(found | {"since": verdict.since.isoformat() if verdict.since else None}))
    else:
        since = f" since {verdict.since:%Y-%m-%d %H:%M} UTC" if verdict.since else ""
        print(f"{differences.height} differences in {verdict.windows:,} windows{since}")
        if verdict.unchecked:
            print(f"sentiment was not compared where {', '.join(verdict.unchecked)} judged: that model is not kept")
        if differences.height:
            print_rows(differences.head(show), "table")
    if differences.height:
        raise typer.Exit(1)


@recorded("verify")
def run_verify(settings: Settings, *, refresh: bool, incremental: bool = False) -> Verdict:
    """Compares the stores with the lake; sentiment by the models the stream's checkpoints name.

    Args:
        incremental: only what is new since the last comparison that held, of which the home keeps a mark.
    """
    from kolray.clock import SystemClock, to_ms
    from kolray.lake.increment import Mark, first_new
    from kolray.lake.tables import LakeTables
    from kolray.lake.verify import SentimentHistory
    from kolray.lake.verify import verify as compare
    from kolray.models.sentiment import kept_classifiers
    from kolray.stores.open import open_metrics_store
    from kolray.stream.checkpoint import open_checkpoints, recorded_sentiment

    if refresh:
        from kolray.lake.bronze_pipeline import run_bronze

        run_bronze(settings)
    tables, file = LakeTables(settings.lake_root), settings.home / "verified.json"
    windows = settings.stream.windows
    now, before = Mark.of(tables, windows), Mark.read(file, windows) if incremental else None
    since = None if before is None else first_new(tables, before) or SystemClock().now()
    store = open_metrics_store(settings)
    kept = kept_classifiers(settings)
    history = SentimentHistory(recorded_sentiment(open_checkpoints(settings)), kept.find)
    verdict = compare(tables, store, windows, kept(), history, since)
    store.close()
    if not verdict.differences.height:
        replace(now, open_ms=to_ms(verdict.open_since) if verdict.open_since else None).write(file)
    return verdict


def parse_day(text: str) -> date:
    """A day as the options take it."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(f"{text!r} is no day, e.g. 2026-01-31") from error


app.command()(quality)


def register(root: typer.Typer) -> None:
    """Adds the two."""
    root.add_typer(app, name="lake")
    root.command()(verify)
