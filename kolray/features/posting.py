"""Features of the KOL's own rhythm: from ``post`` events."""

from __future__ import annotations

import polars as pl

from kolray.features.feature import Feature, clock_distance, days_seen, gaps_s, mean_clock, share, variation

SOURCE = "posts"


def prepare(social: pl.LazyFrame) -> pl.LazyFrame:
    """Posts, oldest first."""
    return social.filter(pl.col("event_type") == "post")


def main_language(posts: pl.LazyFrame) -> pl.LazyFrame:
    """``kol_id, own_lang``: the language of most posts, of equally frequent ones the first in the alphabet."""
    known = posts.filter(pl.col("lang").is_not_null()).group_by("kol_id", "lang").len()
    ordered = known.sort("kol_id", "len", "lang", descending=[False, True, False])
    return ordered.group_by("kol_id").agg(own_lang=pl.col("lang").first())


_HALF = pl.len() // 2
_LANGUAGES = pl.col("lang").drop_nulls()
_HOUR = pl.col("event_time").dt.hour()
_ONE = pl.lit(1.0)
_CAPTIONS = pl.col("text").drop_nulls()


def _clock(rows: pl.Expr) -> pl.Expr:
    return mean_clock(rows, rows * 0 + _ONE)


FEATURES = (
    Feature(
        "posts_per_day", "1/day", 0, None, SOURCE, "no post",
        "Posts a day since the first seen.", pl.len() / days_seen(),
    ),
    Feature(
        "post_gap_variation", "ratio", 0, None, SOURCE, "fewer than three posts, or all at once",
        "Unevenness of the time between posts.", variation(gaps_s()),
    ),
    Feature(
        "post_gap_median", "s", 0, None, SOURCE, "fewer than two posts", "Median time between posts.", gaps_s().median()
    ),
    Feature(
        "caption_length_mean", "characters", 0, None, SOURCE, "no post with a text", "Mean length of a post's text.",
        pl.col("text").str.len_chars().cast(pl.Float64).mean(),
    ),
    Feature(
        "caption_repetition", "share", 0, 1, SOURCE, "no post with a text", "Posts whose text was used before.",
        1.0 - share(_CAPTIONS.n_unique(), _CAPTIONS.len()),
    ),
    Feature(
        "post_language_mix", "share", 0, 1, SOURCE, "language of the posts unknown",
        "Posts in another than the usual language.",
        1.0 - share(_LANGUAGES.unique_counts().max(), _LANGUAGES.len()),
    ),
    Feature(
        "post_language_change", "share", 0, 1, SOURCE, "fewer than two posts with a language",
        "Posts of the later half in another language than the first post.",
        (_LANGUAGES.slice(_LANGUAGES.len() // 2) != _LANGUAGES.first()).filter(_LANGUAGES.len() > 1).mean(),
    ),
    Feature(
        "post_hour_change", "h", 0, 12, SOURCE, "fewer than four posts, or a half of them at opposite hours",
        "Hours between the middle of the day of the earlier half of the posts and that of the later half.",
        pl.when(pl.len() > 3).then(clock_distance(_clock(_HOUR.head(_HALF)), _clock(_HOUR.slice(_HALF)))),
    ),
    Feature(
        "post_minute_top_share", "share", 0, 1, SOURCE, "no post", "Posts at the most frequent minute of the hour.",
        share(pl.col("event_time").dt.minute().unique_counts().max(), pl.len()),
    ),
)  # fmt: skip
