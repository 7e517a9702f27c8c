"""The HTTP contract of campaigns: what one has brought, will bring and added. Names are promises to users."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

CampaignMetric = Literal["impressions", "clicks", "conversions", "revenue", "engagement", "reach"]


class Expected(BaseModel):
    """A forecast sum with its 90 % interval."""

    value: float
    lower: float
    upper: float


class CountAnswer(BaseModel):
    """One count of a campaign; what is not known is null, and ``notes`` say why."""

    metric: CampaignMetric
    actual: float | None = Field(description="from the start until as_of")
    next_24h: Expected | None = Field(description="as far as the campaign runs in them")
    total: Expected | None = Field(description="from the start until `until`")


class ReturnAnswer(BaseModel):
    """(revenue - spent) / spent: 0 breaks even; spent is the budget pro rata of the time that is over."""

    actual: float | None
    total: Expected | None


class LiftAnswer(BaseModel):
    """How much more the KOL had while the campaign ran than without it: 0.2 is a fifth more."""

    metric: Literal["engagement", "reach"]
    lift: float | None
    lower: float | None = Field(description="of the 90 % interval")
    upper: float | None
    hours: int = Field(description="whole hours of the campaign that were compared")
    why_not: str | None = Field(None, description="why it is not known, e.g. overlaps, no_baseline", examples=[None])


class CampaignOfKol(BaseModel):
    """A campaign with one of its KOLs."""

    kol_id: str
    state: Literal["planned", "running", "ended", "undated"]
    start: datetime | None
    end: datetime | None
    until: datetime | None = Field(description="how far the total goes: the end, at most 7 days after as_of")
    budget: float | None
    spent: float | None
    currency: str | None = Field(description="of the budget")
    paid_in: str | None = Field(description="of the revenue; no currency is converted into another")
    counts: list[CountAnswer]
    roi: ReturnAnswer | None
    lift: list[LiftAnswer]
    notes: dict[str, str] = Field(description="what cannot be told, and why")


class CampaignAnswer(BaseModel):
    """A campaign as the newest batch told it."""

    campaign_id: str
    as_of: datetime = Field(description="the first hour that was not known then")
    source: Literal["batch"]
    age_s: float = Field(description="seconds since as_of")
    kols: list[CampaignOfKol]
