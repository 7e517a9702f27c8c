"""Posts as a matrix of cumulative counts by age: from wide tables, from series of one post each, and from the lake."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from kolray.connectors.files import load_table
from kolray.errors import InvalidInputError
from kolray.models.metrics import Floats
from kolray.models.success.series import METRICS
from kolray.models.success.series_file import MILLISECOND, numbers_of, times_of

MAX_HOURS = 96
NUMBERED = re.compile(r"^(\D*)(\d+)$")


@dataclass(frozen=True)
class Posts:
    """``counts`` (posts, steps): what a post had gathered at the end of each step of its age, oldest post first.

    NaN: not observed. ``step_h``: hours a step.
    """

    counts: Floats
    step_h: float

    def steps(self, hours: float) -> int:
        """How many steps ``hours`` are.

        Raises:
            InvalidInputError: no whole number of steps, or more than there are.
        """
        steps = hours / self.step_h
        if steps < 1 or abs(steps - round(steps)) > 1e-6 or round(steps) > self.counts.shape[1]:
            longest = self.counts.shape[1] * self.step_h
            raise InvalidInputError(
                f"{hours:g} hours after posting: counts come every {60 * self.step_h:g} minutes for {longest:g} hours;"
                " choose a multiple within them"
            )
        return round(steps)


def read_posts(file: Path, step_minutes: float, mapping: Mapping[str, str] | None = None) -> Posts:
    """A table of a post a row, in order of posting, whose numbered columns (``TS1, TS2, …``) count by age; or a long
    one of ``series_id, at, value``, where a post's age runs from its first row.

    An empty, negative or not finite count is one that was not observed.

    Args:
        step_minutes: what lies between two counts.
        mapping: field → column, of long files.

    Raises:
        InvalidInputError: neither form, or a count that is no number.
    """
    if step_minutes <= 0:
        raise InvalidInputError(f"--step-minutes {step_minutes:g}: a step lasts longer than nothing")
    table = load_table(file)
    fields = {field: (mapping or {}).get(field, field) for field in ("series_id", "at", "value")}
    if set(fields.values()) <= set(table.columns):
        rows = table.select(**{field: pl.col(column) for field, column in fields.items()})
        return Posts(_by_age(rows, step_minutes, file), step_minutes / 60)
    names = _numbered(table.columns)
    if len(names) < 2:
        raise InvalidInputError(
            f"{file}: posts are a table of numbered columns (TS1, TS2, …), or of series_id, at, value (--map names"
            f" them); there are {', '.join(table.columns[:12])}"
        )
    counts = [numbers_of(file, table[name], f"counts in {name}") for name in names]
    return Posts(_observed(pl.DataFrame(counts).to_numpy()), step_minutes / 60)


def lake_posts(social: pl.LazyFrame, metric: str = "engagement") -> Posts:
    """Hourly cumulative counts of the posts in rows of ``silver.social`` whose posting was seen.

    Hours after the newest event of all are not observed; a correction lowers what is counted from its hour on.
    """
    value = pl.sum_horizontal(METRICS[metric]).cast(pl.Float64)
    rows = social.filter(pl.col("post_id").is_not_null())
    rows = rows.select("kol_id", "post_id", "event_type", "event_time", v=value)
    posted = (
        rows.filter(pl.col("event_type") == "post").group_by("kol_id", "post_id").agg(posted=pl.col("event_time").min())
    )
    age = ((pl.col("event_time") - pl.col("posted")).dt.total_milliseconds() // 3_600_000).alias("age")
    cells = rows.join(posted, on=["kol_id", "post_id"]).select("kol_id", "post_id", "posted", age, "v")
    grown = (
        cells.filter(pl.col("age").is_between(0, MAX_HOURS - 1))
        .group_by("kol_id", "post_id", "age")
        .agg(pl.col("v").sum())
    )
    posts, sums = pl.collect_all([posted.sort("posted", "kol_id", "post_id").with_row_index("row"), grown])
    if not posts.height:
        return Posts(np.empty((0, MAX_HOURS)), 1.0)
    newest = rows.select(pl.col("event_time").max()).collect().item()
    counts = np.zeros((posts.height, MAX_HOURS))
    placed = sums.join(posts, on=["kol_id", "post_id"])
    counts[placed["row"].to_numpy(), placed["age"].to_numpy()] = placed["v"].to_numpy()
    lived = ((newest - posts["posted"]).dt.total_milliseconds() // 3_600_000).to_numpy()
    counts = np.maximum(np.cumsum(counts, axis=1), 0.0)
    counts[np.arange(MAX_HOURS)[None, :] >= lived[:, None]] = np.nan
    return Posts(counts, 1.0)


def _numbered(columns: list[str]) -> list[str]:
    """The longest family of columns that differ in their number, by number."""
    families: dict[str, list[tuple[int, str]]] = {"": []}
    for column in columns:
        if found := NUMBERED.match(column):
            families.setdefault(found[1], []).append((int(found[2]), column))
    largest = max(families, key=lambda stem: len(families[stem]))
    return [name for _, name in sorted(families[largest])]


def _observed(counts: Floats) -> Floats:
    return np.where(np.isfinite(counts) & (counts >= 0), counts, np.nan)


def _by_age(rows: pl.DataFrame, step_minutes: float, file: Path) -> Floats:
    at, _, unit = times_of(file, rows["at"])
    step = round(step_minutes * 60_000) if unit == MILLISECOND else 1
    values = numbers_of(file, rows["value"], "counts").alias("value")
    since = (pl.col("at") - pl.col("at").min().over("series_id")) // step
    cells = rows.select("series_id", at.alias("at"), values).with_columns(age=since)
    posts = cells.group_by("series_id").agg(pl.col("at").min()).sort("at", "series_id").with_row_index("row")
    placed = cells.join(posts.select("series_id", "row"), on="series_id")
    counts = np.full((posts.height, int(cells["age"].max()) + 1), np.nan)  # type: ignore[arg-type]
    counts[placed["row"].to_numpy(), placed["age"].to_numpy()] = placed["value"].to_numpy()
    return _observed(counts)
