"""The lake's tables as their logs tell: files, bytes, rows, and when something came last."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pyarrow as pa

from kolray.lake.tables import LakeTables
from kolray.observability.catalog import filled
from kolray.observability.metric import Family


def lake_metrics(tables: LakeTables) -> Iterator[Family]:
    """No data file is read."""
    rows = {name: _told(tables, name) for name in tables.names()}
    names = ("files", "bytes", "rows", "version", "commit_timestamp_seconds")
    for place, name in enumerate(names):
        yield filled(f"kolray_lake_{name}", [((table,), told[place]) for table, told in rows.items()])


def _told(tables: LakeTables, name: str) -> tuple[float | None, ...]:
    table = tables.table(name)
    files = pl.DataFrame(pa.table(table.get_add_actions(flatten=True)))
    newest = files["modification_time"].cast(pl.Datetime("ms")).max() if files.height else None
    at = None if newest is None else pl.Series([newest]).dt.epoch("ms")[0] / 1000
    return files.height, float(files["size_bytes"].sum()), float(files["num_records"].sum()), table.version(), at
