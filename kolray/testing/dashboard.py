"""A seeded world of KOLs for the dashboard: every state a page can be in, the same on every run."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from kolray.serving.dashboard.campaign_data import CampaignPage
from kolray.serving.dashboard.data import (
    AlertRow,
    CampaignLink,
    Contribution,
    ForecastPoint,
    KolPage,
    Overview,
    RankedKol,
    RankedRows,
    WhatIf,
)
from kolray.stores.rankings import RankBy
from kolray.testing.campaign_page import BLANK, RUNS, campaign_page
from kolray.testing.reports import FakeReports

NOW = datetime(2026, 3, 12, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLATFORMS = ("facebook", "instagram", "tiktok", "youtube")
CATEGORIES = ("beauty", "food", "gaming", "parenting", "technology", "travel")
TIERS = ("nano", "micro", "macro", "mega")
NAMES = ("an", "binh", "chi", "dung", "giang", "hoa", "khanh", "lan", "minh", "ngoc", "phuong", "quan", "thao", "vy")
FEATURES = (
    ("comment_repetition", 0.04, 0.6),
    ("follower_jump_share", 0.1, 0.8),
    ("audience_overlap", 0.05, 0.4),
    ("engagement_rate", 0.052, 0.011),
    ("author_diversity", 0.93, 0.35),
    ("comment_gap_variation", 1.1, 0.2),
    ("account_age_days", 1840.0, 96.0),
    ("followers_per_following", 42.0, 0.8),
)
RULES = (
    ("follower_spike", "high", "followers_last - followers_before", 5200.0, 40.0, 22.0),
    (
        "engagement_burst_without_reach",
        "high",
        "(likes + comments + shares) / (impressions + 1)",
        0.41,
        0.052,
        0.012,
    ),
    ("sentiment_falling", "warning", "sentiment_ratio", 0.48, 0.81, None),
    ("click_storm", "high", "ctr", 0.19, 0.021, 0.008),
)
NEW = "new.creator"
"""A KOL that nothing is known of yet but the name."""
HOSTILE = "<script>alert('x')</script>/../?a=b&c#d"
"""A KOL whose id tries to be markup, a path and a query."""


class FakeDashboardData:
    """``DashboardData`` without any store.

    Args:
        seed: another seed, another world.
        n: KOLs beside ``NEW`` and ``HOSTILE``; 0 leaves the whole dashboard empty.
    """

    def __init__(self, seed: int = 7, n: int = 40) -> None:
        rng = random.Random(seed)  # noqa: S311 - a test's world, not a secret
        self._kols = {page.kol_id: page for page in (_kol(rng, i) for i in range(n))}
        if n:
            self._kols[NEW] = _unknown(NEW)
            self._kols[HOSTILE] = _unknown(HOSTILE)
        self.reports = FakeReports(NOW, lambda: list(self._kols.values()))

    def overview(self) -> Overview:
        """Counts that agree with the rest."""
        if not self._kols:
            return Overview(kols=0, alerts_24h=0, windows=None, model=None, updated_at=None)
        recent = [a for a in self.alerts(1000) if a.at > NOW - 24 * HOUR]
        return Overview(len(self._kols), len(recent), 18_432, "trust:12", NOW - timedelta(seconds=40))

    def rankings(
        self, by: RankBy, platform: str | None, limit: int, category: str | None = None, offset: int = 0
    ) -> RankedRows:
        """Best first; KOLs without the value are left out."""
        pages = [page for page in self._kols.values() if platform in {None, page.platform}]
        rows = [_ranked(page, by) for page in pages if category in {None, page.category}]
        known = [row for row in rows if row is not None]
        known.sort(key=lambda row: (_rank_value(row, by), row.kol_id), reverse=True)
        return RankedRows(len(known), known[offset : offset + limit])

    def places(self, by: RankBy, kol_ids: Sequence[str]) -> list[RankedKol]:
        """Ranked, then not ranked."""
        everyone = enumerate(self.rankings(by, None, len(self._kols)).rows, 1)
        held = [replace(row, rank=rank) for rank, row in everyone if row.kol_id in kol_ids]
        rest = sorted(set(kol_ids) - {row.kol_id for row in held})
        return held + [RankedKol(kol_id, "tiktok", None, None, None, None, None, math.nan) for kol_id in rest]

    def categories(self) -> list[str]:
        """Of the KOLs there are."""
        return sorted({page.category for page in self._kols.values() if page.category})

    def platforms(self) -> list[str]:
        """Of the KOLs there are."""
        return sorted({page.platform for page in self._kols.values()})

    def kol(self, kol_id: str) -> KolPage | None:
        """One of them."""
        return self._kols.get(kol_id)

    def campaign(self, campaign_id: str, kol_id: str | None) -> CampaignPage | None:
        """Campaigns of the first KOL and ``HOSTILE``."""
        ids = [*list(self._kols)[:1], HOSTILE]
        kol = self._kols.get(kol_id or ids[0]) if self._kols else None
        if kol is None or kol.kol_id not in ids or campaign_id not in {RUNS, BLANK}:
            return None
        return campaign_page(campaign_id, kol, [name for name in ids if name != kol.kol_id], NOW)

    def alerts(self, limit: int) -> list[AlertRow]:
        """Newest first."""
        rows = [alert for page in self._kols.values() for alert in page.alerts]
        return sorted(rows, key=lambda a: a.at, reverse=True)[:limit]

    def search(self, part: str) -> list[str]:
        """At most 20 ids."""
        small = part.lower()
        return sorted((k for k in self._kols if small in k), key=lambda k: (not k.startswith(small), k))[:20]


def _kol(rng: random.Random, i: int) -> KolPage:
    bought = rng.random() < 0.25
    log_odds = rng.gauss(1.2 if bought else -2.2, 0.9)
    spread = rng.uniform(0.25, 1.2)
    high, probability, low = (1 / (1 + math.exp(-log_odds - d)) for d in (spread, 0.0, -spread))
    kol_id = f"{NAMES[i % len(NAMES)]}.{CATEGORIES[i % len(CATEGORIES)]}{i:02d}"
    hourly = _hourly(rng, rng.uniform(40, 2500))
    return KolPage(
        kol_id=kol_id,
        platform=PLATFORMS[i % len(PLATFORMS)],
        category=CATEGORIES[i % len(CATEGORIES)],
        tier=TIERS[rng.randrange(len(TIERS))],
        language="vi" if i % 5 else "en",
        trust_score=100 * (1 - probability),
        trust_lower=100 * (1 - high),
        trust_upper=100 * (1 - low),
        probability=probability,
        model="trust:12",
        features_source="redis" if i % 7 else "lake",
        features_age_s=rng.uniform(20, 200) if i % 7 else 19_000.0,
        contributions=_contributions(rng, bought),
        windows=[_window(rng, NOW - k * timedelta(minutes=5), hourly[-1][1] / 12) for k in range(1, 13)],
        hourly=hourly,
        forecast=_forecast(hourly),
        alerts=[_alert(rng, kol_id, k) for k in range(rng.randrange(1, 4) if bought else rng.randrange(4) // 3)],
        thin=i % 9 == 0,
        fake_share=(0.3 * probability + 0.02, 0.01, 0.3 * probability + 0.1),
        what_if=WhatIf([("follower_jump_share", 0.8, 0.2)], min(99.0, 100 * (1 - probability) + 12)),
        campaigns=[CampaignLink(RUNS, NOW - 48 * HOUR, NOW + 24 * HOUR), CampaignLink(BLANK, None, None)]
        if i == 0
        else [],
    )


def _unknown(kol_id: str) -> KolPage:
    nothing: dict[str, Any] = dict.fromkeys(
        ("category", "tier", "language", "trust_score", "trust_lower", "trust_upper", "probability", "model")
    )
    return KolPage(
        kol_id=kol_id,
        platform="tiktok",
        features_source=None,
        features_age_s=None,
        contributions=[],
        windows=[],
        hourly=[],
        forecast=[],
        alerts=[],
        **nothing,
    )


def _contributions(rng: random.Random, bought: bool) -> list[Contribution]:
    rows = []
    for name, honest, fraud in FEATURES:
        value = (fraud if bought else honest) * rng.uniform(0.7, 1.2)
        effect = rng.gauss(0.5 if bought else -0.4, 0.45)
        rows.append(Contribution(name, value if rng.random() < 0.9 else None, effect))
    return sorted(rows, key=lambda row: -abs(row.effect))


def _hourly(rng: random.Random, level: float) -> list[tuple[datetime, float]]:
    last = NOW.replace(minute=0)
    hours = [last - k * HOUR for k in range(24 * 7, 0, -1)]
    # Vietnam is seven hours ahead; people look at their phones in the evening.
    day = [0.35 + 0.65 * max(0.0, math.sin((at.hour + 7 - 9) % 24 / 24 * math.pi)) ** 2 for at in hours]
    return [(at, round(level * d * rng.lognormvariate(0, 0.22))) for at, d in zip(hours, day, strict=True)]


def _forecast(hourly: list[tuple[datetime, float]]) -> list[ForecastPoint]:
    points = []
    for h in range(1, 25):
        same_hour = [hourly[h - 25 - 24 * day][1] for day in range(3)]
        value = sum(same_hour) / len(same_hour)
        width = 0.18 + 0.012 * h
        at = hourly[-1][0] + h * HOUR
        points.append(ForecastPoint(at, value, value * (1 - width), value * (1 + 1.3 * width)))
    return points


def _window(rng: random.Random, start: datetime, interactions: float) -> Mapping[str, Any]:
    engaged = max(int(interactions * rng.lognormvariate(0, 0.3)), 0)
    impressions = int(engaged / rng.uniform(0.02, 0.08))
    likes, comments = int(engaged * 0.85), int(engaged * 0.1)
    return {
        "window_start": start,
        "events": rng.randrange(3, 40),
        "impressions": impressions,
        "likes": likes,
        "comments": comments,
        "shares": engaged - likes - comments,
        "engagement_rate": engaged / impressions if impressions else None,
        "ctr": rng.uniform(0.005, 0.03) if impressions else None,
        "sentiment_ratio": rng.uniform(0.6, 0.95) if rng.random() < 0.8 else None,
        "followers_last": 184_000 + rng.randrange(900),
    }


def _alert(rng: random.Random, kol_id: str, k: int) -> AlertRow:
    rule, severity, metric, value, mean, sd = RULES[rng.randrange(len(RULES))]
    evidence: dict[str, Any] = {"metric": metric, "value": round(value * rng.uniform(0.8, 1.2), 6)}
    if sd is None:
        evidence |= {"fell_from": mean, "own_sd": None, "sigmas": None, "windows_of_history": 3}
    else:
        sigmas = round((evidence["value"] - mean) / sd, 2)
        evidence |= {"own_mean": mean, "own_sd": sd, "sigmas": sigmas, "windows_of_history": 31 + k}
    return AlertRow(NOW - rng.randrange(0, 40) * HOUR - k * HOUR, severity, rule, kol_id, evidence)


def _ranked(page: KolPage, by: RankBy) -> RankedKol | None:
    value = {
        "trust": page.trust_score,
        "success": sum(p.value for p in page.forecast) if page.forecast else None,
        "engagement": sum(value for _, value in page.hourly[-24:]) if page.hourly else None,
        "growth": math.sin(page.hourly[-1][1]) / 20 if page.hourly else None,
    }[by]
    if value is None:
        return None
    who = (page.kol_id, page.platform, page.category, page.tier)
    return RankedKol(*who, page.trust_score, page.trust_lower, page.trust_upper, value)


def _rank_value(row: RankedKol, by: RankBy) -> float:
    return row.lower if by == "trust" and row.lower is not None else row.value
