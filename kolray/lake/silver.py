"""Silver: one row an event, validated, typed, comments with their sentiment; the rest in quarantine with a reason."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kolray.events import Kind, invalid_reason
from kolray.lake.changes import changed_files
from kolray.lake.tables import LakeTables
from kolray.protocols import TextClassifier

PLACE = ["topic", "partition", "offset"]


@dataclass(frozen=True)
class SilverTask:
    """New bronze files of one kind and Kafka partition: all copies of an event are in them or in silver already."""

    kind: Kind
    files: tuple[str, ...]


def plan_silver(tables: LakeTables, kind: Kind) -> tuple[list[SilverTask], dict[str, int]]:
    """(work on files added to bronze since the last run, {transaction id: bronze version reached})."""
    bronze, silver = f"bronze.{kind}", f"silver.{kind}"
    if not tables.exists(bronze):
        return [], {}
    table = tables.table(bronze)
    version = table.version()
    source = f"{silver}/{bronze}"
    done = tables.transaction(silver, source)
    if done == version:
        return [], {}
    files = sorted(str(Path(tables.path(bronze), file.path)) for file in changed_files(table, done))
    return ([SilverTask(kind, tuple(files))] if files else []), {source: version}


def refine(task: SilverTask, tables: LakeTables, classifier: TextClassifier | None) -> pl.DataFrame:
    """Silver rows of new bronze files, with ``reason`` (null: valid). Each ``event_id`` once, also across runs."""
    rows = pl.concat([pl.read_parquet(file) for file in task.files], how="vertical_relaxed")
    rows = rows.sort("kafka_time", *PLACE).unique("event_id", keep="first", maintain_order=True)
    rows = rows.with_columns(
        dt=pl.col("event_time").dt.date(),
        available_at=pl.col("kafka_time"),
        reason=invalid_reason(task.kind),
    )
    days = rows["dt"].unique().to_list()
    known = tables.scan(f"silver.{task.kind}").filter(pl.col("dt").is_in(days)).select("event_id").collect()
    refused = tables.scan("silver.quarantine").filter(pl.col("dt").is_in(days)).select(PLACE).collect()
    rows = rows.join(known, on="event_id", how="anti", maintain_order="left")
    rows = rows.join(refused, on=PLACE, how="anti", maintain_order="left")
    return _with_sentiment(rows, classifier) if task.kind == "social" else rows


def _with_sentiment(rows: pl.DataFrame, classifier: TextClassifier | None) -> pl.DataFrame:
    """``sentiment`` of comments: -1, 0, 1; null for other events."""
    column = pl.Series("sentiment", [None], dtype=pl.Int8).new_from_index(0, rows.height)
    spoken = (rows["event_type"] == "comment") & rows["text"].is_not_null()
    if classifier is not None and spoken.any():
        column = column.scatter(spoken.arg_true(), classifier.classify(rows["text"].filter(spoken)))
    return rows.with_columns(column)


def split(kind: Kind, rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Table → its rows."""
    out: dict[str, pl.DataFrame] = defaultdict(pl.DataFrame)
    valid, broken = rows.filter(pl.col("reason").is_null()), rows.filter(pl.col("reason").is_not_null())
    if valid.height:
        out[f"silver.{kind}"] = valid
    if broken.height:
        out["silver.quarantine"] = broken
    return dict(out)
