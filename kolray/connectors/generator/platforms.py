"""How the three platforms differ: who is on them, how their audiences react, and which counts they show."""

from __future__ import annotations

from typing import NamedTuple

TIERS = (("nano", 10_000), ("micro", 100_000), ("macro", 1_000_000), ("mega", 1 << 40))
"""Name and the followers it ends before, on every platform."""


class Platform(NamedTuple):
    """``share`` of the KOLs; ``followers``: mean and deviation of their logarithm; ``rate``, ``reach``, ``comments``,
    ``posts``: logarithms of the factor on each against the average platform; ``hidden``: counts it does not tell.
    """

    share: float
    followers: tuple[float, float]
    rate: float
    reach: float
    comments: float
    posts: float
    hidden: tuple[str, ...]


PLATFORMS: dict[str, Platform] = {
    "youtube": Platform(0.45, (10.9, 1.3), -0.15, -0.2, 0.15, -0.3, ("following", "shares")),
    "tiktok": Platform(0.40, (10.5, 1.4), 0.2, 0.25, -0.15, 0.25, ("clicks",)),
    "weibo": Platform(0.15, (10.2, 1.1), -0.1, -0.1, 0.0, 0.1, ("views",)),
}
"""Numbers chosen by hand after how the platforms differ in kind; no measured market stands behind them."""
