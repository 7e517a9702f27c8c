"""Campaigns as they were booked: when each runs on the grid of hours, and what about it cannot be answered, and why."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from kolray.events import TIME

PLANNED, RUNNING, ENDED, UNDATED = "planned", "running", "ended", "undated"
TROUBLES = {
    "no_start": "it has no start",
    "no_end": "it has no end, so there is no forecast to the end, and no part of the budget that is spent",
    "end_before_start": "it ends before it starts",
    "no_budget": "it has no budget above 0",
    "no_currency": "its budget has no currency",
    "unknown_kol": "nothing was ever measured of its KOL",
    "overlaps": "another campaign of the KOL runs at the same time: their lifts cannot be told apart",
}
"""Name → what is the matter. Whatever is not touched by it is answered all the same."""


def booked_campaigns(campaigns: pl.DataFrame, kols: pl.Series, now: datetime) -> pl.DataFrame:
    """Rows of ``ref.campaigns`` with ``state``, the hours of the campaign and ``troubles``.

    ``first`` (included) and ``after`` (not included) are the hours that the campaign touches; ``whole_first`` and
    ``whole_after`` those that it fills, which alone are compared with hours without it. Null where a time is missing or
    the end is not after the start; a campaign without an end goes on.

    Args:
        kols: ids of KOLs of whom anything was measured.
        now: the first hour that is not complete.
    """
    hour = pl.duration(hours=1)
    times = [pl.col(name).cast(TIME) for name in ("start", "end")]
    backwards = (pl.col("end") <= pl.col("start")).fill_null(value=False)
    start, end = (pl.when(~backwards).then(pl.col(name)) for name in ("start", "end"))
    down_start, down_end = start.dt.truncate("1h"), end.dt.truncate("1h")
    told = campaigns.with_columns(times).with_columns(
        first=down_start,
        after=down_end + pl.when(end > down_end).then(hour).otherwise(0 * hour),
        whole_first=down_start + pl.when(start > down_start).then(hour).otherwise(0 * hour),
        whole_after=down_end,
    )
    state = (
        pl.when(pl.col("first").is_null())
        .then(pl.lit(UNDATED))
        .when(pl.col("first") >= now)
        .then(pl.lit(PLANNED))
        .when((pl.col("after") <= now).fill_null(value=False))
        .then(pl.lit(ENDED))
        .otherwise(pl.lit(RUNNING))
    )
    found = {
        "no_start": pl.col("start").is_null(),
        "no_end": pl.col("end").is_null(),
        "end_before_start": backwards,
        "no_budget": ~(pl.col("budget") > 0).fill_null(value=False),
        "no_currency": pl.col("currency").is_null() & pl.col("budget").is_not_null(),
        "unknown_kol": ~pl.col("kol_id").is_in(kols.implode()),
        "overlaps": _overlaps(),
    }
    troubles = pl.concat_list(pl.when(holds).then(pl.lit(name)) for name, holds in found.items()).list.drop_nulls()
    return told.with_columns(state=state).sort("kol_id", "first", "campaign_id").with_columns(troubles=troubles)


def _overlaps() -> pl.Expr:
    """Whether the hours of a campaign are also another one's of the same KOL; rows are ordered by KOL and ``first``."""
    last = pl.lit(datetime(9999, 1, 1, tzinfo=UTC)).cast(TIME)
    end = pl.when(pl.col("first").is_not_null()).then(pl.col("after").fill_null(last))
    before = end.cum_max().forward_fill().shift(1).over("kol_id")
    return ((before > pl.col("first")) | (pl.col("first").shift(-1).over("kol_id") < end)).fill_null(value=False)
