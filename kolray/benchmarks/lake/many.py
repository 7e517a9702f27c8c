"""Ten million rows: what refining them takes of memory, and how soon the canned queries answer over them."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from kolray.benchmarks.events import T0_MS
from kolray.benchmarks.lake.engine import Work
from kolray.benchmarks.lake.raw import PER_SECOND, make_raw, make_web
from kolray.benchmarks.stream.meter import measure
from kolray.events import TIME
from kolray.lake.gold_files import features_at, store_features
from kolray.lake.queries import queries
from kolray.lake.reference import upsert_reference
from kolray.lake.sql import query
from kolray.lake.tables import LakeTables

ASKED = 5
"""Times each query is asked; a first one of each warms the system's file cache and is not counted."""
FILES = 8
N_KOLS = 2000


@dataclass(frozen=True)
class Many:
    """Figures of one lake, made from nothing; a query's time is the whole of ``kolray.lake.sql.query``."""

    rows_10m: int
    rows_10m_peak_rss_mb: int
    rows_10m_cpu_s: float
    sql_p50_ms: float
    sql_p95_ms: float
    sql_slowest: str


def many(n_rows: int) -> Many:
    """Nine social events to one web event; the lake is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="kolray-bench-") as folder:
        n_social = n_rows * 9 // 10
        files = make_raw(Path(folder), round(n_social / 1.05), n_kols=N_KOLS, files=FILES)
        web = make_web(Path(folder), n_rows - n_social, N_KOLS, PER_SECOND)
        rows = sum(pl.scan_parquet(file).select(pl.len()).collect().item() for file in (*files, web))
        work = Work(tuple(map(str, files)), f"{folder}/lakes", rounds=1, web=(str(web),))
        measured = measure([sys.executable, "-m", "kolray.benchmarks.lake.engine", json.dumps(asdict(work))])
        _, cpu_s = measured.between("@job_start")
        tables = LakeTables(f"{work.lake}/0")
        _complete(tables)
        took = ask(tables)
    slowest = took.group_by("query").agg(pl.col("ms").median()).sort("ms")["query"][-1]
    p50, p95 = (round(float(took["ms"].quantile(q) or 0.0), 1) for q in (0.5, 0.95))
    return Many(rows, round(measured.meter.peak_pss_mb), round(cpu_s, 2), p50, p95, slowest)


def ask(tables: LakeTables) -> pl.DataFrame:
    """``query, ms``: every canned query ``ASKED`` times."""
    took = []
    for asked in queries():
        for number in range(ASKED + 1):
            started = time.perf_counter()
            query(tables.root, asked.sql)
            if number:
                took.append((asked.name, (time.perf_counter() - started) * 1000))
    return pl.DataFrame(took, schema={"query": pl.String, "ms": pl.Float64}, orient="row")


def _complete(tables: LakeTables) -> None:
    """What the queries read beside the events: reference tables, and features as of the ends of the first two days."""
    kols = tables.scan("silver.social").select("kol_id", "platform").unique("kol_id").collect()
    category = pl.col("kol_id").hash() % 7
    upsert_reference(tables.root, "kols", kols.with_columns(category=pl.format("category {}", category)))
    pairs = tables.scan("silver.web").select("campaign_id", "kol_id").unique(["campaign_id", "kol_id"]).collect()
    start = datetime.fromtimestamp(T0_MS / 1000, UTC)
    planned = pairs.with_columns(budget=pl.lit(1000.0), currency=pl.lit("VND"), start=pl.lit(start).cast(TIME))
    upsert_reference(tables.root, "campaigns", planned)
    for days in (1, 2):
        at = start + timedelta(days=days)
        store_features(tables, features_at(tables, at), at)
