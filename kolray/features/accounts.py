"""Features of an account as a table describes it once, without events: ONE definition for training, scoring and files.

``COLUMNS`` are the canonical columns of an account table; any may be absent. Further numeric columns are features under
their own names.
"""

from __future__ import annotations

import polars as pl

from kolray.features.feature import Feature, share

SOURCE = "account"
COUNTS = (
    "username_length", "username_digits", "name_length", "followers", "following", "posts", "likes_given", "lists",
    "account_age_days", "bio_length",
)  # fmt: skip
"""Canonical numbers: 0 and up."""
FLAGS = ("verified", "has_profile_image", "private", "has_url", "default_profile")
"""Canonical truth values, as 0 or 1."""
TEXTS = ("platform", "account_id", "username", "name", "bio")
COLUMNS = (*TEXTS, *COUNTS, *FLAGS, "label")


def _count(name: str, unit: str, doc: str) -> Feature:
    return Feature(name, unit, 0, None, SOURCE, "not in the table", doc, pl.col(name))


def _flag(name: str, doc: str) -> Feature:
    return Feature(name, "0 or 1", 0, 1, SOURCE, "not in the table", doc, pl.col(name))


def _ratio(name: str, unit: str, rule: str, doc: str, expr: pl.Expr, high: float | None = None) -> Feature:
    return Feature(name, unit, 0, high, SOURCE, rule, doc, expr)


def _or_of_text(count: str, text: str) -> pl.Expr:
    """A length given as a number, else that of the text."""
    return pl.coalesce(pl.col(count), pl.col(text).str.len_chars().cast(pl.Float64))


def _in_name(pattern: str) -> pl.Expr:
    return pl.col("username").str.count_matches(pattern).cast(pl.Float64)


_LENGTH = _or_of_text("username_length", "username")
_DIGITS = pl.coalesce(pl.col("username_digits"), _in_name(r"[0-9]"))
_DAYS = pl.max_horizontal(pl.col("account_age_days"), pl.lit(1.0) + 0.0 * pl.col("account_age_days"))
_BIO = _or_of_text("bio_length", "bio")
_NO_TEXT = "no text of the username"
_SIGNS = ((_BIO > 0), (pl.col("has_profile_image") > 0), (pl.col("has_url") > 0), (pl.col("posts") > 0))

FEATURES: tuple[Feature, ...] = (
    _count("followers", "accounts", "Followers."),
    _count("following", "accounts", "Accounts followed."),
    _count("posts", "posts", "Posts of the account."),
    _count("likes_given", "likes", "Likes the account gave to others."),
    _count("lists", "lists", "Public lists that hold the account."),
    _count("account_age_days", "days", "Age of the account when the table was made."),
    _flag("verified", "The platform verified the account."),
    _flag("has_profile_image", "It has a picture of its own."),
    _flag("private", "Only followers see its posts."),
    _flag("has_url", "Its profile links to a page."),
    _flag("default_profile", "Its profile looks as the platform made it."),
    _ratio("username_length", "characters", "no username", "Length of the username.", _LENGTH),
    _ratio("username_digits", "digits", "no username", "Digits in the username.", _DIGITS),
    _ratio("username_digit_share", "share", "no username", "Digits over the username's length.",
           share(_DIGITS, _LENGTH)),
    _ratio("username_tail_digits", "digits", _NO_TEXT, "Digits at the username's end: names made by the number.",
           pl.col("username").str.extract(r"([0-9]*)$").str.len_chars().cast(pl.Float64)),
    _ratio("username_signs", "characters", _NO_TEXT, "Characters that are neither letters nor digits.",
           _in_name(r"[^\p{L}0-9]")),
    _ratio("username_vowel_share", "share", _NO_TEXT, "Vowels over the username's length: low for random letters.",
           share(_in_name(r"[aeiouyAEIOUY]"), _LENGTH), 1),
    _ratio("username_case_changes", "changes", _NO_TEXT, "Steps from a small letter to a capital one.",
           _in_name(r"\p{Ll}\p{Lu}")),
    _ratio("name_length", "characters", "no name", "Length of the displayed name.", _or_of_text("name_length", "name")),
    _ratio("name_words", "words", "no text of the name", "Words of the displayed name.",
           pl.col("name").str.count_matches(r"\S+").cast(pl.Float64)),
    _ratio("name_equals_username", "0 or 1", "no text of both", "The displayed name is the username.",
           (pl.col("name").str.to_lowercase() == pl.col("username").str.to_lowercase()).cast(pl.Float64), 1),
    _ratio("bio_length", "characters", "no biography", "Length of the biography.", _BIO),
    _ratio("bio_links", "links", "no text of the biography", "Addresses and handles in the biography.",
           pl.col("bio").str.count_matches(r"https?://|www\.|@\w").cast(pl.Float64)),
    _ratio("followers_per_following", "ratio", "followers or accounts followed unknown",
           "(followers + 1) / (accounts followed + 1): defined also for who follows nobody.",
           (pl.col("followers") + 1) / (pl.col("following") + 1)),
    _ratio("followers_per_post", "accounts/post", "followers or posts unknown", "Followers / (posts + 1).",
           pl.col("followers") / (pl.col("posts") + 1)),
    _ratio("following_per_post", "accounts/post", "accounts followed or posts unknown",
           "Accounts followed / (posts + 1).", pl.col("following") / (pl.col("posts") + 1)),
    _ratio("likes_given_per_post", "ratio", "likes or posts unknown", "Likes given / (posts + 1).",
           pl.col("likes_given") / (pl.col("posts") + 1)),
    _ratio("lists_per_follower", "ratio", "lists or followers unknown", "Lists / (followers + 1).",
           pl.col("lists") / (pl.col("followers") + 1)),
    _ratio("followers_per_day", "accounts/day", "age unknown", "Followers for each day of its age.",
           pl.col("followers") / _DAYS),
    _ratio("following_per_day", "accounts/day", "age unknown", "Accounts followed for each day of its age.",
           pl.col("following") / _DAYS),
    _ratio("posts_per_day", "posts/day", "age unknown", "Posts for each day of its age.", pl.col("posts") / _DAYS),
    _ratio("likes_given_per_day", "likes/day", "age unknown", "Likes given for each day of its age.",
           pl.col("likes_given") / _DAYS),
    _ratio("profile_signs", "signs", "none of the four is known",
           "How many it has of biography, picture, link and posts.",
           pl.when(pl.any_horizontal(sign.is_not_null() for sign in _SIGNS)).then(
               pl.sum_horizontal(sign.cast(pl.Float64) for sign in _SIGNS)), 4),
)  # fmt: skip
FEATURE_NAMES = tuple(feature.name for feature in FEATURES)
TEXT_FEATURES = tuple(name for name in FEATURE_NAMES if name.startswith(("username_", "name_", "bio_")))
"""What the account says of itself."""
_TYPES: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(TEXTS, pl.String),
    **dict.fromkeys((*COUNTS, *FLAGS), pl.Float64),
}


def account_features(table: pl.DataFrame) -> pl.DataFrame:
    """``kol_id`` (the account's id), every feature of ``FEATURES`` and the table's further numeric columns.

    Args:
        table: canonical columns as ``kolray.connectors.accounts`` reads them; accounts without an id are named by
            their row, from ``row 1``. Absent columns are null.
    """
    absent = {name: dtype for name, dtype in _TYPES.items() if name not in table.columns}
    whole = table.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in absent.items())
    known = {*COLUMNS, *FEATURE_NAMES, "fake_share"}  # which is an answer, as the label is
    further = [n for n, t in table.schema.items() if n not in known and (t.is_numeric() or t == pl.Boolean)]
    row = pl.format("row {}", pl.int_range(1, pl.len() + 1))
    return whole.select(
        pl.coalesce("account_id", row).alias("kol_id"),
        *(feature.expr.cast(pl.Float64).alias(feature.name) for feature in FEATURES),
        *(pl.col(name).cast(pl.Float64) for name in further),
    )
