"""Features of impressions, likes, comments and shares: from ``engagement`` and ``correction`` events, also by hour."""

from __future__ import annotations

import polars as pl

from kolray.events import COUNTS
from kolray.features.feature import Feature, days_seen, entropy, share, variation

SOURCE = "engagement"
HOURLY = "hours"
_NONE = "no engagement event"
NIGHT_UTC = (17, 18, 19, 20, 21, 22)
"""Midnight to six in Vietnam."""


def prepare(social: pl.LazyFrame) -> pl.LazyFrame:
    """Increments with ``engagement`` (likes + comments + shares) and the KOL's ``followers_now`` (last seen)."""
    now = social.filter(pl.col("event_type") == "profile", pl.col("followers").is_not_null())
    now = now.group_by("kol_id").agg(followers_now=pl.col("followers").last())
    counts = social.filter(pl.col("event_type").is_in(["engagement", "correction"])).with_columns(
        pl.col(*COUNTS).fill_null(0)
    )
    return counts.with_columns(
        engagement=pl.col("likes") + pl.col("comments") + pl.col("shares"),
        hour=pl.col("event_time").dt.truncate("1h"),
    ).join(now, on="kol_id", how="left", maintain_order="left")


def prepare_hours(increments: pl.LazyFrame) -> pl.LazyFrame:
    """Engagement of each hour that had any event, oldest first, never below 0."""
    hours = increments.group_by("kol_id", "hour").agg(pl.col("engagement", "impressions").sum())
    return hours.sort("kol_id", "hour").with_columns(pl.col("engagement", "impressions").clip(lower_bound=0))


def _sum(column: str) -> pl.Expr:
    return pl.col(column).sum().clip(lower_bound=0)


_OF_DAY = [pl.col("engagement").filter(pl.col("hour").dt.hour() == h).sum() for h in range(24)]
_NIGHT = pl.col("engagement").filter(pl.col("hour").dt.hour().is_in(NIGHT_UTC)).sum()
_FOLLOWERS = pl.col("followers_now").first()


def _of_events(name: str, unit: str, high: float | None, rule: str, doc: str, expr: pl.Expr) -> Feature:
    return Feature(name, unit, 0, high, SOURCE, rule, doc, expr)


def _of_hours(name: str, unit: str, high: float | None, rule: str, doc: str, expr: pl.Expr) -> Feature:
    return Feature(name, unit, 0, high, HOURLY, rule, doc, expr)


FEATURES = (
    _of_events(
        "engagement_rate", "share", None, "no impressions", "Likes, comments and shares over impressions.",
        share(_sum("engagement"), _sum("impressions")),
    ),
    _of_events(
        "engagement_per_follower_day", "1/day", None, "followers unknown or 0", "Engagement a day for each follower.",
        share(_sum("engagement") / days_seen(), _FOLLOWERS),
    ),
    _of_events(
        "impressions_per_follower_day", "1/day", None, "followers unknown or 0", "Impressions a day for each follower.",
        share(_sum("impressions") / days_seen(), _FOLLOWERS),
    ),
    _of_events(
        "comments_per_like", "ratio", None, "no likes", "Comments counted for each like.",
        share(_sum("comments"), _sum("likes")),
    ),
    _of_events(
        "shares_per_like", "ratio", None, "no likes", "Shares for each like.", share(_sum("shares"), _sum("likes")),
    ),
    _of_events(
        "likes_per_view", "ratio", None, "no views", "Likes for each view.", share(_sum("likes"), _sum("views")),
    ),
    _of_events(
        "views_per_impression", "ratio", None, "no impressions", "Views for each impression.",
        share(_sum("views"), _sum("impressions")),
    ),
    _of_events(
        "social_ctr", "share", None, "no impressions", "Clicks over impressions, as the platform counts them.",
        share(_sum("clicks"), _sum("impressions")),
    ),
    _of_events(
        "increment_variation", "ratio", None, "fewer than two events, or no engagement",
        "Unevenness of single increments: bought batches are all alike.",
        variation(pl.col("engagement").clip(lower_bound=0).cast(pl.Float64)),
    ),
    _of_events(
        "correction_share", "share", 1, _NONE, "Corrections over all engagement events: what the platform took back.",
        (pl.col("event_type") == "correction").mean(),
    ),
    _of_hours(
        "engagement_peak_share", "share", 1, "no engagement", "The busiest hour's engagement over all.",
        share(pl.col("engagement").max(), pl.col("engagement").sum()),
    ),
    _of_hours(
        "engagement_hour_variation", "ratio", None, "fewer than two active hours", "Unevenness of active hours.",
        variation(pl.col("engagement").cast(pl.Float64)),
    ),
    _of_hours(
        "engagement_night_share", "share", 1, "no engagement", "Engagement from midnight to six in Vietnam over all.",
        share(_NIGHT, pl.col("engagement").sum()),
    ),
    _of_hours(
        "engagement_day_evenness", "share", 1, "no engagement",
        "Evenness of engagement over the 24 hours of the day: people sleep, machines do not.",
        entropy(pl.concat_list(_OF_DAY).explode(), 24),
    ),
    _of_hours(
        "engagement_hour_echo", "correlation", 1, "fewer than three active hours, or all alike",
        "Correlation of an hour's engagement with the active hour before it, from 0: negative counts as none.",
        pl.corr(pl.col("engagement"), pl.col("engagement").shift(1)).fill_nan(None).clip(0.0, 1.0),
    ),
)  # fmt: skip
