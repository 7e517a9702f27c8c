"""Takes a KOL out of the newest version of a table: days that hold anything of it are written anew, a day a commit."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from kolray.lake.erasure.trace import Cleaned, Trace
from kolray.lake.maintenance import WRITER

MARK = "kolray.erasure"
"""In the commit info of such a commit: it brings no new rows."""
ROWS = 100_000
"""Rows in memory at a time, and as many again while they are written."""


@dataclass(frozen=True)
class Erased:
    """Rows taken out, rows of others that no longer name the KOL, days (or whole tables) written anew."""

    rows: int = 0
    redacted: int = 0
    days: int = 0


def count_rows(table: DeltaTable, trace: Trace) -> int:
    """Rows of the newest version that hold anything of the KOL."""
    texts = _texts(table)
    return sum(part.found for day in _days(table) for part in _cleaned(table, day, trace, texts))


def erase_rows(table: DeltaTable, trace: Trace) -> Erased:
    """Writes the days that hold anything of the KOL without it. May be repeated; a killed one goes on where it was.

    Whoever writes the table meanwhile makes this fail, or fails.
    """
    rows = redacted = days = 0
    texts = _texts(table)
    for day in _days(table):
        found = [(part.removed, part.redacted) for part in _cleaned(table, day, trace, texts) if part.found]
        if found:
            _write(table, day, trace)
            rows, redacted, days = rows + sum(n for n, _ in found), redacted + sum(n for _, n in found), days + 1
    return Erased(rows, redacted, days)


def _write(table: DeltaTable, day: date | None, trace: Trace) -> None:
    schema = table.to_pyarrow_dataset().schema

    def batches() -> Iterator[pa.RecordBatch]:
        for part in _in_a_thread(_cleaned(table, day, trace, schema.names)):
            yield from part.frame.to_arrow().cast(schema).to_batches()

    write_deltalake(
        table,
        pa.RecordBatchReader.from_batches(schema, batches()),
        mode="overwrite",
        predicate=None if day is None else f"dt = DATE '{day}'",
        writer_properties=WRITER,
        commit_properties=CommitProperties(custom_metadata={MARK: "true"}),
    )


def _in_a_thread(parts: Iterator[Cleaned]) -> Iterator[Cleaned]:
    """The same parts: Delta asks for the next one from inside its runtime, where its own reader must not run."""
    with ThreadPoolExecutor(1) as pool:
        while (part := pool.submit(next, parts, None).result()) is not None:
            yield part


def _cleaned(table: DeltaTable, day: date | None, trace: Trace, columns: list[str]) -> Iterator[Cleaned]:
    """Some columns of a day's rows, part by part."""
    of_day = None if day is None else [("dt", "=", day.isoformat())]
    rows = table.to_pyarrow_dataset(file_pruning_predicate=of_day)
    for batch in rows.to_batches(columns=columns, batch_size=ROWS, batch_readahead=1, fragment_readahead=1):
        if batch.num_rows:
            yield trace.clean(pl.DataFrame(pa.Table.from_batches([batch])))


def _texts(table: DeltaTable) -> list[str]:
    """Columns that may name anybody."""
    held = pl.scan_delta(table).collect_schema()
    return [name for name, dtype in held.items() if dtype in (pl.String, pl.Binary)]


def _days(table: DeltaTable) -> Iterator[date | None]:
    """Its days; None, the whole table, where it has none."""
    if "dt" not in table.metadata().partition_columns:
        yield None
        return
    files = pl.DataFrame(pa.table(table.get_add_actions(flatten=True)))
    if files.height:
        yield from files["partition.dt"].cast(pl.Date).unique().sort()
