"""Alerts with their evidence, a JSON object."""

from __future__ import annotations

import hashlib

import polars as pl

from kolray.events import TIME
from kolray.stores.metrics import ALERT_SCHEMA
from kolray.stream.patterns.columns import at
from kolray.stream.patterns.declare import Pattern, Step
from kolray.stream.patterns.sequence import START

_NONE = pl.DataFrame(schema=ALERT_SCHEMA)


def no_alerts() -> pl.DataFrame:
    """No alerts (``ALERT_SCHEMA``)."""
    return _NONE


def matched_alerts(pattern: Pattern, rows: pl.DataFrame) -> pl.DataFrame:
    """Alerts of rows where a pattern fires. The evidence is the last step's value and what it was compared with."""
    place = pattern.present[-1]
    step = pattern.steps[place]
    shown = _compared(pattern, place, step)
    if len(pattern.steps) > 1:
        shown += _path()
    return _alerts(
        pattern, rows, [pl.lit(step.value or step.when).alias("metric"), _number(pattern, place, "value"), *shown]
    )


def overdue_alerts(pattern: Pattern, fired: pl.DataFrame) -> pl.DataFrame:
    """Alerts of KOLs for which the last, absent step did not come in time."""
    step = pattern.steps[-1]
    missing = [pl.lit(step.when or step.value).alias("absent"), pl.lit(str(step.within)).alias("within")]
    return _alerts(pattern, fired, [*missing, *_path()])


def _compared(pattern: Pattern, place: int, step: Step) -> list[pl.Expr]:
    nothing = pl.lit(None, pl.Float64)
    sigmas = pl.col(at(pattern, place, "e_sigmas")).round(2) if step.keeps_history else nothing
    deviation = [
        _number(pattern, place, "sd").alias("own_sd") if step.keeps_history else nothing.alias("own_sd"),
        sigmas.alias("sigmas"),
    ]
    if step.trend is not None:
        before = "fell_from" if step.falls is not None else "rose_from"
        return [_number(pattern, place, "from").alias(before), *deviation, _windows(pattern, place)]
    if step.keeps_history:
        return [_number(pattern, place, "mean").alias("own_mean"), *deviation, _windows(pattern, place)]
    return []


def _number(pattern: Pattern, place: int, name: str) -> pl.Expr:
    return pl.col(at(pattern, place, f"e_{name}")).round(6).alias(name)


def _windows(pattern: Pattern, place: int) -> pl.Expr:
    return pl.col(at(pattern, place, "e_before")).alias("windows_of_history")


def _path() -> list[pl.Expr]:
    moments = pl.col("fired_at").list.eval(pl.element().cast(TIME).dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return [moments.alias("steps_at"), pl.col("fired_value").list.eval(pl.element().round(6)).alias("steps_value")]


def _alerts(pattern: Pattern, fired: pl.DataFrame, evidence: list[pl.Expr]) -> pl.DataFrame:
    if not fired.height:
        return no_alerts()
    fired = fired.sort("kol_id").with_columns(window_start=pl.col(START).cast(TIME))
    ids = [
        hashlib.sha256(f"{pattern.name}|{kol}|{start.isoformat()}".encode()).hexdigest()[:32]
        for kol, start in fired.select("kol_id", "window_start").iter_rows()
    ]
    return fired.select(
        pl.Series("alert_id", ids),
        pl.lit(pattern.name).alias("rule"),
        "kol_id",
        pl.lit(pattern.window).alias("window"),
        "window_start",
        pl.lit(pattern.severity).alias("severity"),
        pl.struct(evidence).struct.json_encode().alias("evidence"),
        (pl.col("window_start") + pl.duration(milliseconds=pattern.spec.size_ms)).alias("at"),
    ).cast(pl.Schema(ALERT_SCHEMA))
