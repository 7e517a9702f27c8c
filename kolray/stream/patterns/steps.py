"""One step over the rows of one window: does it match, and its state afterwards. Columns, never rows."""

from __future__ import annotations

import polars as pl

from kolray.stream.patterns.columns import at
from kolray.stream.patterns.declare import Pattern, Step


def match_step(rows: pl.DataFrame, pattern: Pattern, place: int) -> pl.DataFrame:
    """One row a KOL, with its state before the window → the same rows with the step's state after it.

    Adds the step's columns ``match`` (it matches here), ``starts`` (a run begins here), ``value`` and, for evidence,
    ``mean``, ``sd``, ``sigmas``, ``before`` (windows of history, or of the run so far) and ``from`` (before the run).
    """
    step = pattern.steps[place]
    rows = _with_value(rows, step)
    rows = _with_history(rows, step, pattern, place) if step.keeps_history else rows
    if step.keeps_previous:
        rows = rows.with_columns(previous=pl.col(at(pattern, place, "last")))
    rows = rows.with_columns(_visible=_visible(step)).with_columns(_holds=_holds(step))
    out = [pl.col("value").alias(at(pattern, place, "e_value"))]
    if step.keeps_history:
        out += _history_after(step, pattern, place)
    if step.keeps_previous:
        out.append(_when_visible("value", pl.col("previous")).alias(at(pattern, place, "last")))
    if step.counts_runs:
        rows = _with_run(rows, step, pattern, place)
        out += _run_after(step, pattern, place)
    else:
        out.append(pl.col("_holds").alias(at(pattern, place, "match")))
    return rows.with_columns(out)


def _with_value(rows: pl.DataFrame, step: Step) -> pl.DataFrame:
    if step.value is None:
        return rows.with_columns(value=pl.lit(None, pl.Float64))
    value = pl.sql_expr(step.value).cast(pl.Float64)
    return rows.with_columns(value=pl.when(value.is_finite()).then(value))


def _with_history(rows: pl.DataFrame, step: Step, pattern: Pattern, place: int) -> pl.DataFrame:
    n, mean, m2 = (pl.col(at(pattern, place, name)).fill_null(0) for name in ("n", "mean", "m2"))
    sd = pl.max_horizontal((m2 / (n - 1).clip(1)).sqrt(), pl.lit(step.min_sd))
    rows = rows.with_columns(own_n=n, own_mean=mean, own_sd=sd, _m2=m2)
    away = (pl.col("value") - pl.col("own_mean")) / pl.when(pl.col("own_sd") > 0).then("own_sd")
    return rows.with_columns(own_sigmas=away)


def _visible(step: Step) -> pl.Expr:
    """Windows the step looks at; those it passes over change nothing of its state."""
    seen = pl.lit(value=True) if step.value is None else pl.col("value").is_not_null()
    return seen & pl.sql_expr(step.only).fill_null(value=False) if step.only else seen


def _holds(step: Step) -> pl.Expr:
    holds = pl.col("_visible")
    if step.when:
        holds &= pl.sql_expr(step.when)
    if step.min_value is not None:
        holds &= pl.col("value") >= step.min_value
    if step.sigmas is not None:
        holds &= (pl.col("own_n") >= step.min_history) & (pl.col("own_sigmas") > step.sigmas)
    if step.falls is not None:
        holds &= pl.col("value") < pl.col("previous")
    if step.rises is not None:
        holds &= pl.col("value") > pl.col("previous")
    return holds.fill_null(value=False)


def _when_visible(after: pl.Expr | str, before: pl.Expr) -> pl.Expr:
    return pl.when("_visible").then(after).otherwise(before)


def _history_after(step: Step, pattern: Pattern, place: int) -> list[pl.Expr]:
    """Welford's recurrence. A value that matches is winsorised, or one burst would hide the next for a whole day."""
    value, mean, n = pl.col("value"), pl.col("own_mean"), pl.col("own_n")
    kept = value
    if step.sigmas is not None:
        kept = pl.when("_holds").then(mean + step.sigmas * pl.col("own_sd")).otherwise(value)
    mean_after = mean + (kept - mean) / (n + 1)
    after = {"n": n + 1, "mean": mean_after, "m2": pl.col("_m2") + (kept - mean) * (kept - mean_after)}
    shown = {"e_mean": mean, "e_sd": pl.col("own_sd"), "e_sigmas": pl.col("own_sigmas"), "e_before": n}
    return [
        *(
            _when_visible(e, pl.col(at(pattern, place, name))).alias(at(pattern, place, name))
            for name, e in after.items()
        ),
        *(e.alias(at(pattern, place, name)) for name, e in shown.items()),
    ]


def _with_run(rows: pl.DataFrame, step: Step, pattern: Pattern, place: int) -> pl.DataFrame:
    """``_run`` and ``_from`` after the window: windows in a row so far, and the value before the first of them."""
    run = pl.col(at(pattern, place, "run")).fill_null(0)
    longer = pl.when("_holds").then(run + 1).otherwise(0)
    rows = rows.with_columns(_before=run, _run=_when_visible(longer, run))
    if step.trend is None:
        return rows
    going = pl.col("_holds") & (pl.col("_before") > 0)
    start = pl.when(going).then(at(pattern, place, "from")).when("_holds").then("previous").otherwise("value")
    return rows.with_columns(_from=_when_visible(start, pl.col(at(pattern, place, "from"))))


def _run_after(step: Step, pattern: Pattern, place: int) -> list[pl.Expr]:
    long_enough = pl.col("_run") == step.times if step.times > 1 and not step.absent else pl.col("_run") >= step.times
    match = pl.col("_holds") & long_enough
    out = [pl.col("_run").alias(at(pattern, place, "run"))]
    if not step.keeps_history:
        out.append(pl.col("_before").alias(at(pattern, place, "e_before")))
    if step.trend is not None:
        moved = pl.col("_from") - pl.col("value")
        match &= (moved if step.falls is not None else -moved) >= step.trend
        out += [pl.col("_from").alias(at(pattern, place, name)) for name in ("from", "e_from")]
    starts = (pl.col("_holds") & (pl.col("_run") == 1)).alias(at(pattern, place, "starts"))
    return [*out, match.fill_null(value=False).alias(at(pattern, place, "match")), starts]
