"""Silver: one row an event, valid, typed, comments with their sentiment and spam signal; the rest in quarantine."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from kolray.events import Kind
from kolray.features.spam import spam_signal
from kolray.lake.changes import changed_files
from kolray.lake.quality import count_failures, is_broken, with_reason, with_rules
from kolray.lake.tables import TABLES, LakeTables
from kolray.protocols import TextClassifier

PLACE = ["topic", "partition", "offset"]
BESIDE = ("silver.quality", "silver.quarantine")
"""Tables of a run that are committed before silver's own, in this order: quarantine holds no row twice by itself."""


@dataclass(frozen=True)
class SilverTask:
    """New bronze files of one kind: all copies of an event are in them or in silver already.

    ``bronze_version``: the version of the bronze table that silver reaches by them.
    """

    kind: Kind
    files: tuple[str, ...]
    bronze_version: int


@dataclass(frozen=True)
class Refined:
    """``valid``: rows for silver; ``broken``: rows for quarantine; ``counted``: failures of every rule, ``COUNTED``."""

    valid: pl.DataFrame
    broken: pl.DataFrame
    counted: pl.DataFrame


def reached(tables: LakeTables, kind: Kind) -> dict[str, int | None]:
    """Table of a kind's run → the bronze version it has reached. Read it before planning: then a commit that states
    it is refused wherever another run came between.
    """
    bronze = f"bronze.{kind}"
    if not tables.exists(bronze):
        return {}
    return {name: tables.transaction(name, tables.source(name, bronze)) for name in (*BESIDE, f"silver.{kind}")}


def plan_silver(tables: LakeTables, kind: Kind) -> tuple[list[SilverTask], int | None]:
    """(work on files added to bronze since the last run, the bronze version reached by it; None: nothing to do).

    A run that broke off between its tables' commits is finished at the version it had chosen: what it has committed
    beside silver is then the same rows, and is skipped.
    """
    bronze, silver = f"bronze.{kind}", f"silver.{kind}"
    if not tables.exists(bronze):
        return [], None
    held = reached(tables, kind)
    done = held[silver]
    begun = max((version for name in BESIDE if (version := held[name]) is not None), default=-1)
    version = begun if begun > (-1 if done is None else done) else tables.table(bronze).version()
    if done is not None and done >= version:
        return [], None
    table = tables.table(bronze)
    table.load_as_version(version)
    new = changed_files(table, done, tables.options)
    files = sorted(tables.path(bronze).join(file.path).url for file in new)
    return ([SilverTask(kind, tuple(files), version)] if files else []), version


def refine(task: SilverTask, tables: LakeTables, classifier: TextClassifier | None) -> Refined:
    """What silver and quarantine gain by new bronze files. Each ``event_id`` once, also across runs.

    Rows are judged before copies are dropped: a broken row with the id of a valid one must not cost that one.
    """
    rows = read_bronze(task, tables)
    wrong = rows.select(is_broken(task.kind)).to_series()
    broken = with_reason(task.kind, rows.filter(wrong)).sort("kafka_time", *PLACE)
    broken = _quarantined(broken, task, tables)
    sound = rows.filter(~wrong).with_columns(dt=pl.col("event_time").dt.date(), available_at=pl.col("kafka_time"))
    days = sound["dt"].unique().to_list()
    known = tables.scan(f"silver.{task.kind}").filter(pl.col("dt").is_in(days)).select("event_id").collect()
    valid = _first_copies(sound).join(known, on="event_id", how="anti", maintain_order="left")
    counted = count_failures(task.kind, valid, broken, copies=sound.height - valid.height)
    return Refined(_with_signals(valid, classifier) if task.kind == "social" else valid, broken, counted)


def _first_copies(rows: pl.DataFrame) -> pl.DataFrame:
    """The earliest row of each ``event_id``; only those that have copies are sorted."""
    copied = rows.select(pl.col("event_id").is_duplicated()).to_series()
    if not copied.any():
        return rows
    copies = rows.filter(copied).sort("kafka_time", *PLACE)
    return pl.concat([rows.filter(~copied), copies.unique("event_id", keep="first", maintain_order=True)])


def _quarantined(broken: pl.DataFrame, task: SilverTask, tables: LakeTables) -> pl.DataFrame:
    """Broken rows that quarantine does not hold, with what it says of them."""
    version = pl.lit(task.bronze_version, pl.Int64)
    stamped = broken.with_columns(kind=pl.lit(task.kind), bronze_version=version, dt=pl.col("kafka_time").dt.date())
    if stamped.height:
        days = stamped["dt"].unique().to_list()
        held = tables.scan("silver.quarantine").filter(pl.col("dt").is_in(days)).select(PLACE).collect()
        stamped = stamped.join(held, on=PLACE, how="anti", maintain_order="left")
    return with_rules(task.kind, stamped)


def read_bronze(task: SilverTask, tables: LakeTables) -> pl.DataFrame:
    """Rows of its files with all columns of bronze: null where a file was written before a column."""
    parts = [pl.read_parquet(file, storage_options=tables.options) for file in task.files]
    rows = pl.concat(parts, how="diagonal_relaxed")
    columns = TABLES[f"bronze.{task.kind}"] | tables.added_columns(f"bronze.{task.kind}")
    lacking = [pl.lit(None, dtype).alias(name) for name, dtype in columns.items() if name not in rows.columns]
    return rows.with_columns(lacking).drop("dt")


def _with_signals(rows: pl.DataFrame, classifier: TextClassifier | None) -> pl.DataFrame:
    """``sentiment`` of comments: -1, 0, 1, and ``spam``: 0 to 1; null for other events and without a text."""
    spoken = (rows["event_type"] == "comment") & rows["text"].is_not_null()
    texts, at = rows["text"].filter(spoken), spoken.arg_true()
    sentiment = pl.Series("sentiment", [None], dtype=pl.Int8).new_from_index(0, rows.height)
    spam = pl.Series("spam", [None], dtype=pl.Float32).new_from_index(0, rows.height)
    if len(texts):
        spam = spam.scatter(at, texts.to_frame().select(spam_signal(pl.col("text"))).to_series())
        if classifier is not None:
            sentiment = sentiment.scatter(at, classifier.classify(texts))
    return rows.with_columns(sentiment, spam)
