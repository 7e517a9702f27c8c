"""What is usual for an account of some size: the yardstick of features that compare an account with its tier."""

from __future__ import annotations

import polars as pl

USUAL: tuple[tuple[str, int, float], ...] = (
    ("nano", 10_000, 0.035),
    ("micro", 100_000, 0.027),
    ("macro", 1_000_000, 0.021),
    ("mega", 1 << 41, 0.016),
)
"""Tier, the followers it ends before, likes + comments + shares per follower and day.

A yardstick chosen by hand so that it falls with size, as all published benchmarks of engagement by tier do; a model
learns where its own platforms lie against it.
"""


def usual_engagement(followers: pl.Expr) -> pl.Expr:
    """Engagement per follower and day that is usual for an account with these followers; null where unknown."""
    return pl.coalesce(pl.when(followers < limit).then(pl.lit(usual)) for _, limit, usual in USUAL)
