"""A file of events with bad rows, read and sent as ``kolray ingest file`` does."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from kolray.benchmarks.events import social_events
from kolray.benchmarks.ingest.producing import N_KOLS, Rate, measured
from kolray.connectors.files import read_files
from kolray.connectors.send import send_file_events
from kolray.settings import Settings

BAD_EVERY = 1_000


def write_file(folder: Path, rows: int, seed: int) -> Path:
    """CSV; of every thousand rows one has a negative count."""
    events = social_events(10_000_000, rows, N_KOLS, seed).with_columns(pl.col("event_time").dt.to_string("iso:strict"))
    bad = pl.int_range(pl.len()) % BAD_EVERY == BAD_EVERY - 1
    file = folder / "events.csv"
    events.with_columns(pl.when(bad).then(-1).otherwise("likes").alias("likes")).write_csv(file)
    return file


def sending(settings: Settings, file: Path) -> tuple[Rate, dict[str, int]]:
    """The file into Kafka, bad rows to the dead letters; and what was told of it."""
    told: dict[str, int] = {}
    rate = measured(0, lambda: told.update(send_file_events(settings, read_files([file], "social", {}, {}))))
    return Rate(told["read"], rate.wall_s, rate.cpu_s), told
