"""Silver: one row an event, valid, typed, comments with their sentiment and spam signal; the rest in quarantine.

Rows whose ids are met once (``silver_plan.survey``) are done where they are read; the doubtful ones are gathered and
settled by their full ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from kolray.events import Columns, Kind
from kolray.features.spam import spam_signal
from kolray.lake.quality import count_failures, is_broken, with_reason, with_rules
from kolray.lake.silver_plan import ID_HASH, SilverTask, Slice
from kolray.lake.tables import PLACE, TABLES, LakeTables
from kolray.protocols import TextClassifier


@dataclass(frozen=True)
class Refined:
    """``valid``: rows for silver; ``broken``: rows for quarantine; ``doubtful``: sound rows that may be copies.

    ``counted``: failures of every rule, ``COUNTED``; those of the doubtful are not in it.
    """

    valid: pl.DataFrame
    broken: pl.DataFrame
    doubtful: pl.DataFrame
    counted: pl.DataFrame


def refine(
    task: SilverTask,
    slices: Iterable[Slice],
    doubtful: pl.Series,
    tables: LakeTables,
    classifier: TextClassifier | None,
) -> Iterator[Refined]:
    """What each slice brings.

    Rows are judged before copies are dropped: a broken row with the id of a valid one must not cost that one.
    """
    columns = TABLES[f"bronze.{task.kind}"] | tables.added_columns(f"bronze.{task.kind}")
    unsure = ID_HASH.is_in(doubtful.implode())
    quarantine = tables.scan("silver.quarantine").select(*PLACE, "dt")
    for piece in slices:
        rows = read_slice(piece, columns, tables.options)
        wrong, copied = rows.select(is_broken(task.kind).alias("wrong"), unsure.alias("copied"))
        valid = _sound(rows.filter(~wrong & ~copied))
        broken = _quarantined(rows.filter(wrong), task, quarantine)
        counted = count_failures(task.kind, valid, broken, copies=0)
        yield Refined(with_signals(task.kind, valid, classifier), broken, _sound(rows.filter(~wrong & copied)), counted)


def settle(
    task: SilverTask, doubtful: pl.DataFrame, known: pl.DataFrame, classifier: TextClassifier | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Of all doubtful rows of a bucket the first copy of each id that silver does not hold; and ``counted``."""
    first = doubtful.sort("kafka_time", *PLACE).unique("event_id", keep="first", maintain_order=True)
    valid = first.join(known, on="event_id", how="anti", maintain_order="left")
    counted = count_failures(task.kind, valid, doubtful.clear(), copies=doubtful.height - valid.height)
    return with_signals(task.kind, valid, classifier), counted


def _sound(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(dt=pl.col("event_time").dt.date(), available_at=pl.col("kafka_time"))


def _quarantined(broken: pl.DataFrame, task: SilverTask, quarantine: pl.LazyFrame) -> pl.DataFrame:
    """Broken rows that quarantine does not hold, with what it says of them."""
    version = pl.lit(task.bronze_version, pl.Int64)
    stamped = with_reason(task.kind, broken).with_columns(
        kind=pl.lit(task.kind), bronze_version=version, dt=pl.col("kafka_time").dt.date()
    )
    if stamped.height:
        days = stamped["dt"].unique().to_list()
        held = quarantine.filter(pl.col("dt").is_in(days)).select(PLACE).collect()
        stamped = stamped.join(held, on=PLACE, how="anti", maintain_order="left")
    return with_rules(task.kind, stamped)


def read_slice(piece: Slice, columns: Columns, options: dict[str, str] | None) -> pl.DataFrame:
    """Its rows with these columns but ``dt``: null where the file was written before a column."""
    rows = pl.scan_parquet(piece.file, storage_options=options).slice(piece.start, piece.rows).collect()
    lacking = [pl.lit(None, dtype).alias(name) for name, dtype in columns.items() if name not in rows.columns]
    return rows.with_columns(lacking).select(*columns).drop("dt")


def with_signals(kind: Kind, rows: pl.DataFrame, classifier: TextClassifier | None) -> pl.DataFrame:
    """``sentiment`` of comments: -1, 0, 1, and ``spam``: 0 to 1; null for other events and without a text."""
    if kind != "social":
        return rows
    spoken = (rows["event_type"] == "comment") & rows["text"].is_not_null()
    texts, at = rows["text"].filter(spoken), spoken.arg_true()
    sentiment = pl.Series("sentiment", [None], dtype=pl.Int8).new_from_index(0, rows.height)
    spam = pl.Series("spam", [None], dtype=pl.Float32).new_from_index(0, rows.height)
    if len(texts):
        spam = spam.scatter(at, texts.to_frame().select(spam_signal(pl.col("text"))).to_series())
        if classifier is not None:
            sentiment = sentiment.scatter(at, classifier.classify(texts))
    return rows.with_columns(sentiment, spam)
