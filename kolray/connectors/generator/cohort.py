"""The KOLs of a cohort through the hours: what carries over from one hour to the next, and what holds in one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from kolray.clock import to_ms
from kolray.connectors.generator.signs import Floats
from kolray.connectors.generator.world import World

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HOUR_MS = 3_600_000
EVENTS = 1
"""The stream of random numbers that events are drawn from."""
AFTERGLOW_H = 3.0
"""Hours in which what a post adds falls to a third."""


class Cohort:
    """Traits as arrays (``cohort["rate"]``) and the state that hours move: followers, followed, posts, the last post.

    Hours must be taken in order. Nothing in it depends on other cohorts.
    """

    def __init__(self, world: World, number: int) -> None:
        members = world.config.members(number)
        rows = world.traits.filter(pl.col("index").is_between(members.start, members.stop - 1))
        self.config, self.number, self.n = world.config, number, rows.height
        self.kol_id, self.platform = rows["kol_id"], rows["platform"]
        self._traits = {name: rows[name].to_numpy() for name in rows.columns}
        self.followers = self["followers"].astype(float)
        self.following = self["following_size"].copy()
        self.posts = self["history"].astype(np.int64)
        self.last_post = -np.random.default_rng([world.config.seed, EVENTS, number]).uniform(1, 24, self.n)
        mine = world.campaigns.join(rows.select("kol_id", "index"), on="kol_id", maintain_order="left")
        self.campaigns = {
            "index": mine["index"].to_numpy() - members.start,
            "id": mine["campaign_id"].to_numpy(),
            "lift": mine["lift"].to_numpy(),
            **{
                side: (mine[side].dt.epoch("ms").to_numpy() - to_ms(self.config.start)) // HOUR_MS
                for side in ("start", "end")
            },
        }

    def __getitem__(self, trait: str) -> Any:
        return self._traits[trait]

    def is_kind(self, *kinds: str) -> Bools:
        """Which KOLs are of these kinds."""
        return np.isin(self["kind"], kinds)


class Hour:
    """One hour of a cohort; made in order, since it takes the state on.

    ``seasonal`` is the share of the daily average that the time of day gives (mean 1), ``boost`` what an event or a
    running campaign adds, ``glow`` what is left of the last post's (1: fresh), ``level`` all that moves impressions;
    ``chance`` is that of a post, ``post_ms`` where in the hour it comes, or -1.
    """

    def __init__(self, cohort: Cohort, hour: int) -> None:
        self.cohort, self.hour, self.n = cohort, hour, cohort.n
        self.rng = np.random.default_rng([cohort.config.seed, EVENTS, cohort.number, hour])
        self.at_ms = to_ms(cohort.config.start) + hour * HOUR_MS
        self.since = hour - cohort["event_hour"]
        self.awake = np.where(self.since < 0, 1.0 - cohort["asleep"], 1.0)
        self.turned = cohort.is_kind("hacked_dormant") & (self.since >= 0)
        self.seasonal = self._seasonal()
        self.running = (cohort.campaigns["start"] <= hour) & (cohort.campaigns["end"] > hour)
        self.boost = self._boost()
        self.post_ms = self._post()
        wobble = np.exp(self.rng.normal(0, cohort["wobble"]))
        self.glow = np.exp((cohort.last_post - hour) / AFTERGLOW_H)
        self.level = self.seasonal * self.boost * self.awake * wobble * (1 + cohort["response"] * self.glow)
        self._grow()

    def _seasonal(self) -> Floats:
        start = self.cohort.config.start
        clock = (start.hour + self.hour) % 24
        peak = 13.0 + self.cohort["peak_shift"] + 6.0 * self.turned * self.cohort["asleep"]  # UTC: evening in Vietnam
        weekend = 1.15 if (start.weekday() + self.hour // 24) % 7 >= 5 else 1.0
        return (1 + 0.95 * self.cohort["depth"] * np.cos((clock - peak) / 24 * 2 * np.pi)) * weekend

    def _boost(self) -> Floats:
        cohort, boost = self.cohort, np.ones(self.n)
        for kind, height, hours in (("viral_hit", 15, 8), ("giveaway", 8, 6), ("news_moment", 12, 10)):
            now = cohort.is_kind(kind) & (self.since >= 0)
            boost[now] += height * cohort["event_size"][now] * np.exp(-self.since[now] / hours)
        lifted = self.running
        boost[cohort.campaigns["index"][lifted]] *= 1 + cohort.campaigns["lift"][lifted]
        return boost

    def _post(self) -> Ints:
        """Ms into the hour of each KOL's post, -1 without one; scheduled ones come at the KOL's own minute."""
        cohort, rng = self.cohort, self.rng
        woken = 1 + (cohort["asleep"] > 0) * (self.since >= 0)
        self.chance = np.minimum(0.9, cohort["posts_a_day"] / 24 * self.seasonal * self.awake * woken)
        posting = rng.random(self.n) < self.chance
        at = np.where(
            rng.random(self.n) < cohort["scheduled"],
            cohort["minute"] * 60_000 + rng.integers(0, 20_000, self.n),
            rng.integers(0, HOUR_MS, self.n),
        )
        cohort.posts = cohort.posts + posting
        cohort.last_post = np.where(posting, float(self.hour), cohort.last_post)
        return np.where(posting, at, -1)

    def _grow(self) -> None:
        """Followers won by reach, without it and in one go; those lost; whom the KOL follows."""
        cohort, rng = self.cohort, self.rng
        loose = cohort["loose_growth"]
        won = cohort["growth"] * (loose + (1 - loose) * self.level) * rng.gamma(6.0, 1 / 6.0, self.n)
        lost = cohort["churn"] * rng.gamma(0.3, 1 / 0.3, self.n)
        spread = np.select([self.since == 0, self.since == 1, self.since == 2], [0.6, 0.3, 0.1], 0.0)
        size = cohort["event_size"] * spread
        jump = size * (cohort["bought"] + 0.75 * cohort.is_kind("viral_hit") + 0.5 * cohort.is_kind("giveaway"))
        leaving = 0.004 * cohort["event_size"] * (cohort.is_kind("giveaway") & (self.since > 3))
        cohort.followers = np.maximum(cohort.followers * (1 + (won - lost) / 24 + jump - leaving), 10.0)
        moves = rng.normal(0.1, 1.0, self.n) * cohort["following_moves"]
        cohort.following = np.maximum(cohort.following * (1 + moves), 1.0)
