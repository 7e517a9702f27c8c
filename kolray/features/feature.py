"""What a feature is, and the small expressions that features are made of."""

from __future__ import annotations

import math
from typing import NamedTuple

import polars as pl

from kolray.features.window_metrics import ratio

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
SECOND, HOUR, DAY = 1 / 1000, 1 / HOUR_MS, 1 / DAY_MS
"""A millisecond in these units. Features multiply by them: Polars divides a column by a number as a product with its
inverse, but a column of one row truly, so a quotient's last bit would depend on how many KOLs are at hand."""


class Feature(NamedTuple):
    """One number a KOL, with its whole definition.

    ``low`` and ``high`` bound every value (None: unbounded). ``null_rule`` says when the value is missing. ``expr`` is
    evaluated for each KOL over the rows of ``source``, oldest first.
    """

    name: str
    unit: str
    low: float | None
    high: float | None
    source: str
    null_rule: str
    doc: str
    expr: pl.Expr


def share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """``part / whole``, null where the whole is not positive."""
    return ratio(part, whole)


def variation(values: pl.Expr) -> pl.Expr:
    """Coefficient of variation: 0 for a machine's regular beat, about 1 for chance; null below two values."""
    # drop_nulls also keeps polars from merging partial variances of threads, which would depend on their split.
    known = values.drop_nulls()
    return ratio(known.std(), known.mean())


def gaps_s() -> pl.Expr:
    """Seconds between consecutive events."""
    return pl.col("event_time").diff().drop_nulls().dt.total_milliseconds() * SECOND


def days_seen() -> pl.Expr:
    """Days from the KOL's first row to ``as_of``, at least one hour."""
    span = (pl.col("as_of").first() - pl.col("event_time").min()).dt.total_milliseconds()
    return pl.max_horizontal(span, pl.lit(HOUR_MS)) * DAY


def entropy(counts: pl.Expr, bins: int) -> pl.Expr:
    """Evenness of non-negative counts over ``bins`` bins: 0 all in one, 1 spread evenly; null if all are 0."""
    p = counts / pl.when(counts.sum() > 0).then(counts.sum())
    nats = pl.when(p.is_not_null().any()).then(-(p.filter(p > 0) * p.filter(p > 0).log()).sum())
    return (nats * (1 / math.log(bins))).clip(0.0, 1.0)


def mean_clock(hour: pl.Expr, weight: pl.Expr) -> pl.Expr:
    """The circular mean of hours of the day, 0–24; null without weight, and where opposite hours weigh the same."""
    angle = hour.cast(pl.Float64) * (math.tau / 24)
    x, y, total = (angle.cos() * weight).sum(), (angle.sin() * weight).sum(), weight.sum()
    has_middle = (x * x + y * y) > (1e-9 * total) ** 2  # rounding alone never points anywhere
    return pl.when((total > 0) & has_middle).then(pl.arctan2(y, x) * (24 / math.tau) % 24.0)


def clock_distance(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    """Hours between two times of the day, 0–12."""
    apart = (one - other) % 24.0
    return pl.min_horizontal(apart, 24.0 - apart)
