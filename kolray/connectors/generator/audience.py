"""What single people do in one hour: comments under posts, visits of tracked pages."""

from __future__ import annotations

import numpy as np
import polars as pl

from kolray.connectors.generator.activity import event_frame
from kolray.connectors.generator.cohort import HOUR_MS, Hour, Ints
from kolray.connectors.generator.texts import write_comments

MOST_COMMENTS = 12
"""Comments of a KOL in an hour: the platforms return pages, not everything."""
_FANS, _MARKET = 1 << 50, 1 << 51
"""Where the numbers of known authors begin; those of strangers lie below."""


def comments(hour: Hour) -> pl.DataFrame:
    """A sample of the comments."""
    cohort, rng = hour.cohort, hour.rng
    course = cohort["clockless"] + (1 - cohort["clockless"]) * hour.seasonal
    expected = 0.4 * cohort["active"] * course * hour.awake * hour.boost**0.5 * (1 + 2 * (hour.post_ms >= 0))
    index = np.repeat(np.arange(hour.n), np.minimum(MOST_COMMENTS, rng.poisson(expected)))
    n = len(index)

    def chance(trait: str) -> np.ndarray:
        return rng.random(n) < cohort[trait][index]

    moment = cohort.is_kind("news_moment")[index] & (hour.since[index] >= 0) & (hour.since[index] < 24)
    stranger = chance("foreign") | (moment & (rng.random(n) < 2 * cohort["event_size"][index]))
    language = np.where((cohort["language"][index] == "vi") ^ stranger, "vi", "en")
    mood = np.where(rng.random(n) < 0.25, 0, np.where(chance("mood"), 1, -1))
    joined = cohort.is_kind("giveaway")[index] & (hour.since[index] >= 0) & (hour.since[index] < 30)
    styles = {name: chance(name) for name in ("emoji", "copies", "generic", "spam", "plain", "long")}
    styles["joined"] = joined & (rng.random(n) < 2 * cohort["event_size"][index])
    text = write_comments(rng, language, mood, styles, cohort["index"][index])
    return event_frame(hour, index, "comment", _comment_times(hour, index)).with_columns(
        text=text, lang=pl.Series(language), author_id=pl.format("a{}", pl.Series(_authors(hour, index)))
    )


def _comment_times(hour: Hour, index: Ints) -> Ints:
    """Ms into the hour: any time, soon after the post, or within seconds of others."""
    cohort, rng, n = hour.cohort, hour.rng, len(index)
    at = rng.integers(0, HOUR_MS, n)
    post = hour.post_ms[index]
    soon = (post >= 0) & (rng.random(n) < cohort["prompt"][index])
    at = np.where(soon, np.minimum(post + rng.exponential(180_000, n), HOUR_MS - 1).astype(np.int64), at)
    centre = rng.integers(0, HOUR_MS - 30_000, hour.n)[index]
    burst = rng.random(n) < cohort["bursts"][index]
    return np.where(burst, centre + rng.integers(0, 20_000, n), at)


def _authors(hour: Hour, index: Ints) -> Ints:
    """Fans of the KOL, the cohort's market of authors who write to many, or strangers."""
    cohort, rng, n = hour.cohort, hour.rng, len(index)
    fan = (cohort["fans"][index] * rng.random(n) ** 1.5).astype(np.int64) + 1
    author = np.where(
        rng.random(n) < cohort["loyal"][index],
        _FANS + cohort["index"][index] * 65_536 + fan,
        rng.integers(0, 1 << 40, n),
    )
    pool = max(12, hour.n // 4)
    market = _MARKET + cohort.number * 65_536 + rng.integers(0, pool, n)
    return np.where(rng.random(n) < cohort["market"][index], market, author)


def web(hour: Hour) -> pl.DataFrame:
    """Tracked page hits of the KOLs whose campaigns run: impressions, clicks, conversions."""
    cohort, rng = hour.cohort, hour.rng
    running = cohort.campaigns["index"][hour.running]
    per = np.log10(cohort["followers"][running]) * (hour.seasonal * hour.boost)[running] * 0.5
    which = np.repeat(np.arange(len(running)), rng.poisson(per))
    index, n = running[which], len(which)
    draw, sale, click = rng.random(n), cohort["web_sale"][index], cohort["web_click"][index]
    kind = np.where(draw < sale, "conversion", np.where(draw < sale + click, "click", "impression")).astype(str)
    again = rng.random(n) < cohort["web_repeat"][index]
    visitor = np.where(
        again, _FANS + cohort["index"][index] * 65_536 + rng.integers(0, 15, n), rng.integers(0, 1 << 40, n)
    )
    centre = rng.integers(0, HOUR_MS - 120_000, hour.n)[index]
    at_once = (kind == "click") & (rng.random(n) < cohort["web_beat"][index])
    ms = np.where(at_once, centre + rng.integers(0, 90_000, n), rng.integers(0, HOUR_MS, n))
    value = np.where(kind == "conversion", np.round(rng.gamma(2.0, 15.0, n), 2), np.nan)
    return (
        event_frame(hour, index, "impression", ms)
        .drop("post_id", "platform")
        .with_columns(
            event_type=pl.Series(kind, dtype=pl.String),
            campaign_id=pl.Series(cohort.campaigns["id"][hour.running][which].tolist(), dtype=pl.String),
            value=pl.Series(value).fill_nan(None),
            currency=pl.when(pl.Series(kind, dtype=pl.String) == "conversion").then(pl.lit("USD")),
            visitor=pl.format("v{}", pl.Series(visitor)),
            consent=pl.Series(rng.random(n) < cohort["web_consent"][index]),
            url=pl.lit("https://shop.example/landing"),
        )
    )
