"""Campaigns for the dashboard's tests: one that runs, one of which little can be told."""

from __future__ import annotations

from datetime import datetime, timedelta

from kolray.serving.campaign_contracts import CampaignOfKol, CountAnswer, Expected, LiftAnswer, ReturnAnswer
from kolray.serving.campaigns import NOTES
from kolray.serving.dashboard.campaign_data import CampaignPage
from kolray.serving.dashboard.data import KolPage

RUNS, BLANK = "tet.2026", "blank"
HOUR = timedelta(hours=1)
COUNTS = ("impressions", "clicks", "conversions", "revenue", "engagement", "reach")


def campaign_page(campaign_id: str, kol: KolPage, others: list[str], now: datetime) -> CampaignPage:
    """``RUNS`` since two days and for one more; any other has neither dates nor budget."""
    told = running(kol.kol_id, now) if campaign_id == RUNS else blank(kol.kol_id)
    forecast = [p._replace(at=p.at + HOUR) for p in kol.forecast] if campaign_id == RUNS else []
    return CampaignPage(campaign_id, told, others, now, 5400.0, kol.hourly, forecast)


def running(kol_id: str, now: datetime) -> CampaignOfKol:
    """All is known of it but the lift of reach."""
    counts = [
        CountAnswer(
            metric=name,
            actual=100.0 * (n + 1),
            next_24h=Expected(value=30.5 * (n + 1), lower=2.0, upper=70.0 * (n + 1)),
            total=Expected(value=130.5 * (n + 1), lower=102.0, upper=170.0 * (n + 1)),
        )
        for n, name in enumerate(COUNTS)
    ]
    return CampaignOfKol(
        kol_id=kol_id,
        state="running",
        start=now - 48 * HOUR,
        end=now + 24 * HOUR,
        until=now + 24 * HOUR,
        budget=1500.0,
        spent=1000.0,
        currency="USD",
        paid_in="USD",
        counts=counts,
        roi=ReturnAnswer(actual=-0.6, total=Expected(value=-0.41, lower=-0.62, upper=0.05)),
        lift=[
            LiftAnswer(metric="engagement", lift=0.23, lower=0.08, upper=0.41, hours=48),
            LiftAnswer(metric="reach", lift=None, lower=None, upper=None, hours=48, why_not="overlaps"),
        ],
        notes={},
    )


def blank(kol_id: str) -> CampaignOfKol:
    """Nothing is known of it."""
    troubles = ("no_start", "no_end", "no_budget", "nothing_sold")
    return CampaignOfKol(
        kol_id=kol_id,
        state="undated",
        **dict.fromkeys(("start", "end", "until", "budget", "spent", "currency", "paid_in", "roi")),
        counts=[CountAnswer(metric="clicks", actual=None, next_24h=None, total=None)],
        lift=[],
        notes={name: NOTES[name] for name in troubles},
    )
