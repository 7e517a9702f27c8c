"""A small lake with every layer in it, made without servers and without Ray, for tests that only read."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from kolray.events import KINDS, RAW_TOPICS, TIME, Kind, conform
from kolray.lake.gold_files import features_at, refresh, store_features
from kolray.lake.gold_plan import plan_changed
from kolray.lake.reference import upsert_reference
from kolray.lake.tables import TABLES, LakeTables, Root
from tests.silver import START, silver_world
from tests.unit.lake.rows import add, at_once

DAYS = 10


def make_lake(root: Root, n_kols: int = 24, events_per_kol: int = 120) -> LakeTables:
    """``DAYS`` days of bronze, silver, quarantine, gold with two readings of the features, and reference tables."""
    tables = LakeTables(root)
    frames = silver_world(n_kols, events_per_kol, hours=DAYS * 24)
    for kind, events in zip(KINDS, frames, strict=True):
        rows = _varied(kind, events)
        add(tables, f"bronze.{kind}", _as(f"bronze.{kind}", rows))
        add(tables, f"silver.{kind}", _as(f"silver.{kind}", rows))
        broken = rows.gather_every(50).with_columns(kind=pl.lit(kind), reason=pl.lit("likes is negative"))
        add(tables, "silver.quarantine", _as("silver.quarantine", broken))
    refresh(tables, plan_changed(tables), at_once)
    for day in (DAYS - 1, DAYS):
        at = START + timedelta(days=day)
        store_features(tables, features_at(tables, at), at)
    _reference(root, n_kols)
    return tables


def _varied(kind: Kind, events: pl.DataFrame) -> pl.DataFrame:
    """Two platforms and languages, some spam, a place in Kafka, a day."""
    number = pl.col("kol_id").str.slice(4).cast(pl.Int64)
    rows = events.with_columns(
        topic=pl.lit(RAW_TOPICS[kind]),
        partition=(number % 4).cast(pl.Int32),
        offset=pl.int_range(pl.len(), dtype=pl.Int64),
        kafka_time=pl.col("available_at"),
        ingest_time=pl.col("available_at"),
        schema_id=pl.lit(1, pl.Int32),
        dt=pl.col("event_time").dt.date(),
    )
    if kind == "web":
        return rows.with_columns(
            campaign_id="c" + (number % 5).cast(pl.String), value=(number % 7).cast(pl.Float64) / 3
        )
    comment = pl.col("event_type") == "comment"
    return rows.with_columns(
        platform=pl.when(number % 2 == 0).then(pl.lit("tiktok")).otherwise(pl.lit("youtube")),
        lang=pl.when(number % 3 == 0).then(pl.lit("vi")).otherwise(pl.lit("en")),
        spam=pl.when(comment).then((number % 3).cast(pl.Float32) * 0.4),
    )


def _as(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(conform(TABLES[name], rows.columns))


def _reference(root: Root, n_kols: int) -> None:
    numbers = range(n_kols)
    kols = {
        "kol_id": [f"kol-{k:04d}" for k in numbers],
        "platform": ["tiktok" if k % 2 == 0 else "youtube" for k in numbers],
        "category": [("beauty", "food", "games")[k % 3] for k in numbers],
        "tier": [("nano", "mega")[k % 2] for k in numbers],
    }
    upsert_reference(root, "kols", pl.DataFrame(kols))
    moved = pl.DataFrame(kols).head(3).with_columns(tier=pl.lit("macro"))
    upsert_reference(root, "kols", moved)  # a history of two rows
    planned = pl.DataFrame({"campaign_id": [f"c{k % 5}" for k in numbers], "kol_id": kols["kol_id"]}).with_columns(
        budget=pl.lit(99.5), currency=pl.lit("VND"), start=pl.lit(START).cast(TIME)
    )
    upsert_reference(root, "campaigns", planned)
