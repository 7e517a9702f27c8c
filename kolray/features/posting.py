"""Features of the KOL's own rhythm: from ``post`` events."""

from __future__ import annotations

import polars as pl

from kolray.features.feature import Feature, days_seen, gaps_s, variation

SOURCE = "posts"


def prepare(social: pl.LazyFrame) -> pl.LazyFrame:
    """Posts, oldest first."""
    return social.filter(pl.col("event_type") == "post")


FEATURES = (
    Feature(
        "posts_per_day", "1/day", 0, None, SOURCE, "no post",
        "Posts a day since the first seen.", pl.len() / days_seen(),
    ),
    Feature(
        "post_gap_variation", "ratio", 0, None, SOURCE, "fewer than three posts",
        "Unevenness of the time between posts.", variation(gaps_s()),
    ),
    Feature(
        "post_gap_median", "s", 0, None, SOURCE, "fewer than two posts", "Median time between posts.", gaps_s().median()
    ),
    Feature(
        "caption_length_mean", "characters", 0, None, SOURCE, "no text", "Mean length of a post's text.",
        pl.col("text").str.len_chars().cast(pl.Float64).mean(),
    ),
)  # fmt: skip
