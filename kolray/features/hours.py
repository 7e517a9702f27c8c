"""Features of the day's course: from engagement and correction events added up by hour."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from kolray.features.feature import Feature, clock_distance, entropy, mean_clock, share, variation

SOURCE = "hours"
NIGHT_UTC = (17, 18, 19, 20, 21, 22)
"""Midnight to six in Vietnam."""
EVENING_UTC = 13.0
"""20:00 in Vietnam, when most people have time."""
_SUMS = ("engagement", "impressions", "likes", "comments", "views")


def prepare(increments: pl.LazyFrame, posts: pl.LazyFrame) -> pl.LazyFrame:
    """Each hour that had any engagement event, oldest first, sums never below 0.

    ``posted`` says whether the KOL posted in it or in the hour before, ``late`` whether it is in the later half of
    those hours.
    """
    at = posts.select("kol_id", hour=pl.col("event_time").dt.truncate("1h"))
    after = pl.concat([at, at.with_columns(pl.col("hour") + timedelta(hours=1))]).unique()
    hours = increments.group_by("kol_id", "hour").agg(pl.col(*_SUMS).sum().clip(lower_bound=0))
    hours = hours.join(after.with_columns(posted=pl.lit(value=True)), on=["kol_id", "hour"], how="left")
    return hours.sort("kol_id", "hour").with_columns(
        pl.col("posted").fill_null(value=False),
        late=pl.int_range(pl.len()).over("kol_id") * 2 >= pl.len().over("kol_id"),
        clock=pl.col("hour").dt.hour(),
    )


_ENGAGEMENT = pl.col("engagement")
_OF_DAY = [_ENGAGEMENT.filter(pl.col("clock") == h).sum() for h in range(24)]
_RATE = (_ENGAGEMENT / pl.col("impressions")).filter(pl.col("impressions") > 0)
_STEP = (pl.col("impressions") + 1).log().diff().abs()
_POSTED, _QUIET = _ENGAGEMENT.filter("posted").mean(), _ENGAGEMENT.filter(~pl.col("posted")).mean()


def _feature(name: str, unit: str, high: float | None, rule: str, doc: str, expr: pl.Expr) -> Feature:
    return Feature(name, unit, 0, high, SOURCE, rule, doc, expr)


FEATURES = (
    _feature(
        "engagement_peak_share", "share", 1, "no engagement", "The busiest hour's engagement over all.",
        share(_ENGAGEMENT.max(), _ENGAGEMENT.sum()),
    ),
    _feature(
        "engagement_hour_variation", "ratio", None, "fewer than two hours with events, or no engagement",
        "Unevenness of active hours.",
        variation(_ENGAGEMENT.cast(pl.Float64)),
    ),
    _feature(
        "engagement_night_share", "share", 1, "no engagement", "Engagement from midnight to six in Vietnam over all.",
        share(_ENGAGEMENT.filter(pl.col("clock").is_in(NIGHT_UTC)).sum(), _ENGAGEMENT.sum()),
    ),
    _feature(
        "engagement_day_evenness", "share", 1, "no engagement",
        "Evenness of engagement over the 24 hours of the day: people sleep, machines do not.",
        entropy(pl.concat_list(_OF_DAY).explode(), 24),
    ),
    _feature(
        "engagement_hour_echo", "correlation", 1, "fewer than three hours with events, or all alike",
        "Correlation of an hour's engagement with the active hour before it, from 0: negative counts as none.",
        pl.corr(_ENGAGEMENT, _ENGAGEMENT.shift(1)).fill_nan(None).clip(0.0, 1.0),
    ),
    _feature(
        "engagement_evening_distance", "h", 12, "no engagement, or as much at opposite hours",
        "Hours between the middle of the audience's day and 20:00 in Vietnam.",
        clock_distance(mean_clock(pl.col("clock"), _ENGAGEMENT), pl.lit(EVENING_UTC)),
    ),
    _feature(
        "engagement_late_share", "share", 1, "no engagement",
        "Engagement of the later half of the active hours over all: an account that woke up has nearly all there.",
        share(_ENGAGEMENT.filter("late").sum(), _ENGAGEMENT.sum()),
    ),
    _feature(
        "engagement_rate_variation", "ratio", None, "fewer than two hours with impressions, or no engagement in them",
        "Unevenness of the hourly engagement rate: what is delivered in batches needs no impressions.",
        variation(_RATE),
    ),
    _feature(
        "engagement_rate_peak", "ratio", None, "no engagement in an hour with impressions",
        "The highest hourly engagement rate over the mean of all hours.", share(_RATE.max(), _RATE.mean()),
    ),
    _feature(
        "comment_ratio_variation", "ratio", None, "fewer than two hours with likes, or no comments in them",
        "Unevenness of comments a like from hour to hour: what people do goes together.",
        variation((pl.col("comments") / pl.col("likes")).filter(pl.col("likes") > 0)),
    ),
    _feature(
        "view_ratio_variation", "ratio", None, "fewer than two hours with impressions, or no views in them",
        "Unevenness of views an impression from hour to hour.",
        variation((pl.col("views") / pl.col("impressions")).filter(pl.col("impressions") > 0)),
    ),
    _feature(
        "impression_step_mean", "ln ratio", None, "fewer than two hours with events",
        "Mean change of impressions from one active hour to the next, up or down.", _STEP.mean(),
    ),
    _feature(
        "post_response", "ratio", None, "no active hour with a post in it or before it, or no engagement in others",
        "Engagement of the hours of a post and after it over that of other hours.", share(_POSTED, _QUIET),
    ),
    _feature(
        "silent_hour_share", "share", 1, "no engagement event", "Hours without a reaction over those observed.",
        (_ENGAGEMENT == 0).mean(),
    ),
)  # fmt: skip
