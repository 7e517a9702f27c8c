"""Features of impressions, likes, comments and shares: from ``engagement`` and ``correction`` events."""

from __future__ import annotations

import polars as pl

from kolray.features.feature import Feature, days_seen, share, variation
from kolray.features.tiers import usual_engagement

SOURCE = "engagement"
_NONE = "no engagement event"


def prepare(social: pl.LazyFrame) -> pl.LazyFrame:
    """Increments with ``engagement`` (likes + comments + shares) and the KOL's ``followers_now`` (last seen)."""
    now = social.filter(pl.col("event_type") == "profile", pl.col("followers").is_not_null())
    now = now.group_by("kol_id").agg(followers_now=pl.col("followers").last())
    counts = social.filter(pl.col("event_type").is_in(["engagement", "correction"])).with_columns(
        engagement=pl.sum_horizontal("likes", "comments", "shares"),
        hour=pl.col("event_time").dt.truncate("1h"),
    )
    return counts.join(now, on="kol_id", how="left", maintain_order="left")


def _sum(column: str) -> pl.Expr:
    return pl.col(column).sum().clip(lower_bound=0)


def _told(column: str) -> pl.Expr:
    """The sum, null where the platform never told this count."""
    return pl.when(pl.col(column).is_not_null().any()).then(_sum(column))


_FOLLOWERS = pl.col("followers_now").first()
_PER_FOLLOWER = share(_sum("engagement") / days_seen(), _FOLLOWERS)
_TAKEN = (-pl.col("engagement")).clip(lower_bound=0).filter(pl.col("event_type") == "correction").sum()


def _feature(
    name: str, unit: str, low: float | None, high: float | None, rule: str, doc: str, expr: pl.Expr
) -> Feature:
    return Feature(name, unit, low, high, SOURCE, rule, doc, expr)


FEATURES = (
    _feature(
        "engagement_rate", "share", 0, None, "no impressions", "Likes, comments and shares over impressions.",
        share(_sum("engagement"), _sum("impressions")),
    ),
    _feature(
        "engagement_per_follower_day", "1/day", 0, None, "no engagement event, or followers unknown or 0",
        "Engagement a day for each follower.",
        _PER_FOLLOWER,
    ),
    _feature(
        "engagement_against_tier", "ln ratio", None, None, "followers unknown or 0, or no engagement",
        "Engagement per follower and day against what is usual for as many followers.",
        share(_PER_FOLLOWER, usual_engagement(_FOLLOWERS)).replace(0.0, None).log(),
    ),
    _feature(
        "impressions_per_follower_day", "1/day", 0, None, "no engagement event, or followers unknown or 0",
        "Impressions a day for each follower.",
        share(_sum("impressions") / days_seen(), _FOLLOWERS),
    ),
    _feature(
        "comments_per_like", "ratio", 0, None, "no likes, or comments never told", "Comments counted for each like.",
        share(_told("comments"), _sum("likes")),
    ),
    _feature(
        "shares_per_like", "ratio", 0, None, "no likes, or shares never told",
        "Shares for each like.", share(_told("shares"), _sum("likes")),
    ),
    _feature(
        "likes_per_view", "ratio", 0, None, "no views, or likes never told",
        "Likes for each view.", share(_told("likes"), _sum("views")),
    ),
    _feature(
        "views_per_impression", "ratio", 0, None, "no impressions, or views never told", "Views for each impression.",
        share(_told("views"), _sum("impressions")),
    ),
    _feature(
        "social_ctr", "share", 0, None, "no impressions, or clicks never told",
        "Clicks over impressions, as the platform counts them.",
        share(_told("clicks"), _sum("impressions")),
    ),
    _feature(
        "increment_variation", "ratio", 0, None, "fewer than two events, or no engagement",
        "Unevenness of single increments: bought batches are all alike.",
        variation(pl.col("engagement").clip(lower_bound=0).cast(pl.Float64)),
    ),
    _feature(
        "correction_share", "share", 0, 1, _NONE,
        "Events by which the platform took back engagement over all.",
        (pl.col("event_type") == "correction").mean(),
    ),
    _feature(
        "correction_volume", "share", 0, None, "no engagement beside corrections",
        "Engagement that the platform took back over the rest.",
        share(_TAKEN, pl.col("engagement").filter(pl.col("event_type") == "engagement").sum()),
    ),
)  # fmt: skip
