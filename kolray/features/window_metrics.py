"""The integers a pane or window keeps, how they merge, and the ratios derived from them.

ONE definition for the stream, the lake, ``verify`` and serving. All stored columns are integers that merge in any
order, so shards, replays and batch recomputation agree exactly.

Follower numbers are packed with their time: ``(event_time - pane_start) << 41 | followers``, so that the minimum over
a pane holds its first observation and the maximum its last (ties: the smaller first, the larger last).
"""

from __future__ import annotations

import polars as pl

from kolray.events import COUNTS

SOCIAL_SUMS = ("events", *COUNTS, "positive", "negative")
WEB_SUMS = ("web_events", "web_impressions", "web_clicks", "web_conversions")
SUMS = (*SOCIAL_SUMS, *WEB_SUMS)
FOLLOWERS_RANGE = ("followers_min", "followers_max")
FOLLOWERS = ("followers_first", "followers_first_ms", "followers_last", "followers_last_ms", *FOLLOWERS_RANGE)
VISITORS = "unique_visitors"
METRICS = (*SUMS, *FOLLOWERS, VISITORS)
"""Integer columns of a window row. Sums and unique visitors are never null; followers are without an observation.

Unique visitors are the distinct ``visitor`` of web events, whether or not there was consent: a sender without consent
leaves the field empty. Counted by ``kolray.stream.visitors``, exactly below 1,024, else with a standard error of 3 %.
"""

VELOCITY = "follower_velocity_per_hour"
WEB_RATIOS = ("web_ctr", "web_cvr")
RATIOS = ("engagement_rate", "ctr", "sentiment_ratio", VELOCITY, *WEB_RATIOS)

FOLLOWER_BITS = 41


def pack_followers(pane_ms: int) -> pl.Expr:
    """Followers of a social event with their offset in the pane, as one Int64 (pane at most 2^22 ms = 69 min)."""
    at = pl.col("event_time").dt.epoch("ms") % pane_ms
    return at * (1 << FOLLOWER_BITS) + pl.col("followers")


def unpack_followers(packed: pl.Expr, start_ms: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The followers and the time in ms since the epoch of a packed value whose time counts from ``start_ms``."""
    return (packed % (1 << FOLLOWER_BITS)).cast(pl.Int64), (packed // (1 << FOLLOWER_BITS)).cast(pl.Int64) + start_ms


def ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """A ratio that is null, never 0, where the denominator is 0."""
    return numerator / pl.when(denominator > 0).then(denominator)


def ratio_exprs() -> list[pl.Expr]:
    """The derived columns ``RATIOS`` from the columns ``METRICS``.

    ``engagement_rate`` and ``ctr`` from social counts, ``web_ctr`` and ``web_cvr`` from web counts, never mixed;
    ``follower_velocity_per_hour`` = (last - first followers) / hours between the two observations.
    """
    c = pl.col
    hours = (c("followers_last_ms") - c("followers_first_ms")) / 3_600_000
    return [
        ratio(c("likes") + c("comments") + c("shares"), c("impressions")).alias("engagement_rate"),
        ratio(c("clicks"), c("impressions")).alias("ctr"),
        ratio(c("positive"), c("positive") + c("negative")).alias("sentiment_ratio"),
        ratio((c("followers_last") - c("followers_first")).cast(pl.Float64), hours).alias(VELOCITY),
        ratio(c("web_clicks"), c("web_impressions")).alias("web_ctr"),
        ratio(c("web_conversions"), c("web_clicks")).alias("web_cvr"),
    ]
