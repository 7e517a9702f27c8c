"""Reference tables with their history: who a KOL is, what a campaign is, what was judged about an account."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
from deltalake import write_deltalake

from kolray.clock import Clock, SystemClock
from kolray.errors import InvalidInputError
from kolray.events import TIME, Columns, conform
from kolray.lake.overlap import retried
from kolray.lake.places import scan_table
from kolray.lake.tables import LakeTables, Root
from kolray.lake.turns import lake_job

REFERENCE: dict[str, tuple[Columns, tuple[str, ...]]] = {
    "kols": (
        {"kol_id": pl.String, "platform": pl.String, "category": pl.String, "tier": pl.String, "language": pl.String},
        ("kol_id",),
    ),
    "campaigns": (
        {
            "campaign_id": pl.String,
            "kol_id": pl.String,
            "start": TIME,
            "end": TIME,
            "budget": pl.Float64,
            "currency": pl.String,
            "category": pl.String,
            "phases": pl.String,
        },
        ("campaign_id", "kol_id"),
    ),
    "labels": (
        {"kol_id": pl.String, "label": pl.Int8, "source": pl.String, "at": TIME, "fake_share": pl.Float64},
        ("kol_id", "source"),
    ),
}
"""Name → (columns, key). ``phases`` is JSON; ``label`` is 1 for fraud.

``fake_share`` (0–1, null where nobody counted) is the part of the followers that is no real audience.
"""


def upsert_reference(root: Root, name: str, frame: pl.DataFrame, clock: Clock | None = None) -> int:
    """Adds rows that are new or changed, stamped ``valid_from``; returns how many.

    Raises:
        InvalidInputError: unknown table, missing key columns, or a value of another type.
    """
    if name not in REFERENCE:
        raise InvalidInputError(f"no reference table {name!r}; there are {', '.join(REFERENCE)}")
    schema, key = REFERENCE[name]
    missing = [column for column in key if column not in frame.columns]
    if missing:
        raise InvalidInputError(f"ref.{name} needs the columns {', '.join(key)}; missing: {', '.join(missing)}")
    try:
        rows = frame.select(conform(schema, frame.columns)).unique(key, keep="last", maintain_order=True)
    except pl.exceptions.PolarsError as error:
        raise InvalidInputError(f"ref.{name}: {error}") from error
    if name == "labels" and (outside := rows.filter(~pl.col("fake_share").is_between(0, 1)).height):
        raise InvalidInputError(f"ref.labels: fake_share of {outside} rows is outside 0–1: give a share, not %")
    with lake_job(root):
        return _add_changed(root, name, rows, clock or SystemClock())


def _add_changed(root: Root, name: str, rows: pl.DataFrame, clock: Clock) -> int:
    held = current(root, name)
    schema, _ = REFERENCE[name]
    changed = rows.join(held, on=list(schema), how="anti", nulls_equal=True)
    if changed.height:
        stamped = changed.with_columns(valid_from=pl.lit(clock.now()).cast(TIME))
        tables = LakeTables(root)
        path = tables.path(f"ref.{name}").url
        rows, options = stamped.to_arrow(), tables.options
        retried(f"ref.{name}", lambda: _append(path, rows, options))
    return changed.height


def _append(path: str, rows: Any, options: dict[str, str] | None) -> None:
    # A table of an earlier kolray lacks columns that were added since: they become null in what it holds.
    write_deltalake(path, rows, mode="append", schema_mode="merge", storage_options=options)


def current(root: Root, name: str, as_of: datetime | None = None, version: int | None = None) -> pl.DataFrame:
    """The newest row of each key known at ``as_of`` (default: now) in the table's newest or a given version."""
    schema, key = REFERENCE[name]
    rows = recorded(root, name, version)
    if as_of is not None:
        rows = rows.filter(pl.col("valid_from") <= as_of)
    return rows.sort("valid_from").unique(key, keep="last", maintain_order=True).select(*schema).collect()


def recorded(root: Root, name: str, version: int | None = None) -> pl.LazyFrame:
    """All rows with ``valid_from``, since when each was known."""
    schema, _ = REFERENCE[name]
    tables = LakeTables(root)
    if not tables.exists(f"ref.{name}"):
        return pl.LazyFrame(schema={**schema, "valid_from": TIME})
    rows = scan_table(tables.path(f"ref.{name}"), version)
    columns = rows.collect_schema().names()
    return rows.select(*conform(schema, columns), pl.col("valid_from").cast(TIME))
