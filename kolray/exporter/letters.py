"""Dead letters that nobody replayed yet, by where they come from."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from kolray.exporter.topics import Tail
from kolray.lake.replays import replays
from kolray.lake.tables import LakeTables
from kolray.observability.catalog import filled
from kolray.observability.metric import Family

FILES = "files"
"""Files are one source together: a series for each would never end."""


def letter_metrics(tail: Tail, tables: LakeTables) -> Iterator[Family]:
    """Of ``events.dlq`` as far as the topic keeps it."""
    open_ones = waiting(tail.look(), replays(tables))
    counts = open_ones.group_by("source").agg(pl.len().cast(pl.Float64), pl.col("kafka_ms").min() / 1000).sort("source")
    yield filled("kolray_dead_letters_waiting", [((source,), count) for source, count, _ in counts.iter_rows()])
    oldest = [((source,), at) for source, _, at in counts.iter_rows()]
    yield filled("kolray_dead_letters_oldest_timestamp_seconds", oldest)


def waiting(letters: pl.DataFrame, replayed: pl.DataFrame) -> pl.DataFrame:
    """Letters with their ``source``, without those replayed since they were written.

    The time decides too: a broker that lost its log begins with the same offsets.
    """
    # A letter's key is its topic, or file:NAME, and its partition (``EventProducer.send_dead_letters``).
    origin = pl.col("key").cast(pl.String, strict=False).str.replace(r"-\d+$", "")
    source = pl.when(origin.str.starts_with("file:")).then(pl.lit(FILES)).otherwise(origin).alias("source")
    places = replayed.rename({"dlq_partition": "partition", "dlq_offset": "offset"})
    joined = letters.with_columns(source).join(places, on=["partition", "offset"], how="left")
    again = (pl.col("at").dt.epoch("ms") >= pl.col("kafka_ms")).fill_null(value=False)
    return joined.filter(~again)
