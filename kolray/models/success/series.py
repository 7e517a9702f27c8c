"""Series as a matrix: one row a series, one column a step; of KOLs by hour, silence as 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kolray.errors import InvalidInputError
from kolray.events import TIME
from kolray.models.metrics import Floats
from kolray.models.success.beside import Beside

METRICS: Mapping[str, tuple[str, ...]] = {
    "engagement": ("likes", "comments", "shares"),
    "impressions": ("impressions",),
    "views": ("views",),
    "clicks": ("web_clicks",),
    "conversions": ("web_conversions",),
}
"""What can be forecast: the sum of these columns of ``gold.kpi_hourly``."""
HOUR = timedelta(hours=1)
MAX_HOURS = 90 * 24


@dataclass(frozen=True)
class Panel:
    """Series on one grid of steps: ``values`` (series, steps) of the series ``ids``, each ending in the last column.

    NaN: not known (before a series' first step, or a gap). ``ends``: of each series the moment after its last step
    (datetime64[ms], UTC). ``metric``: of each series its place in ``METRICS``; none: of no metric.
    ``beside``: what else is known of the series; none: nothing.
    """

    ids: list[str]
    ends: NDArray[np.datetime64]
    values: Floats
    step: timedelta = HOUR
    metric: NDArray[np.int64] | None = None
    beside: Beside | None = None

    @property
    def end(self) -> datetime:
        """The newest of ``ends``."""
        newest: datetime = self.ends.max().astype(datetime)
        return newest.replace(tzinfo=UTC)

    def before(self, column: int) -> Panel:
        """What was known when step ``column`` began."""
        cut = np.timedelta64(self.step) * (self.values.shape[1] - column)
        return replace(self, ends=self.ends - cut, values=self.values[:, :column])

    def of(self, rows: NDArray[np.int64]) -> Panel:
        """Some of the series."""
        metric = None if self.metric is None else self.metric[rows]
        beside = None if self.beside is None else self.beside.take(rows)
        return Panel([self.ids[i] for i in rows], self.ends[rows], self.values[rows], self.step, metric, beside)

    def holding(self, values: Floats) -> Panel:
        """The same series with other values."""
        return replace(self, values=values)

    def told(self) -> Panel:
        """The series that are not 0 throughout: of silence nothing can be learnt."""
        return self.of(np.flatnonzero(np.nan_to_num(self.values).any(axis=1)))

    def measuring(self, metric: str, beside: Beside | None = None) -> Panel:
        """The same series as those of a metric in ``METRICS``, with what else is known of them."""
        return replace(self, metric=np.full(len(self.ids), list(METRICS).index(metric)), beside=beside)


def stacked(panels: Sequence[Panel]) -> Panel:
    """The series of several panels on one grid, and of one source of covariates, as one."""
    metrics = [np.full(len(p.ids), -1) if p.metric is None else p.metric for p in panels]
    rows = [p.beside.row for p in panels if p.beside is not None]
    beside = panels[0].beside
    return Panel(
        [name for p in panels for name in p.ids],
        np.concatenate([p.ends for p in panels]),
        np.concatenate([p.values for p in panels]),
        panels[0].step,
        np.concatenate(metrics),
        None if beside is None else replace(beside, row=np.concatenate(rows)),
    )


def hourly_history(kpi_hourly: pl.DataFrame, metric: str) -> pl.DataFrame:
    """``kol_id, at, value`` of a metric from rows of ``gold.kpi_hourly``.

    Raises:
        InvalidInputError: the metric is not one of ``METRICS``.
    """
    if metric not in METRICS:
        raise InvalidInputError(f"metric {metric!r} is not forecast; choose one of {', '.join(METRICS)}")
    value = pl.sum_horizontal(METRICS[metric]).cast(pl.Float64).alias("value")
    return kpi_hourly.select("kol_id", pl.col("hour").cast(TIME).alias("at"), value)


def to_matrix(history: pl.DataFrame, end: datetime | None = None, max_hours: int = MAX_HOURS) -> Panel:
    """Series from ``kol_id, at, value``; repeated hours are added, missing ones are 0, negative sums count as 0.

    Args:
        end: the first hour not known yet; none: the hour after the newest row. Later rows are ignored.
        max_hours: how much of the newest past to keep: one stray old row must not make a matrix of decades.

    Raises:
        InvalidInputError: there is no row, or a value is not a number.
    """
    rows = history.select("kol_id", pl.col("at").cast(TIME).dt.truncate("1h"), pl.col("value").cast(pl.Float64))
    if end is not None:
        rows = rows.filter(pl.col("at") < end)
    if not rows.height:
        raise InvalidInputError("there is no history to forecast from: the KOL has no hourly row before the start")
    if not rows["value"].is_finite().all():
        raise InvalidInputError("a value of the history is missing or not a finite number: drop or mend the row")
    last: datetime = end - HOUR if end is not None else rows["at"].max()  # type: ignore[assignment]
    first: datetime = rows["at"].min()  # type: ignore[assignment]
    n_hours = min(int((last - first) / HOUR) + 1, max_hours)
    start = last + HOUR - n_hours * HOUR
    ids = rows.select(pl.col("kol_id").unique().sort()).to_series()
    numbers = pl.Series(np.arange(len(ids)))
    row = pl.col("kol_id").replace_strict(ids, numbers, return_dtype=pl.Int64).alias("row")
    column = ((pl.col("at") - start).dt.total_milliseconds() // 3_600_000).alias("column")
    cells = rows.select(row, column, "value")
    began = cells.group_by("row").agg(pl.col("column").min()).sort("row")["column"].to_numpy()
    kept = cells.filter(pl.col("column") >= 0)
    values = np.zeros((len(ids), n_hours))
    np.add.at(values, (kept["row"].to_numpy(), kept["column"].to_numpy()), kept["value"].to_numpy())
    values = np.maximum(values, 0.0)
    values[np.arange(n_hours)[None, :] < began[:, None]] = np.nan
    ends = np.full(len(ids), np.datetime64((last + HOUR).replace(tzinfo=None), "ms"))
    return Panel(ids.to_list(), ends, values)


def hours_of_one(kol_id: str, at: NDArray[np.datetime64], values: Floats, end: datetime, max_hours: int) -> Panel:
    """As ``to_matrix`` of one KOL's hours, each named once, in a tenth of a millisecond.

    Raises:
        InvalidInputError: there is no hour before ``end``.
    """
    last = np.datetime64(end.replace(tzinfo=None), "ms")
    ago = (last - at.astype("datetime64[ms]")).astype(np.int64) // (HOUR // timedelta(milliseconds=1))
    known = ago >= 1
    if not known.any():
        raise InvalidInputError("there is no history to forecast from: the KOL has no hourly row before the start")
    row = np.zeros(min(int(ago.max()), max_hours))
    held = known & (ago <= len(row))
    row[len(row) - ago[held]] = np.maximum(values[held], 0.0)
    return Panel([kol_id], np.array([last]), row[None, :])
