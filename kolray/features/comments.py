"""Features of comments and who writes them: from ``comment`` events."""

from __future__ import annotations

import polars as pl

from kolray.features.feature import SECOND, Feature, days_seen, gaps_s, share, variation
from kolray.features.hours import NIGHT_UTC
from kolray.features.posting import main_language
from kolray.features.spam import ADVERTISING, PRAISE

SOURCE = "comments"
_NONE = "no comment"
QUICK_S = 2.0
SHARED_BY = 3
BURST_S = 30.0
PROMPT_S, AFTER_POST_S = 600.0, 3600.0


def prepare(social: pl.LazyFrame, posts: pl.LazyFrame) -> pl.LazyFrame:
    """Comments with what their text shows, who wrote it and how long after the newest post.

    ``said``: the text in one spelling; ``advertises``, ``praises``, ``no_words`` and ``plain`` (Vietnamese without a
    diacritic): signs of the text; ``author_kols``: KOLs the author writes to (null: unknown), ``hour_kols``: those in
    the same hour; ``author_days``: days on which the author wrote to this one; ``own_lang``: the KOL's language;
    ``after_post_s``: seconds since the KOL's newest post.
    """
    comments = social.filter(pl.col("event_type") == "comment")
    said = comments.select(pl.col("text").unique().drop_nulls()).with_columns(  # a text is often said more than once
        said=pl.col("text").str.to_lowercase().str.strip_chars(), **_signs(pl.col("text"))
    )
    several = pl.col("kol_id").n_unique() > 1  # of one KOL alone nobody can say who else its authors write to
    authors = comments.group_by("author_id").agg(author_kols=pl.col("kol_id").n_unique())
    authors = authors.join(comments.select(several=several), how="cross").filter("several").drop("several")
    hour = pl.col("event_time").dt.truncate("1h")
    together = comments.group_by("author_id", hour=hour).agg(hour_kols=pl.col("kol_id").n_unique())
    days = comments.group_by("kol_id", "author_id").agg(author_days=pl.col("event_time").dt.date().n_unique())
    newest = posts.select("kol_id", "event_time", posted_at="event_time").sort("event_time")
    return (
        comments.join(said, on="text", how="left", maintain_order="left")
        .join(authors, on="author_id", how="left", maintain_order="left")
        .join(days, on=["kol_id", "author_id"], how="left", maintain_order="left")
        .join(together, left_on=["author_id", hour], right_on=["author_id", "hour"], how="left", maintain_order="left")
        .join(main_language(posts), on="kol_id", how="left", maintain_order="left")
        .sort("event_time", maintain_order=True)
        .join_asof(newest, on="event_time", by="kol_id", check_sortedness=False)
        .sort("kol_id", "event_time", maintain_order=True)
        .with_columns(
            plain=pl.when(pl.col("lang") == "vi").then("plain"),
            after_post_s=(pl.col("event_time") - pl.col("posted_at")).dt.total_milliseconds() * SECOND,
        )
    )


def _signs(text: pl.Expr) -> dict[str, pl.Expr]:
    return {
        "advertises": text.str.contains(ADVERTISING),
        "praises": text.str.contains(PRAISE),
        "no_words": ~text.str.contains(r"[\p{L}\p{N}]") & text.str.contains(r"\S"),
        "plain": ~text.str.contains("[À-ỹ]"),
    }


_TEXTS = pl.col("said").drop_nulls()
_MOODS = pl.col("sentiment").drop_nulls().cast(pl.Float64)
_AUTHORS = pl.col("author_id").drop_nulls()
_AFTER = pl.col("after_post_s").filter(pl.col("after_post_s") < AFTER_POST_S)
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
        "audience_overlap", "share", 0, 1, "no author known, or comments of one KOL alone at hand",
        f"Comments by authors who write to at least {SHARED_BY} KOLs.",
        (pl.col("author_kols") >= SHARED_BY).filter(pl.col("author_id").is_not_null()).mean(),
    ),
    _feature(
        "audience_overlap_hour", "share", 0, 1, "no author known, or comments of one KOL alone at hand",
        "Comments by authors who write to another KOL in the same hour.",
        (pl.col("hour_kols") > 1).filter(pl.col("author_kols").is_not_null()).mean(),
    ),
    _feature("comment_length_mean", "characters", 0, None, "no text", "Mean length of a comment.", _LENGTH.mean()),
    _feature(
        "comment_length_variation", "ratio", 0, None, "fewer than two texts", "Unevenness of the lengths.",
        variation(_LENGTH),
    ),
    _feature(
        "comment_gap_variation", "ratio", 0, None, "fewer than three comments, or all at once",
        "Unevenness of the time between comments: 0 = a machine.",
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
        "comment_burst_share", "share", 0, 1, "fewer than two comments",
        f"Comments within {BURST_S:g} s of the one before.", (gaps_s() < BURST_S).mean(),
    ),
    _feature(
        "comment_prompt_share", "share", 0, 1, "no comment within an hour of a post",
        "Comments within ten minutes of a post over those within an hour.", (_AFTER < PROMPT_S).mean(),
    ),
    _feature(
        "comment_night_share", "share", 0, 1, _NONE, "Comments from midnight to six in Vietnam over all.",
        pl.col("event_time").dt.hour().is_in(NIGHT_UTC).mean(),
    ),
    _feature(
        "comment_foreign_share", "share", 0, 1, "language of the posts or of the comments unknown",
        "Comments in another language than that of the KOL's posts.",
        (pl.col("lang") != pl.col("own_lang")).mean(),
    ),
    _feature(
        "comment_plain_share", "share", 0, 1, "no comment in Vietnamese with a text",
        "Vietnamese comments without a diacritic.",
        pl.col("plain").mean(),
    ),
    _feature(
        "comment_praise_share", "share", 0, 1, "no text", "Comments that are nothing but praise that fits any post.",
        pl.col("praises").mean(),
    ),
    _feature(
        "comment_wordless_share", "share", 0, 1, "no text", "Comments without a letter or digit.",
        pl.col("no_words").mean(),
    ),
    _feature(
        "author_return_share", "share", 0, 1, "no author known", "Comments by authors who wrote on more than one day.",
        (pl.col("author_days") > 1).filter(pl.col("author_id").is_not_null()).mean(),
    ),
    _feature(
        "sentiment_change", "share", -1, 1, "fewer than two comments with a sentiment",
        "Mean sentiment of the later half of the comments less that of the earlier, halved.",
        (_MOODS.slice(_MOODS.len() // 2).mean() - _MOODS.head(_MOODS.len() // 2).mean()) / 2,
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
