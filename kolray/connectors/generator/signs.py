"""What KOLs and audiences are like, honest or bought: every trait, what fraud does to it, and how much of that.

A trait is drawn as ``map(centre + spread * z)`` with ``z`` standard normal among the honest. Fraud moves ``z``: each
cheat shows some of the signs (whoever sells fake audiences leaves traces of his own), all of them in the same direction
whatever the type, and the signs of its type more. So no sign is fraud's own, and what tells is their sum.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from kolray.connectors.generator.config import Difficulty

Floats = npt.NDArray[np.float64]


class Level(NamedTuple):
    """Strength of fraud at a difficulty, in standard deviations of honest behaviour where not said otherwise.

    ``shift``: how far a sign that shows is moved by a whole cheat; ``shown``: chance that it shows; ``own``: what a
    type's own signs are moved on top; ``event``: size of a jump, as a share of the followers; ``asleep``: how deep a
    dormant account sleeps, 0–1; ``lookalikes``: part of the honest.
    """

    shift: float
    shown: float
    own: float
    event: float
    asleep: float
    lookalikes: float


LEVELS: dict[Difficulty, Level] = {
    "easy": Level(2.4, 0.7, 2.5, 0.6, 0.97, 0.05),
    "standard": Level(2.0, 0.6, 2.0, 0.4, 0.9, 0.1),
    "hard": Level(1.35, 0.55, 0.7, 0.05, 0.5, 0.15),
}


class Sign(NamedTuple):
    """A trait: ``scale`` maps the normal to the trait; ``toward`` is where fraud moves it (0: either side)."""

    scale: Literal["log", "logit", "plain"]
    centre: float
    spread: float
    toward: int


SIGNS: dict[str, Sign] = {
    # reactions, counted by the hour
    "rate": Sign("log", -3.1, 0.45, -1),  # likes an impression
    "reach": Sign("log", -0.5, 0.4, -1),  # impressions a follower and day
    "depth": Sign("logit", 0.85, 0.6, -1),  # how much of the day's course activity follows
    "peak_shift": Sign("plain", 0.0, 2.2, 0),  # hours from the evening
    "wobble": Sign("log", -2.0, 0.35, 0),  # noise from hour to hour
    "batches": Sign("log", -1.6, 0.5, 1),  # likes delivered in one go, over the hour's own
    "loose_comments": Sign("log", -1.3, 0.4, 1),  # noise of comments beside likes
    "loose_views": Sign("log", -1.9, 0.4, 1),  # noise of views beside impressions
    "comment_ratio": Sign("log", -2.5, 0.45, 0),  # comments a like
    "share_ratio": Sign("log", -3.0, 0.45, -1),  # shares a like
    "view_share": Sign("log", -0.7, 0.3, 0),  # views an impression
    "click_rate": Sign("log", -3.9, 0.45, 0),  # clicks an impression
    "taken_back": Sign("log", -4.0, 0.5, 1),  # corrections an hour
    "response": Sign("log", -0.5, 0.4, -1),  # what a new post adds to the hour
    # followers and the account
    "growth": Sign("log", -6.0, 0.6, 1),  # of the followers a day
    "loose_growth": Sign("logit", -1.0, 0.8, 1),  # part of the growth that reach does not explain
    "churn": Sign("log", -6.9, 0.6, 1),  # of the followers a day
    "following_size": Sign("log", 5.6, 0.8, 1),
    "following_moves": Sign("log", -6.2, 0.6, 1),  # of the followed an hour
    "age": Sign("log", 6.9, 0.6, 0),  # days
    "history": Sign("log", 5.5, 0.8, 0),  # posts
    # the KOL's own rhythm
    "posts_a_day": Sign("log", 0.4, 0.5, 0),
    "scheduled": Sign("logit", -1.2, 0.8, 1),  # posts at a fixed minute
    "same_caption": Sign("logit", -1.6, 0.7, 1),
    # comments
    "mood": Sign("logit", 0.75, 0.6, 1),  # positive ones of those with an opinion
    "generic": Sign("logit", -2.2, 0.7, 1),
    "copies": Sign("logit", -2.6, 0.7, 1),
    "emoji": Sign("logit", -2.6, 0.7, 1),
    "spam": Sign("logit", -4.0, 0.7, 1),
    "foreign": Sign("logit", -2.6, 0.7, 1),  # in another language than the KOL's
    "plain": Sign("logit", -0.7, 0.5, 1),  # Vietnamese without diacritics
    "long": Sign("logit", -0.4, 0.5, -1),
    "fans": Sign("log", 4.2, 0.7, -1),  # authors who come again and again
    "loyal": Sign("logit", -1.0, 0.6, 1),  # comments by those
    "market": Sign("logit", -3.2, 0.7, 1),  # comments by authors who write to many KOLs
    "prompt": Sign("logit", -1.4, 0.6, 1),  # comments within minutes of a post
    "bursts": Sign("logit", -2.4, 0.7, 1),  # comments within seconds of one another
    "clockless": Sign("logit", -1.2, 0.7, 1),  # comments that do not follow the day's course
    # tracked pages
    "web_click": Sign("logit", -2.1, 0.4, 1),
    "web_sale": Sign("logit", -3.9, 0.4, -1),
    "web_repeat": Sign("logit", -3.0, 0.7, 1),
    "web_beat": Sign("logit", -2.6, 0.7, 1),  # clicks that come at once
    "web_consent": Sign("logit", 2.4, 0.5, -1),
}

OWN: dict[str, dict[str, float]] = {
    "bought_burst": {"rate": -1, "reach": -1, "churn": 1.5, "response": -0.7},
    "bought_drip": {"growth": 1.8, "loose_growth": 1.5, "rate": -1, "reach": -1},
    "engagement_pod": {"rate": 1, "comment_ratio": 1.3, "fans": -1.5, "loyal": 1.5, "prompt": 1.5, "market": 1},
    "comment_bots": {"generic": 1.5, "copies": 1.5, "emoji": 1, "bursts": 1.3, "comment_ratio": 1},
    "follow_unfollow": {"following_size": 1.5, "following_moves": 2, "churn": 1.3, "growth": 1},
    "click_farm": {"click_rate": 2, "web_click": 2, "web_sale": -1.5, "web_repeat": 2, "web_beat": 1.5, "depth": -1},
    "view_inflation": {"view_share": 2.5, "loose_views": 1.5, "rate": -0.7, "depth": -0.7},
    "hacked_dormant": {"spam": 1.5, "same_caption": 1.3, "mood": -2, "peak_shift": 1.5, "clockless": 1},
    "recycled": {"age": 1.3, "history": -2, "foreign": 1.8, "reach": -1.3, "response": -0.8},
}
"""Fraud type → the signs it moves more than others do, in ``Level.own``."""

FAKE_LAWS: dict[str, tuple[float, float]] = {
    "bought_burst": (0.10, 0.50),
    "bought_drip": (0.08, 0.45),
    "engagement_pod": (0.01, 0.06),
    "comment_bots": (0.03, 0.20),
    "follow_unfollow": (0.06, 0.30),
    "click_farm": (0.10, 0.40),
    "view_inflation": (0.03, 0.25),
    "hacked_dormant": (0.15, 0.45),
    "recycled": (0.25, 0.60),
}
"""Fraud type → (least, gain by the strength of the fraud) of the followers that are fake, beyond those of anybody."""


def draw_signs(
    rng: np.random.Generator, kind: npt.NDArray[np.str_], strength: Floats, level: Level
) -> dict[str, Floats]:
    """Every trait of ``SIGNS`` for KOLs of these kinds; ``strength`` is 0–1, near 0 for the honest."""
    n = len(kind)
    traits = {}
    for name, sign in SIGNS.items():
        side = np.where(rng.random(n) < 0.5, -1.0, 1.0) if sign.toward == 0 else float(sign.toward)
        shown = (rng.random(n) < level.shown) * rng.uniform(0.6, 1.4, n)
        own = np.zeros(n)
        for fraud, moved in OWN.items():
            own[kind == fraud] = moved.get(name, 0.0)
        common = np.where(own == 0, side * level.shift * shown, 0.0)
        z = rng.standard_normal(n) + strength * (common + own * (level.shift * 0.5 + level.own))
        traits[name] = _map(sign, sign.centre + sign.spread * z.clip(-6, 6))
    return traits


def _map(sign: Sign, value: Floats) -> Floats:
    if sign.scale == "log":
        return np.exp(value)
    return 1.0 / (1.0 + np.exp(-value)) if sign.scale == "logit" else value
