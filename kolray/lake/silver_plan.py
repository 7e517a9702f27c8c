"""What silver has to refine: new bronze files in slices, and which ids are met in more than one row.

Copies of an event may lie in any files, so whoever refines a slice cannot tell which copy is the first. A survey of the
ids alone, by their hashes, finds the few that are met more than once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import polars_hash as plh

from kolray.events import Kind
from kolray.lake.changes import changed_files
from kolray.lake.tables import LakeTables, source_of

BESIDE = ("silver.quality", "silver.quarantine")
"""Tables of a run that are committed before silver's own, in this order: quarantine holds no row twice by itself."""
SLICE_ROWS = 65_536
"""Rows in memory at once."""
SHARE_ROWS = 500_000
"""Rows of one share of the work: enough for files of good size, few enough to spread."""
BUCKET_IDS = 16_384
"""Doubtful ids settled at once."""
ID_HASH = plh.col("event_id").nchash.xxh3_64()
"""Of an event's id; null without one."""


@dataclass(frozen=True)
class SilverTask:
    """New bronze files of one kind: all copies of an event are in them or in silver already.

    ``bronze_version``: the version of the bronze table that silver reaches by them.
    """

    kind: Kind
    files: tuple[str, ...]
    bronze_version: int


@dataclass(frozen=True)
class Slice:
    """Some rows of a file."""

    file: str
    start: int
    rows: int


@dataclass(frozen=True)
class Survey:
    """``slices``: all rows of a task; ``doubtful``: hashes of the ids met more than once in them and silver.

    ``known``: ``event_id`` of those in silver, on the days of the rows.
    """

    slices: list[Slice]
    doubtful: pl.Series
    known: pl.DataFrame

    @property
    def buckets(self) -> int:
        """In how many parts the doubtful rows are settled: copies meet in the bucket of their hash."""
        return 1 + len(self.doubtful) // BUCKET_IDS


def reached(tables: LakeTables, kind: Kind) -> dict[str, int | None]:
    """Table of a kind's run → the bronze version it has reached. Read it before planning: then a commit that states
    it is refused wherever another run came between.
    """
    bronze = f"bronze.{kind}"
    table = tables.find(bronze)
    if table is None:
        return {}
    made = (*BESIDE, f"silver.{kind}")
    return {name: tables.transaction(name, source_of(name, bronze, table)) for name in made}


def plan_silver(tables: LakeTables, kind: Kind) -> SilverTask | None:
    """Files that bronze gained since the last run; None: there are none.

    A run that broke off between its tables' commits is finished at the version it had chosen: what it has committed
    beside silver is then the same rows, and is skipped.
    """
    bronze, silver = f"bronze.{kind}", f"silver.{kind}"
    held = reached(tables, kind)
    if not held:
        return None
    table = tables.table(bronze)
    done = held[silver]
    begun = max((version for name in BESIDE if (version := held[name]) is not None), default=-1)
    version = begun if begun > (-1 if done is None else done) else table.version()
    if done is not None and done >= version:
        return None
    table.load_as_version(version)
    new = changed_files(table, done, tables.options)
    files = sorted(tables.path(bronze).join(file.path).url for file in new)
    return SilverTask(kind, tuple(files), version) if files else None


def survey(task: SilverTask, tables: LakeTables) -> Survey:
    """Reads the ids alone: a twentieth of the work, in 8 bytes an id."""
    slices: list[Slice] = []
    hashes, days = [], []
    for file in task.files:
        ids = (
            pl.scan_parquet(file, storage_options=tables.options)
            .select(ID_HASH, pl.col("event_time").dt.date())
            .collect(engine="streaming")
        )
        slices += [Slice(file, at, min(SLICE_ROWS, ids.height - at)) for at in range(0, ids.height, SLICE_ROWS)]
        hashes.append(ids["event_id"])
        days.append(ids["event_time"].unique())
    new = pl.concat(hashes).drop_nulls().sort()
    days_met = pl.concat(days).unique()
    known = (
        tables.scan(f"silver.{task.kind}")
        .filter(pl.col("dt").is_in(days_met.implode()))
        .select("event_id", ID_HASH.alias("hash"))
        .join(new.to_frame("hash").lazy(), on="hash", how="semi")
        .collect()
    )
    twice = new.filter(new == new.shift(1))
    return Survey(slices, pl.concat([twice, known["hash"]]).unique(), known.select("event_id"))


def shares(slices: list[Slice]) -> list[list[Slice]]:
    """Slices in the order of the files, about ``SHARE_ROWS`` rows together."""
    found: list[list[Slice]] = []
    for piece in slices:
        if not found or sum(held.rows for held in found[-1]) + piece.rows > SHARE_ROWS:
            found.append([])
        found[-1].append(piece)
    return found


def by_bucket(doubtful: pl.DataFrame, buckets: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """Doubtful rows by the bucket in which their copies are."""
    numbered = doubtful.with_columns(bucket=ID_HASH % buckets)
    for (bucket,), rows in numbered.partition_by("bucket", as_dict=True, include_key=False).items():
        yield bucket, rows
