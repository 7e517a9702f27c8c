"""Bronze, silver and gold over raw rows: CPU, wall time and memory of the whole process tree, every total compared."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from kolray.benchmarks.lake.engine import Work
from kolray.benchmarks.lake.raw import expected
from kolray.benchmarks.stream.meter import measure
from kolray.events import COUNTS
from kolray.lake.tables import LakeTables


@dataclass(frozen=True)
class Medallion:
    """Figures of the last of two rounds in one process tree, Ray's own processes included.

    ``differences``: events of silver and quarantine too many or too few, and daily sums that are not those of one
    grouping of all raw rows.
    """

    medallion_rows: int
    medallion_wall_s: float
    medallion_cpu_s: float
    bronze_s: float
    silver_s: float
    gold_s: float
    peak_rss_mb: int
    differences: int


def medallion(files: Sequence[Path]) -> Medallion:
    """Over these Parquet files of raw social events."""
    with tempfile.TemporaryDirectory(prefix="kolray-bench-") as folder:
        work = Work(tuple(str(file) for file in files), f"{folder}/lakes")
        measured = measure([sys.executable, "-m", "kolray.benchmarks.lake.engine", json.dumps(asdict(work))])
        wrong = differences(LakeTables(f"{work.lake}/{work.rounds - 1}"), files)
    wall_s, cpu_s = measured.between("@job_start")
    return Medallion(
        medallion_rows=sum(pl.scan_parquet(file).select(pl.len()).collect().item() for file in files),
        medallion_wall_s=round(wall_s, 2),
        medallion_cpu_s=round(cpu_s, 2),
        **json.loads(measured.last),
        peak_rss_mb=round(measured.meter.peak_pss_mb),
        differences=wrong,
    )


def differences(tables: LakeTables, files: Sequence[Path]) -> int:
    """What silver, quarantine and the daily sums have wrong."""
    silver, quarantine, daily = expected(files)
    held = tables.scan("silver.social").select(pl.len()).collect().item()
    broken = tables.scan("silver.quarantine").select(pl.col("event_id").n_unique()).collect().item()
    key, sums = ["kol_id", "platform", "dt"], ["events", *COUNTS, "posts"]
    gold = tables.scan("gold.kpi_daily").select(*key, *sums).collect()
    both = daily.join(gold, on=key, how="full", suffix="_gold", nulls_equal=True)
    wrong = both.filter(pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_gold")) for name in sums)).height
    return abs(held - silver) + abs(broken - quarantine) + wrong
