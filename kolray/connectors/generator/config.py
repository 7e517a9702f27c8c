"""What a world is made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HONEST = "honest"
FRAUD_TYPES = ("bought_burst", "bought_drip", "engagement_pod", "comment_bots", "click_farm", "view_inflation")
FAKE_LAWS = {
    "bought_burst": (0.10, 0.50),
    "bought_drip": (0.08, 0.45),
    "engagement_pod": (0.01, 0.06),
    "comment_bots": (0.03, 0.20),
    "click_farm": (0.10, 0.40),
    "view_inflation": (0.03, 0.25),
}
"""Fraud type → (least, gain by the strength of the fraud) of the followers that are fake, beyond those of anybody."""
LOOKALIKES = ("viral_hit", "giveaway")
"""Honest KOLs that look like fraud at first sight: a jump of followers with real reach, a burst of equal comments."""


@dataclass(frozen=True)
class WorldConfig:
    """Equal configurations give equal events, byte for byte.

    Args:
        end: aware UTC; the world covers the ``hours`` before it, cut to the full hour.
        fraud_share: part of the KOLs that cheat, spread evenly over ``FRAUD_TYPES``.
        duplicate_share, late_share, very_late_share, invalid_share: parts of the events that are sent twice, arrive
            30–200 s late, arrive hours late, or break a rule.
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

    @property
    def start(self) -> datetime:
        """The first full hour."""
        return self.end.replace(minute=0, second=0, microsecond=0) - timedelta(hours=self.hours)
