"""Raw rows as the published medallion comparison has them: social events, 5 % of them twice, 1 % not valid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from kolray.benchmarks.events import social_events, web_events
from kolray.events import COUNTS, RAW_TOPICS, SCHEMAS, TIME, Kind, conform
from kolray.lake.tables import TABLES

FILES = 4
INGEST_DAY = date(2026, 1, 1)
PER_SECOND = 5
"""Social events a second of event time: some days, as the comparison has them."""
_STEP = 100_000


def make_raw(folder: Path, n_events: int, seed: int = 3, n_kols: int = 2000, files: int = FILES) -> list[Path]:
    """Writes Parquet files of ``n_events`` events and their copies; a copy follows in the same file."""
    made = []
    for number in range(files):
        share = range(number * n_events // files, (number + 1) * n_events // files)
        parts = [
            _with_faults(social_events(first, min(_STEP, share.stop - first), n_kols, seed, PER_SECOND), [seed, first])
            for first in range(share.start, share.stop, _STEP)
        ]
        made.append(folder / f"part-{number:04}.parquet")
        pl.concat(parts).write_parquet(made[-1])
    return made


def make_web(folder: Path, n_events: int, n_kols: int, social_per_second: int, seed: int = 3) -> Path:
    """Writes a Parquet file of web events over the time that nine times as many social ones take."""
    per_second = social_per_second * 4 / 9  # ``web_events`` expects four social ones to one
    path = folder / "web-0000.parquet"
    pl.concat(
        web_events(first, min(_STEP, n_events - first), n_kols, seed, per_second) for first in range(0, n_events, _STEP)
    ).write_parquet(path)
    return path


def _with_faults(events: pl.DataFrame, seed: Sequence[int]) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    broken = pl.Series(rng.random(events.height) < 0.01)
    nameless = pl.Series(rng.random(events.height) < 0.5)
    faulty = events.with_columns(
        kol_id=pl.when(~(broken & nameless)).then("kol_id"),
        comments=pl.when(broken & ~nameless).then(-1).otherwise("comments"),
        post_id=pl.format("p{}", pl.Series(rng.integers(0, 1 << 16, events.height))),
    )
    return pl.concat([faulty, faulty.sample(fraction=0.05, seed=int(seed[1]) + 1)])


def as_bronze(kind: Kind, file: str | Path, start: int, rows: int) -> pl.DataFrame:
    """Some rows of a file as bronze; each file stands for a Kafka partition, in its order."""
    raw = pl.scan_parquet(file).slice(start, rows).collect()
    number = int(Path(file).stem.rpartition("-")[2])
    at = raw["ingest_time"] if "ingest_time" in raw.columns else raw["event_time"]
    return (
        raw.select(conform(SCHEMAS[kind], raw.columns))
        .with_columns(
            topic=pl.lit(RAW_TOPICS[kind]),
            partition=pl.lit(number, pl.Int32),
            offset=start + pl.int_range(pl.len(), dtype=pl.Int64),
            kafka_time=at.cast(TIME),
            schema_id=pl.lit(1, pl.Int32),
            ingest_time=at.cast(TIME),
            dt=pl.lit(INGEST_DAY),
        )
        .select(*TABLES[f"bronze.{kind}"])
    )


def expected(files: Sequence[Path]) -> tuple[int, int, pl.DataFrame]:
    """(silver's rows, quarantine's rows, daily sums of each KOL and platform) by one grouping of all rows."""
    raw = pl.concat([pl.read_parquet(file, columns=_USED) for file in files], how="vertical_relaxed")
    once = raw.unique("event_id")
    low = pl.min_horizontal(*COUNTS, "followers", "following").fill_null(0)
    bad = pl.col("kol_id").is_null() | (low < 0)
    valid = once.filter(~bad).with_columns(dt=pl.col("event_time").dt.date())
    daily = valid.group_by("kol_id", "platform", "dt").agg(
        pl.len().cast(pl.Int64).alias("events"),
        *(pl.col(name).sum() for name in COUNTS),
        pl.col("post_id").drop_nulls().n_unique().cast(pl.Int64).alias("posts"),
    )
    return valid.height, once.filter(bad).height, daily


_USED = ["event_id", "kol_id", "platform", "event_time", "post_id", *COUNTS, "followers", "following"]
