"""Takes a KOL out of the newest version of a table: its days are written anew, one commit a day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from kolray.lake.erasure.trace import Trace
from kolray.lake.maintenance import WRITER

MARK = "kolray.erasure"
"""In the commit info of such a commit: it brings no new rows."""


@dataclass(frozen=True)
class Erased:
    """Rows taken out, rows of others that no longer name the KOL, days (or whole tables) written anew."""

    rows: int = 0
    redacted: int = 0
    days: int = 0


def count_rows(table: DeltaTable, trace: Trace) -> int:
    """Rows of the newest version that hold anything of the KOL."""
    held = pl.scan_delta(table)
    texts = [name for name, dtype in held.collect_schema().items() if dtype in (pl.String, pl.Binary)]
    return sum(trace.clean(_of(held, where).select(texts).collect()).found for where in _parts(table))


def erase_rows(table: DeltaTable, trace: Trace) -> Erased:
    """Writes the days that hold anything of the KOL without it. May be repeated; a killed one goes on where it was.

    A day at a time is in memory. Whoever writes the table meanwhile makes this fail, or fails.
    """
    rows = redacted = days = 0
    for where in _parts(table):
        cleaned = trace.clean(_of(pl.scan_delta(table), where).collect())
        if cleaned.found:
            write_deltalake(
                table,
                cleaned.frame.to_arrow(),
                mode="overwrite",
                predicate=where,
                writer_properties=WRITER,
                commit_properties=CommitProperties(custom_metadata={MARK: "true"}),
            )
            rows, redacted, days = rows + cleaned.removed, redacted + cleaned.redacted, days + 1
    return Erased(rows, redacted, days)


def _of(rows: pl.LazyFrame, where: str | None) -> pl.LazyFrame:
    return rows if where is None else rows.filter(pl.sql_expr(where))


def _parts(table: DeltaTable) -> Iterator[str | None]:
    """A condition for each day; None, the whole table, where it has none."""
    if "dt" not in table.metadata().partition_columns:
        yield None
        return
    files = pl.DataFrame(pa.table(table.get_add_actions(flatten=True)))
    if files.height:
        yield from (f"dt = DATE '{day}'" for day in files["partition.dt"].cast(pl.Date).unique().sort())
