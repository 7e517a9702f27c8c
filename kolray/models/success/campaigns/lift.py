"""How much more a KOL had in the hours of a campaign than it would have had without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from kolray.events import Columns, conform
from kolray.models.metrics import Floats
from kolray.models.success.campaigns.counterfactual import LOOKBACK_H, MIN_BEFORE_H, Compared, compare
from kolray.models.success.campaigns.shrinkage import shrink
from kolray.models.success.series import HOUR, Panel, hourly_history, to_matrix

METRICS = ("engagement", "impressions")
MAX_CONTROLS = 1_000
RARELY_SILENT = 0.1
"""Part of its hours below which a KOL's hour of silence is one that nobody asked about, not one without reactions."""
LIFT: Columns = {
    "campaign_id": pl.String,
    "kol_id": pl.String,
    "metric": pl.String,
    "hours": pl.Int64,
    "lift": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "alone": pl.Float64,
    "why_not": pl.String,
}
WHY_NOT = {
    "not_started": "it has not filled an hour yet",
    "no_baseline": f"less than {MIN_BEFORE_H} hours of the KOL are known before it, without another campaign",
    "few_controls": "too few KOLs without a campaign to compare with in these hours",
}
"""Beside the troubles of ``booked.TROUBLES``: why a lift is not known."""
_UNTOLD = ("no_start", "end_before_start", "unknown_kol", "overlaps")


@dataclass(frozen=True)
class _Window:
    """Columns of a comparison: ``[start - before, start)`` against ``[start, after)``."""

    start: int
    after: int
    before: int


def lifts(kpi_hourly: pl.DataFrame, booked: pl.DataFrame, now: datetime, metric: str, seed: int = 0) -> pl.DataFrame:
    """``LIFT`` of each campaign: 0.2 is a fifth more than without it.

    ``lower`` and ``upper``: 90 %; ``alone``: as measured, without what other campaigns tell; ``hours``: that were
    compared. ``why_not``: a name of ``WHY_NOT`` or ``booked.TROUBLES``; then the figures are null.

    Args:
        kpi_hourly: rows of ``gold.kpi_hourly``.
        booked: see ``booked_campaigns``.
        now: the first hour that is not complete; later ones are not looked at.
        metric: of ``METRICS``.
        seed: chooses controls where there are many.
    """
    plan = _plan(booked, kpi_hourly, now)
    if plan["why_not"].is_null().any():
        plan = _measured(kpi_hourly, plan, now, metric, seed)
    return plan.with_columns(metric=pl.lit(metric)).select(conform(LIFT, [*plan.columns, "metric"]))


def _plan(booked: pl.DataFrame, kpi_hourly: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Campaigns with what is compared: ``whole_first``, ``until``, ``known`` (from when the KOL tells of itself)."""
    first = kpi_hourly.group_by("kol_id").agg(known=pl.col("hour").min())
    ends = pl.col("after").cum_max().shift(1).over("kol_id")
    rows = booked.with_columns(before=ends).join(first, on="kol_id", how="left")
    until = pl.min_horizontal(pl.col("whole_after").fill_null(now), pl.lit(now))
    rows = rows.with_columns(until=until, known=pl.max_horizontal("known", "before"))
    hours = (pl.col("until") - pl.col("whole_first")).dt.total_hours()
    trouble = pl.col("troubles").list.eval(pl.element().filter(pl.element().is_in(_UNTOLD))).list.first()
    short = (pl.col("first") - pl.col("known")).dt.total_hours() < MIN_BEFORE_H
    why_not = pl.coalesce(
        trouble,
        pl.when(hours.fill_null(0) < 1).then(pl.lit("not_started")),
        pl.when(short.fill_null(value=True)).then(pl.lit("no_baseline")),
    )
    return rows.with_columns(why_not=why_not, hours=hours.clip(0).fill_null(0))


def _measured(kpi: pl.DataFrame, plan: pl.DataFrame, now: datetime, metric: str, seed: int) -> pl.DataFrame:
    panel = _panel(kpi, plan, now, metric, seed)
    z, busy = _known(panel.values), _busy(panel, plan)
    places = {kol: row for row, kol in enumerate(panel.ids)}
    effect, spread = np.full((2, plan.height), np.nan)
    placebos: list[Floats] = []
    why = plan["why_not"].to_list()
    for window, campaigns in _windows(plan, panel):
        rows = np.array([places[plan["kol_id"][c]] for c in campaigns])
        with threadpool_limits(1):  # products are tiny: threads of BLAS would wait for each other
            found = _compared(z, busy, window, rows)
        for c in campaigns if found is None else []:
            why[c] = "few_controls"
        if found is not None:
            effect[campaigns], spread[campaigns] = found.effect, found.spread
            placebos.append(found.placebos)
    told = np.isfinite(effect)
    why = [name if name or told[c] else "no_baseline" for c, name in enumerate(why)]
    columns = {name: np.full(plan.height, np.nan) for name in ("lift", "lower", "upper")}
    if told.any():
        made = shrink(effect[told], spread[told], np.concatenate(placebos))
        for name, part in zip(columns, (made.value, made.lower, made.upper), strict=True):
            columns[name][told] = np.expm1(part)
    columns["alone"] = np.expm1(effect)
    return plan.with_columns(
        **{name: pl.Series(part).fill_nan(None) for name, part in columns.items()},
        why_not=pl.Series(why, dtype=pl.String),
    )


def _panel(kpi: pl.DataFrame, plan: pl.DataFrame, now: datetime, metric: str, seed: int) -> Panel:
    """KOLs with a campaign and a sample of those without, from the first hour that any comparison looks back at."""
    asked = plan.filter(pl.col("why_not").is_null())
    ids = kpi["kol_id"].unique().sort()
    others = ids.filter(~ids.is_in(plan["kol_id"].implode()))
    if len(others) > MAX_CONTROLS:
        others = others.sample(MAX_CONTROLS, seed=seed)
    oldest: datetime = asked["first"].min() - LOOKBACK_H * HOUR  # type: ignore[operator, assignment]
    wanted = pl.concat([asked["kol_id"], others]).unique()
    mine = kpi.filter(pl.col("kol_id").is_in(wanted.implode()) & (pl.col("hour") >= oldest))
    return to_matrix(hourly_history(mine, metric), end=now)


def _known(values: Floats) -> Floats:
    """log(1 + count), NaN where it is not known; see ``RARELY_SILENT``."""
    silent = values == 0
    often = silent.sum(axis=1) >= RARELY_SILENT * np.maximum((~np.isnan(values)).sum(axis=1), 1)
    return np.asarray(np.log1p(np.where(silent & ~often[:, None], np.nan, values)))


def _columns(plan: pl.DataFrame, panel: Panel, name: str) -> NDArray[np.int64]:
    """A time of each campaign as a column of the panel; one without is the panel's end."""
    hours = (pl.col(name) - panel.end).dt.total_hours().fill_null(0)
    return plan.select(hours).to_series().to_numpy() + panel.values.shape[1]


def _busy(panel: Panel, plan: pl.DataFrame) -> NDArray[np.bool_]:
    """(KOLs, hours) in which a campaign runs."""
    busy = np.zeros(panel.values.shape, dtype=bool)
    places = {kol: row for row, kol in enumerate(panel.ids)}
    dated = plan.filter(pl.col("first").is_not_null())
    starts, ends = _columns(dated, panel, "first"), _columns(dated, panel, "after")
    for kol, start, end in zip(dated["kol_id"], starts, ends, strict=True):
        if kol in places:
            busy[places[kol], max(start, 0) : max(end, 0)] = True
    return busy


def _windows(plan: pl.DataFrame, panel: Panel) -> Iterator[tuple[_Window, list[int]]]:
    """Comparisons, each with the campaigns (rows of the plan) that share it."""
    shared: dict[_Window, list[int]] = {}
    first, start, after, known = (_columns(plan, panel, name) for name in ("first", "whole_first", "until", "known"))
    for c in np.flatnonzero(plan["why_not"].is_null().to_numpy()):
        before = min(first[c] - max(known[c], 0), LOOKBACK_H)
        if before < MIN_BEFORE_H:  # it began before what is looked back at
            continue
        # An hour that the campaign touches but does not fill belongs to neither side.
        window = _Window(int(start[c]), int(after[c]), int(before + start[c] - first[c]))
        shared.setdefault(window, []).append(int(c))
    yield from shared.items()


def _compared(z: Floats, busy: NDArray[np.bool_], window: _Window, rows: NDArray[np.int64]) -> Compared | None:
    span = slice(window.start - window.before, window.after)
    free = ~busy[:, span].any(axis=1) & ~np.isnan(z[:, span.start : span.start + MIN_BEFORE_H]).all(axis=1)
    controls = np.flatnonzero(free)
    chosen = np.concatenate([rows, controls])
    before = z[chosen, span.start : window.start]
    before[: len(rows)][busy[rows, span.start : window.start]] = np.nan
    return compare(before, z[chosen, window.start : window.after], len(rows))
