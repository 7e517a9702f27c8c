"""What the dashboard needs to know, as a protocol and frozen dataclasses.

The pages know nothing of Redis, SQLite or MLflow. Whoever implements ``DashboardData`` may return None wherever the
type allows it: every page has a state for a value that is not there yet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from kolray.stores.rankings import RankBy

if TYPE_CHECKING:
    from kolray.serving.dashboard.campaign_data import CampaignPage
    from kolray.serving.dashboard.report_data import ReportData


@dataclass(frozen=True)
class Overview:
    """The counts on the first page."""

    kols: int
    alerts_24h: int | None
    """None where the metrics store is away."""
    windows: int | None
    """Windows of the last 24 hours; None where the store cannot count them cheaply."""
    model: str | None
    """``name:version``; None before the first model is trained."""
    updated_at: datetime | None


@dataclass(frozen=True)
class RankedKol:
    """One row of a ranking.

    ``value`` is what ``RankBy`` says, but for ``trust`` the score: the lower bound that ranks it is ``lower``.
    """

    kol_id: str
    platform: str
    category: str | None
    tier: str | None
    trust: float | None
    lower: float | None
    upper: float | None
    value: float
    rank: int | None = None
    """Among all, 1 is the best; None where its place in a list tells it, or it is not ranked."""


class RankedRows(NamedTuple):
    """Some places of a ranking, best first, and how many it has.

    ``age_s``: of the lake's tables that it was made from, in seconds, while Redis is away; None: it is live.
    """

    total: int
    rows: list[RankedKol]
    age_s: float | None = None


@dataclass(frozen=True)
class AlertRow:
    """One alert of the stream."""

    at: datetime
    severity: str
    rule: str
    kol_id: str
    evidence: Mapping[str, Any]


class Contribution(NamedTuple):
    """How one feature moved the score."""

    feature: str
    value: float | None
    effect: float
    """Log-odds that the audience is bought, as the trust model gives them: a positive effect LOWERS trust."""


class ForecastPoint(NamedTuple):
    """One hour of the forecast of interactions (likes, comments and shares), with its interval."""

    at: datetime
    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class WhatIf:
    """The nearest change that would move the score: (feature, value, other value), and the score it would be."""

    changes: list[tuple[str, float, float]]
    trust_score: float


class CampaignLink(NamedTuple):
    """A campaign on its KOL's page; a time is None where the booking lacks it."""

    campaign_id: str
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class KolPage:
    """Everything on the page of one KOL."""

    kol_id: str
    platform: str
    category: str | None
    tier: str | None
    language: str | None
    trust_score: float | None
    """0-100, higher is more trustworthy: ``100 * (1 - probability)``."""
    trust_lower: float | None
    trust_upper: float | None
    probability: float | None
    """That the audience is bought, 0-1."""
    model: str | None
    features_source: str | None
    """Where the features came from: ``redis``, ``metrics_store``, ``lake`` or ``trino``; another is shown as it is."""
    features_age_s: float | None
    contributions: list[Contribution]
    windows: list[Mapping[str, Any]]
    """Newest first: ``window_start`` (datetime) and the window metrics; a metric may be missing or None."""
    hourly: list[tuple[datetime, float]]
    """Interactions (likes, comments and shares) of each whole hour, oldest first."""
    forecast: list[ForecastPoint]
    """Oldest first, after the history."""
    alerts: list[AlertRow]
    thin: bool = False
    """Too few features are known for the interval to be believed."""
    fake_share: tuple[float, float, float] | None = None
    """Part of the followers that is no real audience, 0-1, and its 95 % interval; None where no model tells it."""
    what_if: WhatIf | None = None
    campaigns: Sequence[CampaignLink] = ()
    """The newest start first."""
    away: Collection[str] = ()
    """``hourly``, ``windows`` or ``alerts``: empty because the metrics store does not answer."""


class DashboardData(Protocol):
    """Where the pages get their data; called from a thread pool, so implementations may block but not hang."""

    @property
    def reports(self) -> ReportData:
        """What the other pages show."""
        ...

    def overview(self) -> Overview:
        """The counts of the first page."""
        ...

    def rankings(
        self, by: RankBy, platform: str | None, limit: int, category: str | None = None, offset: int = 0
    ) -> RankedRows:
        """The best KOLs first, by trust by the lower bound; ``platform`` and ``category`` None mean all."""
        ...

    def places(self, by: RankBy, kol_ids: Sequence[str]) -> list[RankedKol]:
        """Some KOLs with their ranks, in their order; then those that are not ranked, whose ``value`` is NaN."""
        ...

    def platforms(self) -> list[str]:
        """The platforms to filter by."""
        ...

    def categories(self) -> list[str]:
        """The categories to filter by."""
        ...

    def kol(self, kol_id: str) -> KolPage | None:
        """One KOL, or None if there is none of that name."""
        ...

    def campaign(self, campaign_id: str, kol_id: str | None) -> CampaignPage | None:
        """A campaign with one of its KOLs (None: any), or None if nothing is known of it."""
        ...

    def alerts(self, limit: int) -> list[AlertRow]:
        """The newest alerts first."""
        ...

    def search(self, part: str) -> list[str]:
        """KOL ids that hold ``part``, a short list; those that begin with it first, small letters or large."""
        ...
