"""Features of what tracked pages saw: from web events."""

from __future__ import annotations

import polars as pl

from kolray.features.feature import SECOND, Feature, gaps_s, share, variation
from kolray.features.hours import NIGHT_UTC

SOURCE = "web"
_CLICKS = "no click"
QUICK_S = 30.0


def prepare(web: pl.LazyFrame) -> pl.LazyFrame:
    """Web events with the 5-minute ``slot`` of each, oldest first."""
    return web.with_columns(slot=pl.col("event_time").dt.truncate("5m"))


_IS_CLICK = pl.col("event_type") == "click"
_N_CLICKS = _IS_CLICK.sum()
_VISITORS = pl.col("visitor").filter(_IS_CLICK).drop_nulls()
_CLICK_GAPS = pl.col("event_time").filter(_IS_CLICK).diff().drop_nulls().dt.total_milliseconds() * SECOND


def _count(event_type: str) -> pl.Expr:
    return (pl.col("event_type") == event_type).sum()


def _feature(name: str, unit: str, high: float | None, rule: str, doc: str, expr: pl.Expr) -> Feature:
    return Feature(name, unit, 0, high, SOURCE, rule, doc, expr)


FEATURES = (
    _feature(
        "web_ctr", "share", None, "no impression of a page", "Clicks over impressions of tracked pages.",
        share(_N_CLICKS, _count("impression")),
    ),
    _feature(
        "web_cvr", "share", None, _CLICKS, "Conversions over clicks.", share(_count("conversion"), _N_CLICKS),
    ),
    _feature(
        "web_visitor_repetition", "share", 1, "no click with a visitor", "Clicks of visitors seen before.",
        1.0 - share(_VISITORS.n_unique(), _VISITORS.len()),
    ),
    _feature(
        "web_top_visitor_share", "share", 1, "no click with a visitor", "The busiest visitor's clicks over all.",
        share(_VISITORS.unique_counts().max(), _VISITORS.len()),
    ),
    _feature(
        "web_click_gap_variation", "ratio", None, "fewer than three clicks, or all at once",
        "Unevenness of the time between clicks.",
        variation(_CLICK_GAPS),
    ),
    _feature(
        "web_click_peak_share", "share", 1, _CLICKS, "The busiest five minutes' clicks over all.",
        share(pl.col("slot").filter(_IS_CLICK).unique_counts().max(), _N_CLICKS),
    ),
    _feature(
        "web_click_quick_share", "share", 1, "fewer than two clicks", f"Clicks within {QUICK_S:g} s of the one before.",
        (_CLICK_GAPS < QUICK_S).mean(),
    ),
    _feature(
        "web_night_share", "share", 1, "no web event", "Events from midnight to six in Vietnam over all.",
        pl.col("event_time").dt.hour().is_in(NIGHT_UTC).mean(),
    ),
    _feature(
        "web_consent_share", "share", 1, "consent unknown", "Events with consent over all.", pl.col("consent").mean(),
    ),
    _feature(
        "web_gap_variation", "ratio", None, "fewer than three web events, or all at once",
        "Unevenness of all web events in time.",
        variation(gaps_s()),
    ),
)  # fmt: skip
