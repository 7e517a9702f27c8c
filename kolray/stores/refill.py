"""Gives a Redis that lost its memory back what the metrics store knows: newest windows, scores, rankings."""

from __future__ import annotations

import logging
from typing import Protocol

import polars as pl

from kolray.stores.metrics import SCORE_SCHEMA, WINDOW_SCHEMA, MetricsStore

log = logging.getLogger(__name__)


class Refillable(Protocol):
    """The part of the feature store this writes."""

    def put_live(self, rows: pl.DataFrame) -> None: ...

    def put_scores(self, scores: pl.DataFrame, kols: pl.DataFrame | None) -> None: ...

    def put_hours(self, rows: pl.DataFrame) -> None: ...


def refill(metrics: MetricsStore, live: Refillable) -> int:
    """Returns the KOLs it found. Newer rows that are there already stay.

    Forecasts, features and the rankings of a platform or category come back with the next run of the jobs that make
    them: these are known to the lake alone.
    """
    newest = hours = pl.DataFrame(schema=WINDOW_SCHEMA)
    for frame in metrics.scan_windows():
        hours = pl.concat([hours, frame.filter(window="1h")])
        hours = hours.filter(pl.col("window_start") > pl.col("window_start").max() - pl.duration(hours=24))
        newest = pl.concat([newest, frame]).sort("window_start").unique(["kol_id", "window"], keep="last")
    kol_ids = newest["kol_id"].unique().sort().to_list()
    if not kol_ids:
        return 0
    live.put_live(newest)
    live.put_hours(hours)
    scores = pl.concat([pl.DataFrame(schema=SCORE_SCHEMA), *(metrics.scores(kol_id) for kol_id in kol_ids)])
    if scores.height:
        live.put_scores(scores, None)
    log.warning("Redis was empty: %d KOLs filled in from the metrics store", len(kol_ids))
    return len(kol_ids)
