"""Behavioural features of every KOL as of a time: the one definition that lake, training and serving use."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from kolray.clock import from_ms, to_ms
from kolray.events import TIME, Columns
from kolray.features import comments, engagement, growth, hours, posting, profile, web
from kolray.features.feature import Feature

FEATURES: tuple[Feature, ...] = (
    *profile.FEATURES, *growth.FEATURES, *engagement.FEATURES, *hours.FEATURES, *comments.FEATURES, *posting.FEATURES,
    *web.FEATURES
)  # fmt: skip
FEATURE_NAMES = tuple(feature.name for feature in FEATURES)
FEATURE_SCHEMA: Columns = {"kol_id": pl.String, "as_of": TIME, **dict.fromkeys(FEATURE_NAMES, pl.Float64)}
LOOKBACK = timedelta(days=28)
"""How far back events count, so that an old account's features cost and mean the same as a young one's."""


def compute_features(
    social: pl.LazyFrame, web_events: pl.LazyFrame, as_of: datetime, known_at: datetime | None = None
) -> pl.DataFrame:
    """Features at ``as_of`` from what had happened by then, as far as it was available at ``known_at``.

    Args:
        social, web_events: silver's columns; used are rows with ``event_time < as_of`` (and within ``LOOKBACK``) and
            ``available_at <= known_at``.
        as_of: aware UTC.
        known_at: aware UTC; none: ``as_of``, which is what a model could have seen then. A later one adds what
            arrived late, an earlier one takes away what was still on its way.

    Returns:
        ``FEATURE_SCHEMA``, one row for each KOL with an event, ordered by ``kol_id``. The order of the input changes
        nothing.
    """
    as_of, by = (from_ms(to_ms(at)) for at in (as_of, known_at or as_of))  # as the rows keep it
    seen_social, seen_web = seen(social, as_of, by), seen(web_events, as_of, by)
    increments = engagement.prepare(seen_social).collect().lazy()
    profiles, posts = profile.prepare(seen_social), posting.prepare(seen_social)
    rows = {
        profile.SOURCE: profiles,
        growth.SOURCE: growth.prepare(profiles, increments),
        engagement.SOURCE: increments,
        hours.SOURCE: hours.prepare(increments, posts),
        comments.SOURCE: comments.prepare(seen_social, posts),
        posting.SOURCE: posts,
        web.SOURCE: web.prepare(seen_web),
    }
    kols = pl.concat([seen_social.select("kol_id"), seen_web.select("kol_id")]).unique().sort("kol_id")
    plans = [kols, *(_of_source(source, frame) for source, frame in rows.items())]
    table, *parts = pl.collect_all(plans)
    for part in parts:
        table = table.join(part, on="kol_id", how="left", maintain_order="left")
    at = pl.lit(as_of).cast(TIME).alias("as_of")
    return table.select("kol_id", at, *(_finite(name) for name in FEATURE_NAMES))


def seen(events: pl.LazyFrame, as_of: datetime, known_at: datetime) -> pl.LazyFrame:
    """What had happened at ``as_of`` and was available at ``known_at``: in one order whatever the input's."""
    happened = (pl.col("event_time") < as_of) & (pl.col("event_time") >= as_of - LOOKBACK)
    known = events.filter(happened & (pl.col("available_at") <= known_at)).with_columns(as_of=pl.lit(as_of).cast(TIME))
    return known.sort("kol_id", "event_time", "event_id").collect().lazy()


def _of_source(source: str, frame: pl.LazyFrame) -> pl.LazyFrame:
    wanted = [f.expr.cast(pl.Float64).alias(f.name) for f in FEATURES if f.source == source]
    return frame.group_by("kol_id").agg(wanted)


def _finite(name: str) -> pl.Expr:
    return pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name)
