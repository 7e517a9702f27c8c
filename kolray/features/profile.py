"""Features of the account and its followers: from ``profile`` events."""

from __future__ import annotations

import polars as pl

from kolray.features.feature import DAY, HOUR, Feature, share, variation

SOURCE = "profile"
_STEPS = "fewer than two profile events with followers, or none left"


def prepare(social: pl.LazyFrame) -> pl.LazyFrame:
    """Profile events, oldest first."""
    return social.filter(pl.col("event_type") == "profile")


def _last(column: str) -> pl.Expr:
    return pl.col(column).drop_nulls().last()


def _steps(column: str = "followers") -> pl.Expr:
    return pl.col(column).drop_nulls().diff().drop_nulls().cast(pl.Float64)


def _velocity(part: pl.Expr, at: pl.Expr) -> pl.Expr:
    """Change per hour over some consecutive observations."""
    return share((part.last() - part.first()).cast(pl.Float64), (at.last() - at.first()) * HOUR)


_KNOWN = pl.col("followers").is_not_null()
_SEEN = pl.col("followers").filter(_KNOWN)
_AT = pl.col("event_time").dt.epoch("ms").filter(_KNOWN)
_HALF = _SEEN.len() // 2
_AGE_DAYS = (pl.col("as_of").first() - _last("account_created_at")).dt.total_milliseconds().clip(lower_bound=0) * DAY
_UP = _steps().clip(lower_bound=0)
_DOWN = (-_steps()).clip(lower_bound=0)
_EARLY = _velocity(_SEEN.head(_HALF + 1), _AT.head(_HALF + 1))
_LATE = _velocity(_SEEN.slice(_HALF), _AT.slice(_HALF))


def _feature(
    name: str, unit: str, low: float | None, high: float | None, rule: str, doc: str, expr: pl.Expr
) -> Feature:
    return Feature(name, unit, low, high, SOURCE, rule, doc, expr)


FEATURES = (
    _feature("followers", "accounts", 0, None, "followers unknown", "Followers last seen.", _last("followers")),
    _feature(
        "following", "accounts", 0, None, "whom it follows unknown",
        "Accounts followed, last seen.", _last("following"),
    ),
    _feature("posts_total", "posts", 0, None, "posts unknown", "Posts of the account, last seen.", _last("posts")),
    _feature(
        "followers_per_following", "ratio", 0, None, "followers unknown, or follows nobody",
        "Followers for each account followed.",
        share(_last("followers"), _last("following")),
    ),
    _feature("account_age_days", "days", 0, None, "creation time unknown", "Age of the account at as_of.", _AGE_DAYS),
    _feature(
        "verified", "0 or 1", 0, 1, "verification unknown", "The platform verified the account.",
        _last("verified").cast(pl.Float64),
    ),
    _feature(
        "followers_per_age_day", "accounts/day", 0, None, "followers unknown, or age unknown or 0",
        "Followers for each day of the account.",
        share(_last("followers"), _AGE_DAYS),
    ),
    _feature(
        "posts_per_age_day", "posts/day", 0, None, "posts unknown, or age unknown or 0",
        "Posts for each day of the account.",
        share(_last("posts"), _AGE_DAYS),
    ),
    _feature(
        "followers_per_post", "accounts/post", 0, None, "followers unknown, or no posts",
        "Followers for each post of the account.",
        share(_last("followers"), _last("posts")),
    ),
    _feature(
        "follower_velocity", "share/h", None, None, "fewer than two times with followers, or none left",
        "Growth of followers per hour over those last seen.",
        share(_velocity(_SEEN, _AT), _last("followers")),
    ),
    _feature(
        "follower_acceleration",
        "share/h", None, None, "a half of the profile events with followers of less than two times, or none left",
        "Growth per hour in the later half less that in the earlier half, over the followers last seen.",
        share(_LATE - _EARLY, _last("followers")),
    ),
    _feature(
        "follower_jump_max", "share", 0, None, _STEPS,
        "Largest gain between two observations over followers last seen.",
        share(_UP.max(), _last("followers")),
    ),
    _feature(
        "follower_jump_share", "share", 0, 1, "followers never grew", "Largest gain over all gains: 1 = all in one go.",
        share(_UP.max(), _UP.sum()),
    ),
    _feature(
        "follower_drop_max", "share", 0, None, _STEPS,
        "Largest loss between two observations over followers last seen.",
        share(_DOWN.max(), _last("followers")),
    ),
    _feature(
        "follower_loss_share", "share", 0, 1, "followers never changed", "Losses over all changes.",
        share(_DOWN.sum(), _DOWN.sum() + _UP.sum()),
    ),
    _feature(
        "follower_gain_variation", "ratio", 0, None, "fewer than two gains of followers",
        "Unevenness of gains between observations.", variation(_steps().filter(_steps() > 0)),
    ),
    _feature(
        "following_velocity", "share/day", None, None, "fewer than two times with followers, or follows nobody",
        "Growth of accounts followed per day over those followed.",
        share(24.0 * _velocity(pl.col("following").filter(_KNOWN), _AT), _last("following")),
    ),
    _feature(
        "following_churn", "share", 0, None, "whom it follows unknown, or follows nobody",
        "All changes of accounts followed over those followed.",
        share(_steps("following").abs().sum(), _last("following")),
    ),
)  # fmt: skip
