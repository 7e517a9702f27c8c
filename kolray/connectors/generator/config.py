"""What a world is made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

HONEST = "honest"
FRAUD_TYPES = (
    "bought_burst",
    "bought_drip",
    "engagement_pod",
    "comment_bots",
    "follow_unfollow",
    "click_farm",
    "view_inflation",
    "hacked_dormant",
    "recycled",
)
LOOKALIKES = ("viral_hit", "giveaway", "news_moment", "comeback")
"""Honest KOLs that look like fraud at first sight: a jump of followers with real reach, a burst of equal comments, a
sudden foreign crowd, an account that wakes up."""
Difficulty = Literal["easy", "standard", "hard"]
COHORT = 1000
"""KOLs that are drawn together and share a market of authors; part of what makes a world exact."""


@dataclass(frozen=True)
class WorldConfig:
    """Equal configurations give equal events, byte for byte.

    Args:
        end: aware UTC; the world covers the ``hours`` before it, cut to the full hour.
        fraud_share: part of the KOLs that cheat, spread evenly over ``FRAUD_TYPES``.
        duplicate_share, late_share, very_late_share, invalid_share: parts of the events that are sent twice, arrive
            30–200 s late, arrive hours late, or break a rule.
        difficulty: how strong fraud is, and how much of it honest KOLs show too (``signs.LEVELS``).
    """

    n_kols: int = 2000
    hours: int = 96
    seed: int = 7
    end: datetime = datetime(2026, 1, 12, tzinfo=UTC)
    fraud_share: float = 0.2
    duplicate_share: float = 0.01
    late_share: float = 0.002
    very_late_share: float = 0.0003
    invalid_share: float = 0.001
    difficulty: Difficulty = "standard"

    @property
    def start(self) -> datetime:
        """The first full hour."""
        return self.end.replace(minute=0, second=0, microsecond=0) - timedelta(hours=self.hours)

    @property
    def cohorts(self) -> int:
        """Cohorts, of which the last may be smaller than ``COHORT``."""
        return -(-self.n_kols // COHORT)

    def members(self, cohort: int) -> range:
        """Numbers of a cohort's KOLs."""
        return range(cohort * COHORT, min(self.n_kols, (cohort + 1) * COHORT))
