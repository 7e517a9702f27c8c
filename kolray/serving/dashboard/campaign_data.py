"""What the campaign's page is made of, and who provides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kolray.serving.campaign_contracts import CampaignOfKol
from kolray.serving.dashboard.data import ForecastPoint


@dataclass(frozen=True)
class CampaignPage:
    """Everything on the page of a campaign with one of its KOLs.

    ``hourly``: interactions of each hour since the day before the start; ``forecast``: of hours after; oldest first.
    """

    campaign_id: str
    told: CampaignOfKol
    others: Sequence[str]
    as_of: datetime
    age_s: float
    hourly: Sequence[tuple[datetime, float]]
    forecast: Sequence[ForecastPoint]
