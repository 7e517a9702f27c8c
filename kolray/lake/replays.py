"""Which dead letters were replayed, as rows of ``ops.replays``: the topic keeps them all until its retention ends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import polars as pl
from deltalake import write_deltalake

from kolray.lake.overlap import retried
from kolray.lake.tables import TABLES, LakeTables, arrow_ready

NAME = "ops.replays"


def note_replays(tables: LakeTables, places: Iterable[str], at: datetime) -> None:
    """Letters at ``PARTITION/OFFSET`` of ``events.dlq`` were sent again."""
    split = [(int(partition), int(offset)) for partition, _, offset in (place.partition("/") for place in places)]
    if not split:
        return
    rows = pl.DataFrame([(*place, at, at.date()) for place in split], schema=TABLES[NAME], orient="row")
    path, options, arrow = tables.path(NAME).url, tables.options, arrow_ready(rows, NAME).to_arrow()
    retried(NAME, lambda: write_deltalake(path, arrow, mode="append", partition_by=["dt"], storage_options=options))


def replays(tables: LakeTables) -> pl.DataFrame:
    """``dlq_partition, dlq_offset``, and ``at``, when a letter was last replayed."""
    rows = tables.scan(NAME).group_by("dlq_partition", "dlq_offset").agg(pl.col("at").max())
    return rows.collect()
