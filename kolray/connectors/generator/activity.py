"""What KOLs and their audiences do in one stretch of hours, honest or bought; all KOLs at once as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from kolray.connectors.generator.texts import BOT_TEXTS, GIVEAWAY_TEXT, write_comments
from kolray.connectors.generator.world import World

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

HOUR_MS = 3_600_000
POLLED = 0.995
"""Chance that a KOL's hourly poll succeeds."""


class Hour:
    """The state of every KOL in one hour of the world.

    ``seasonal`` is each KOL's share of its daily average (mean 1), ``boost`` what a burst or a running campaign adds.
    """

    def __init__(self, world: World, hour: int, rng: np.random.Generator) -> None:
        t = world.traits
        self.world, self.hour, self.rng = world, hour, rng
        self.n = t.height
        self.at_ms = int(world.config.start.timestamp()) * 1000 + hour * HOUR_MS
        self.kind = t["kind"].to_numpy()
        self.strength = t["strength"].to_numpy()
        clock = (world.config.start.hour + hour) % 24
        phase = np.cos((clock - t["peak_hour"].to_numpy()) / 24 * 2 * np.pi)
        weekend = 1.15 if (world.config.start.weekday() + hour // 24) % 7 >= 5 else 1.0
        self.seasonal = (1 + t["depth"].to_numpy() * phase) * weekend
        self.since = hour - t["event_hour"].to_numpy()
        self.boost = self._boost()

    def of(self, name: str) -> Any:
        """A trait as an array."""
        return self.world.traits[name].to_numpy()

    def is_kind(self, *kinds: str) -> npt.NDArray[np.bool_]:
        """Which KOLs are of these kinds."""
        return np.isin(self.kind, kinds)

    def _boost(self) -> Floats:
        boost = np.ones(self.n)
        viral = self.is_kind("viral_hit") & (self.since >= 0)
        boost[viral] += 6 * self.strength[viral] * np.exp(-self.since[viral] / 8)
        give = self.is_kind("giveaway") & (self.since >= 0)
        boost[give] += 3 * self.strength[give] * np.exp(-self.since[give] / 6)
        for index, lift in self.running_campaigns():
            boost[index] *= 1 + lift
        return boost

    def running_campaigns(self) -> list[tuple[int, float]]:
        """(KOL's index, lift) of campaigns running now."""
        at = self.world.config.start.timestamp() + self.hour * 3600
        running = self.world.campaigns.filter(
            (pl.col("start").dt.epoch("s") <= at) & (pl.col("end").dt.epoch("s") > at)
        )
        indexes = running["kol_id"].str.slice(4).cast(pl.Int64)
        return list(zip(indexes.to_list(), running["lift"].to_list(), strict=True))

    def followers(self) -> Ints:
        """Followers at the end of the hour: growth, bursts that were earned, bursts that were bought."""
        base, days = self.of("followers").astype(float), (self.hour + 1) / 24
        total = base * (1 + self.of("growth") * days)
        after = self.since >= 0
        spread = 1 - np.exp(-np.maximum(self.since, 0) / 2.0 - 0.7)
        jump = np.where(self.is_kind("bought_burst") & after, (0.05 + 0.40 * self.strength) * spread, 0.0)
        jump += np.where(self.is_kind("viral_hit") & after, 0.30 * self.strength * spread, 0.0)
        jump += np.where(self.is_kind("giveaway") & after, 0.15 * self.strength * spread, 0.0)
        drip = np.where(self.is_kind("bought_drip"), (0.004 + 0.03 * self.strength) * days, 0.0)
        return (total + base * (jump + drip)).astype(np.int64)


def engagement(hour: Hour) -> pl.DataFrame:
    """Engagement events: what an hourly poll finds the counts grew by."""
    rng = hour.rng
    index = np.flatnonzero(rng.random(hour.n) < POLLED)
    n = len(index)
    kind, strength = hour.kind[index], hour.strength[index]
    wobble = np.exp(rng.normal(0, hour.of("noise")[index]))
    level = (hour.seasonal * hour.boost)[index] * wobble
    reach = hour.of("followers")[index] * hour.of("reach")[index] / 24
    impressions = np.maximum(1, reach * level).astype(np.int64)
    rate = hour.of("rate")[index]
    likes = rng.poisson(impressions * rate)
    comments = rng.poisson(likes * hour.of("comment_ratio")[index])
    pod = kind == "engagement_pod"
    likes = np.where(pod, likes * (1 + 0.5 * strength), likes).astype(np.int64)
    comments = np.where(pod, comments * (1.3 + 3 * strength), comments).astype(np.int64)
    comments = np.where(kind == "comment_bots", comments * (1.4 + 4 * strength), comments).astype(np.int64)
    views = (impressions * hour.of("view_share")[index] * rng.uniform(0.8, 1.2, n)).astype(np.int64)
    views = np.where(kind == "view_inflation", views * (1.3 + 3 * strength), views).astype(np.int64)
    clicks = rng.poisson(impressions * hour.of("click_rate")[index])
    clicks = np.where(kind == "click_farm", clicks * (1.3 + 3 * strength), clicks).astype(np.int64)
    frame = _event_frame(hour, index, "engagement")
    return frame.with_columns(
        impressions=pl.Series(impressions),
        views=pl.Series(views),
        clicks=pl.Series(clicks),
        likes=pl.Series(likes),
        comments=pl.Series(comments),
        shares=pl.Series(rng.poisson(likes * 0.05)),
        post_id=pl.format("{}-p{}", "kol_id", pl.Series(hour.of("posts")[index] + hour.hour // 12)),
    )


def posts(hour: Hour) -> pl.DataFrame:
    """New posts."""
    chance = np.minimum(0.9, hour.of("posts_a_day") / 24 * hour.seasonal)
    index = np.flatnonzero(hour.rng.random(hour.n) < chance)
    language = hour.of("language")[index]
    text = np.where(language == "vi", "Video mới lên sóng, mọi người xem nhé", "A new video is up, have a look")
    return _event_frame(hour, index, "post").with_columns(
        text=pl.Series(text.astype(str)),
        lang=pl.Series(language.astype(str)),
        post_id=pl.format("{}-p{}", "kol_id", pl.Series(hour.of("posts")[index] + hour.hour // 12)),
    )


def profiles(hour: Hour) -> pl.DataFrame:
    """Profile snapshots: each KOL is polled every six hours."""
    index = np.arange(hour.hour % 6, hour.n, 6)
    created = hour.world.config.start.timestamp() * 1000 - hour.of("age_days")[index] * 86_400_000
    return _event_frame(hour, index, "profile").with_columns(
        followers=pl.Series(hour.followers()[index]),
        following=pl.Series(hour.of("following")[index]),
        posts=pl.Series(hour.of("posts")[index] + (hour.of("posts_a_day")[index] * hour.hour / 24).astype(np.int64)),
        verified=pl.Series(hour.of("verified")[index]),
        account_created_at=pl.Series(created.astype(np.int64)).cast(pl.Datetime("ms", "UTC")),
    )


def comments(hour: Hour) -> pl.DataFrame:
    """A sample of the comments: the platforms return pages, not everything."""
    rng = hour.rng
    expected = 0.30 * hour.of("active") * hour.seasonal * hour.boost**0.5
    bots = hour.is_kind("comment_bots")
    expected = expected * np.where(bots | hour.is_kind("engagement_pod"), 1 + 0.8 * hour.strength, 1.0)
    index = np.repeat(np.arange(hour.n), np.minimum(6, rng.poisson(expected)))
    n = len(index)
    languages = hour.of("language")[index].astype(str)
    mood = np.where(rng.random(n) < 0.25, 0, np.where(rng.random(n) < hour.of("mood")[index], 1, -1))
    text = np.array(write_comments(rng, languages.tolist(), mood.tolist()), dtype=object)
    fan = rng.random(n) < hour.of("fan_share")[index]
    author = np.where(fan, index * 1000 + rng.integers(0, hour.of("fans")[index]), rng.integers(0, 1 << 40, n))
    strength = hour.strength[index]
    botted = np.isin(hour.kind[index], ("comment_bots",)) & (rng.random(n) < 0.05 + 0.6 * strength)
    text[botted] = np.array(BOT_TEXTS, dtype=object)[rng.integers(0, len(BOT_TEXTS), int(botted.sum()))]
    in_pod = np.isin(hour.kind[index], ("engagement_pod",)) & (rng.random(n) < 0.05 + 0.6 * strength)
    author = np.where(botted, index * 1000 + rng.integers(0, 25, n), author)
    author = np.where(in_pod, (index // 10) * 1000 + rng.integers(0, 12, n), author)  # the members comment in turn
    joined = np.isin(hour.kind[index], ("giveaway",)) & (hour.since[index] >= 0) & (rng.random(n) < 0.5)
    text[joined] = [GIVEAWAY_TEXT[language] for language in languages[joined]]
    return _event_frame(hour, index, "comment").with_columns(
        text=pl.Series(text.tolist(), dtype=pl.String),
        lang=pl.Series(languages),
        author_id=pl.format("a{}", pl.Series(author)),
        comments=pl.lit(None, pl.Int64),
        post_id=pl.format("{}-p{}", "kol_id", pl.Series(hour.of("posts")[index] + hour.hour // 12)),
    )


def web(hour: Hour) -> pl.DataFrame:
    """Tracked page hits of the KOLs whose campaigns run: impressions, clicks, conversions."""
    rng = hour.rng
    running = np.array([index for index, _ in hour.running_campaigns()], dtype=np.int64)
    per = np.log10(hour.of("followers")[running]) * (hour.seasonal * hour.boost)[running] * 0.5
    index = np.repeat(running, rng.poisson(per))
    n = len(index)
    farm = np.isin(hour.kind[index], ("click_farm",))
    click = 0.10 + np.where(farm, 0.03 + 0.2 * hour.strength[index], 0.0)
    draw = rng.random(n)
    convert = np.where(farm, 0.001, 0.02)
    kind = np.where(draw < convert, "conversion", np.where(draw < convert + click, "click", "impression"))
    sale = np.where(kind == "conversion", np.round(rng.gamma(2.0, 15.0, n), 2), np.nan)
    visitor = np.where(farm, index * 1000 + rng.integers(0, 15, n), rng.integers(0, 1 << 40, n))
    campaign = dict(hour.world.campaigns.select("kol_id", "campaign_id").iter_rows())
    frame = _event_frame(hour, index, "impression")
    return frame.with_columns(
        event_type=pl.Series(kind),
        campaign_id=pl.col("kol_id").replace_strict(campaign, default="cmp_none", return_dtype=pl.String),
        value=pl.Series(sale).fill_nan(None),
        currency=pl.when(pl.Series(kind) == "conversion").then(pl.lit("USD")),
        visitor=pl.format("v{}", pl.Series(visitor)),
        consent=pl.Series(rng.random(n) < 0.92),
        url=pl.lit("https://shop.example/landing"),
    )


def _event_frame(hour: Hour, index: Ints, event_type: str) -> pl.DataFrame:
    """Identity and time of ``len(index)`` events, in no order yet."""
    at = hour.at_ms + hour.rng.integers(0, HOUR_MS, len(index))
    return pl.DataFrame(
        {
            "kol_id": hour.world.traits["kol_id"].gather(index),
            "platform": hour.world.traits["platform"].gather(index),
            "event_type": [event_type] * len(index),
            "event_time": pl.Series(at),
        },
        schema_overrides={"event_type": pl.String, "event_time": pl.Int64},
    )
