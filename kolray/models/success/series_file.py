"""Series from files: ``series_id, at, value`` on a panel, and what was left out with the reason.

``at`` is a time or a number of a step. The step of the file is the most frequent distance of neighbours, months,
quarters and years counted as such; series with another one are left out. Several values of one time count as their mean
(a clock that is set back repeats an hour), and a time without a value, an empty value or one that is not finite is not
known (a clock that is set forward skips an hour): it is neither learnt from nor judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from kolray.connectors.files import load_table, time_or_day
from kolray.errors import InvalidInputError
from kolray.models.success.series import HOUR, Panel

FIELDS = ("series_id", "at", "value")
MILLISECOND = timedelta(milliseconds=1)
MONTH = timedelta(days=30.436875)
"""A twelfth of a year of 365.2425 days."""
MAX_STEPS = 20_000
"""Newest steps of a series that are kept."""


@dataclass(frozen=True)
class SeriesFile:
    """``panel``: the series, each ending in the last column. ``left_out``: series → why."""

    panel: Panel
    left_out: dict[str, str]


def read_series(file: Path, mapping: Mapping[str, str] | None = None) -> SeriesFile:
    """Reads a file whose columns are ``FIELDS``, or what ``mapping`` says for them.

    Raises:
        InvalidInputError: a column is missing, a value is no number, a time no time, or no series is left.
    """
    rows = _rows(file, mapping or {})
    millis, step, unit = times_of(file, rows["at"])
    rows = rows.select("series_id", "value", at=millis)
    rows = rows.group_by("series_id", "at").agg(pl.col("value").mean()).sort("series_id", "at")
    steps = _gaps(rows)
    usual = _most_frequent(steps["gap"], step)
    if unit < HOUR and _is_monthly(steps, usual):
        rows, unit = _by_month(rows), MONTH
        steps = _gaps(rows)
        usual = _most_frequent(steps["gap"], 1)
    odd = _left_out(rows, steps, usual)
    kept = rows.filter(~pl.col("series_id").is_in(list(odd)))
    if not kept.height:
        raise InvalidInputError(
            f"{file}: no series is left: {'; '.join(f'{k}: {v}' for k, v in list(odd.items())[:3])}"
        )
    return SeriesFile(_panel(kept, usual, usual * unit), odd)


def _rows(file: Path, mapping: Mapping[str, str]) -> pl.DataFrame:
    unknown = set(mapping) - set(FIELDS)
    if unknown:
        raise InvalidInputError(f"{', '.join(sorted(unknown))}: a file of series has the fields {', '.join(FIELDS)}")
    table = load_table(file)
    columns = {field: mapping.get(field, field) for field in FIELDS}
    if columns["series_id"] not in table.columns and "series_id" not in mapping:
        table = table.with_columns(series_id=pl.lit(file.stem))  # a file of one series
    for field, column in columns.items():
        if column not in table.columns:
            there = ", ".join(table.columns)
            raise InvalidInputError(f"{file}: no column {column}; say --map {field}=COLUMN with one of {there}")
    rows = table.select(**{field: pl.col(column) for field, column in columns.items()})
    number = numbers_of(file, rows["value"], "values")
    finite = pl.when(number.is_finite()).then(number)
    return rows.with_columns(pl.col("series_id").cast(pl.String), value=finite).filter(
        pl.col("series_id").is_not_null()
    )


def numbers_of(file: Path, told: pl.Series, what: str) -> pl.Series:
    """A column as numbers; an empty value is null.

    Raises:
        InvalidInputError: a value is none; ``what`` they are.
    """
    number = told.cast(pl.Float64, strict=False)
    wrong = told.filter(number.is_null() & told.is_not_null())
    wrong = wrong.filter(wrong.cast(pl.String) != "")
    if len(wrong):
        raise InvalidInputError(f"{file}: {len(wrong)} {what} are no numbers, such as {wrong[0]!r}")
    return number


def times_of(file: Path, at: pl.Series) -> tuple[pl.Series, int, timedelta]:
    """Times as integers, the step if no series tells one, and what an integer lasts."""
    time = at.cast(pl.Datetime("ms")) if at.dtype == pl.Date else at
    if time.dtype == pl.String:  # of a column that is named otherwise, or JSON's
        time = time.to_frame("at").select(time_or_day(pl.col("at"))).to_series()
    if time.null_count() or not (time.dtype.is_temporal() or time.dtype.is_numeric()):
        raise InvalidInputError(f"{file}: a time of `at` is missing, or neither ISO 8601 nor a number of a step")
    if time.dtype.is_numeric():
        return time.cast(pl.Int64), 1, HOUR
    return time.dt.epoch("ms"), 3_600_000, MILLISECOND


def _gaps(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows but each series' first, with the time since the row before."""
    return rows.with_columns(gap=pl.col("at").diff().over("series_id")).filter(pl.col("gap") > 0)


def _is_monthly(steps: pl.DataFrame, usual: int) -> bool:
    """Steps of about a whole number of months that differ in days, as months do."""
    months = steps["gap"] / (MONTH // MILLISECOND)
    whole = ((months - months.round()).abs() < 0.11) & (months > 0.9)
    return usual >= 28 * 86_400_000 and bool(whole.mean() > 0.95) and bool((steps["gap"] % usual != 0).any())  # type: ignore[operator]


def _by_month(rows: pl.DataFrame) -> pl.DataFrame:
    """Times as months since the epoch; of several in one month the mean."""
    day = pl.from_epoch("at", "ms")
    month = (day.dt.year().cast(pl.Int64) - 1970) * 12 + day.dt.month() - 1
    return rows.group_by("series_id", at=month).agg(pl.col("value").mean()).sort("series_id", "at")


def _most_frequent(gaps: pl.Series, otherwise: int) -> int:
    return int(gaps.mode().min()) if len(gaps) else otherwise  # type: ignore[arg-type]


def _left_out(rows: pl.DataFrame, steps: pl.DataFrame, usual: int) -> dict[str, str]:
    """Series that are off the grid or say nothing."""
    off = steps.group_by("series_id").agg(off=(pl.col("gap") % usual != 0).mean()).filter(pl.col("off") > 0.5)
    odd = dict.fromkeys(off["series_id"], "its steps are not those of the other series: give it a file of its own")
    silent = rows.group_by("series_id").agg(known=pl.col("value").count()).filter(pl.col("known") == 0)
    return odd | dict.fromkeys(silent["series_id"], "it has no value")


def _panel(rows: pl.DataFrame, usual: int, step: timedelta) -> Panel:
    told = rows.filter(pl.col("value").is_not_null())
    ends = told.group_by("series_id").agg(end=pl.col("at").max(), first=pl.col("at").min()).sort("series_id")
    ids = ends["series_id"]
    span: int = (ends["end"] - ends["first"]).max()  # type: ignore[assignment]
    length = min(span // usual + 1, MAX_STEPS)
    cells = told.join(ends, on="series_id").with_columns(
        back=(pl.col("end") - pl.col("at")) // usual,
        row=pl.col("series_id").replace_strict(ids, pl.Series(np.arange(len(ids))), return_dtype=pl.Int64),
    )
    cells = cells.filter(pl.col("back") < length)
    values = np.full((len(ids), length), np.nan)
    values[cells["row"].to_numpy(), length - 1 - cells["back"].to_numpy()] = cells["value"].to_numpy()
    after = ends["end"].to_numpy() + usual
    of_steps = after * (step // MILLISECOND // usual)
    return Panel(ids.to_list(), of_steps.astype("datetime64[ms]"), values, step)
