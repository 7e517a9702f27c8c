"""Features of comments and who writes them: from ``comment`` events."""

from __future__ import annotations

import polars as pl

from kolray.features.feature import Feature, days_seen, gaps_s, share, variation
from kolray.features.spam import ADVERTISING

SOURCE = "comments"
_NONE = "no comment"
_PAIR = "fewer than three comments"
QUICK_S = 2.0
SHARED_BY = 3


def prepare(social: pl.LazyFrame) -> pl.LazyFrame:
    """Comments with ``said`` (text in one spelling), ``advertises`` and ``author_kols`` (KOLs the author writes to)."""
    comments = social.filter(pl.col("event_type") == "comment").with_columns(
        said=pl.col("text").str.to_lowercase().str.strip_chars(),
        advertises=pl.col("text").str.contains(ADVERTISING),
    )
    authors = comments.group_by("author_id").agg(author_kols=pl.col("kol_id").n_unique())
    return comments.join(authors, on="author_id", how="left", maintain_order="left")


_TEXTS = pl.col("said").drop_nulls()
_AUTHORS = pl.col("author_id").drop_nulls()
_LENGTH = pl.col("said").str.len_chars().cast(pl.Float64)


def _feature(name: str, unit: str, low: float, high: float | None, rule: str, doc: str, expr: pl.Expr) -> Feature:
    return Feature(name, unit, low, high, SOURCE, rule, doc, expr)


FEATURES = (
    _feature("comments_per_day", "1/day", 0, None, _NONE, "Comments a day since the first.", pl.len() / days_seen()),
    _feature(
        "comment_repetition", "share", 0, 1, "no text", "Comments whose text was said before.",
        1.0 - share(_TEXTS.n_unique(), _TEXTS.len()),
    ),
    _feature(
        "comment_top_text_share", "share", 0, 1, "no text", "The most frequent text over all comments.",
        share(_TEXTS.unique_counts().max(), _TEXTS.len()),
    ),
    _feature(
        "author_diversity", "share", 0, 1, "no author known", "Distinct authors over comments.",
        share(_AUTHORS.n_unique(), _AUTHORS.len()),
    ),
    _feature(
        "author_top_share", "share", 0, 1, "no author known", "The busiest author's comments over all.",
        share(_AUTHORS.unique_counts().max(), _AUTHORS.len()),
    ),
    _feature(
        "audience_overlap", "share", 0, 1, "no author known",
        f"Comments by authors who write to at least {SHARED_BY} KOLs.",
        (pl.col("author_kols") >= SHARED_BY).filter(pl.col("author_id").is_not_null()).mean(),
    ),
    _feature("comment_length_mean", "characters", 0, None, "no text", "Mean length of a comment.", _LENGTH.mean()),
    _feature(
        "comment_length_variation", "ratio", 0, None, "fewer than two texts", "Unevenness of the lengths.",
        variation(_LENGTH),
    ),
    _feature(
        "comment_gap_variation", "ratio", 0, None, _PAIR, "Unevenness of the time between comments: 0 = a machine.",
        variation(gaps_s()),
    ),
    _feature(
        "comment_gap_median", "s", 0, None, "fewer than two comments", "Median time between comments.",
        gaps_s().median(),
    ),
    _feature(
        "comment_quick_share", "share", 0, 1, "fewer than two comments",
        f"Comments within {QUICK_S:g} s of the one before.",
        (gaps_s() < QUICK_S).mean(),
    ),
    _feature(
        "sentiment_positive_share", "share", 0, 1, "sentiment unknown", "Positive comments over all.",
        (pl.col("sentiment") > 0).mean(),
    ),
    _feature(
        "sentiment_negative_share", "share", 0, 1, "sentiment unknown", "Negative comments over all.",
        (pl.col("sentiment") < 0).mean(),
    ),
    _feature(
        "spam_share", "share", 0, 1, "no text", "Comments that advertise or trade follows.",
        pl.col("advertises").mean(),
    ),
)  # fmt: skip
