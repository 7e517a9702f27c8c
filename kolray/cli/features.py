"""``kolray features``: of the lake, of files, or what each one means."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl
import typer
from rich.console import Console

from kolray.cli.lake import print_rows
from kolray.cli.options import FIELD_COLUMN, pairs, parse_time
from kolray.errors import InvalidInputError
from kolray.settings import load_settings


def features(
    as_of: str | None = typer.Option(None, "--as-of", help="what had happened by this ISO time; default: now"),
    known_at: str | None = typer.Option(None, "--known-at", help="lake: as known at this ISO time; default: --as-of"),
    kol: str | None = typer.Option(None, help="only this KOL"),
    events: list[Path] = typer.Option(None, help="social events (JSON Lines, CSV, Parquet) instead of the lake"),
    web_events: list[Path] = typer.Option(None, help="web events beside those of --events"),
    maps: list[str] = FIELD_COLUMN,
    listed: bool = typer.Option(False, "--list", help="what each feature means, its unit, range and null rule"),
    output: str = typer.Option("table", help="table, csv or json"),
) -> None:
    """Features of the KOLs as they could be known at a time, straight from silver or from files of events."""
    from kolray.clock import SystemClock
    from kolray.features.reference import feature_list

    if listed:
        print_rows(feature_list(), output)
        return
    at = parse_time(as_of) or SystemClock().now()
    if events or web_events:
        if known_at is not None:
            raise InvalidInputError("--known-at is for the lake: a file does not say when its events arrived")
        rows = _of_files(events or [], web_events or [], pairs(maps), at)
    else:
        rows = _of_lake(at, parse_time(known_at))
    print_rows(rows if kol is None else rows.filter(pl.col("kol_id") == kol), output)


def _of_lake(as_of: datetime, known_at: datetime | None) -> pl.DataFrame:
    from kolray.lake.gold_files import features_at
    from kolray.lake.tables import LakeTables

    return features_at(LakeTables(load_settings().lake_root), as_of, known_at)


def _of_files(social: list[Path], web: list[Path], mapping: dict[str, str], as_of: datetime) -> pl.DataFrame:
    from kolray.connectors.files import read_files
    from kolray.events import SCHEMAS
    from kolray.lake.event_features import features_of_events
    from kolray.models.sentiment import default_classifier

    frames = {kind: pl.DataFrame(schema=SCHEMAS[kind]) for kind in SCHEMAS}
    bad = 0
    if social:
        read = read_files(social, "social", mapping, {})
        frames["social"], bad = read.frame, read.dead.height
    if web:
        read = read_files(web, "web", {} if social else mapping, {})
        frames["web"], bad = read.frame, bad + read.dead.height
    if bad:
        Console(stderr=True).print(f"{bad:,} bad rows were left out; `kolray ingest file` says why")
    return features_of_events(frames["social"], frames["web"], as_of, default_classifier())


def register(root: typer.Typer) -> None:
    """Adds ``kolray features``."""
    root.command()(features)
