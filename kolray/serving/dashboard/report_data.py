"""What the pages beyond KOLs and alerts are made of, and who provides it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from kolray.models.searches import Search, Trial
from kolray.serving.contracts import StreamProgress
from kolray.serving.dashboard.data import RankedKol

BIN = 5
"""Points of trust in a bar of the distribution."""
BINS = 100 // BIN


class StreamPage(NamedTuple):
    """How the stream gets on; ``per_s`` and ``lag`` are its newest minutes, oldest first."""

    now: StreamProgress
    per_s: Sequence[float]
    lag: Sequence[int]


class TrustGroup(NamedTuple):
    """The KOLs of a platform, category or tier: how many, how many of them are doubtful, and their middle score."""

    kind: str
    name: str
    kols: int
    low: int
    median: float


class Moved(NamedTuple):
    """A KOL whose score changed since an earlier one."""

    kol_id: str
    platform: str
    before: float
    now: float
    since: datetime


@dataclass(frozen=True)
class TrustPage:
    """Everybody's trust. ``bins[i]`` counts scores from ``BIN * i`` up to below ``BIN * (i + 1)``; 100 is in the last.

    ``firm``: scores whose interval lies within one verdict. ``known``: KOLs there are, scored or not.
    """

    known: int
    bins: Sequence[int]
    firm: int
    median: float | None
    groups: Sequence[TrustGroup]
    fell: Sequence[Moved]
    rose: Sequence[Moved]
    model: str | None
    as_of: datetime | None
    sampled: bool = False
    """There are more KOLs than were read: these were taken by chance."""
    compared: bool = True
    """There are scores a day apart. Else ``moves_from`` says when the first can be; None: no score is kept yet."""
    moves_from: datetime | None = None
    lowest: Sequence[RankedKol] = ()
    """The lowest scores first."""

    @property
    def scored(self) -> int:
        return sum(self.bins)


CAMPAIGN_SORTS = ("start", "lift", "roi", "engagement")
CampaignState = Literal["running", "planned", "ended", "undated"]


@dataclass(frozen=True)
class CampaignRow:
    """A campaign with one of its KOLs in the list; what is not known is None. ``lift`` is of engagement.

    ``clicks`` counts tracked clicks of as many equal parts of the time there are, oldest first.
    """

    campaign_id: str
    kol_id: str
    state: CampaignState
    start: datetime | None
    end: datetime | None
    budget: float | None
    currency: str | None
    lift: float | None
    lift_lower: float | None
    lift_upper: float | None
    roi: float | None
    engagement: float | None
    engagement_total: float | None
    clicks: Sequence[float] = ()


@dataclass(frozen=True)
class CampaignsPage:
    """Some campaigns, how many there are by state, and what all of them gather an hour.

    ``history`` and ``forecast``: tracked clicks of all campaigns that were asked for; the hours to come have no
    interval, since those of single campaigns do not add up.
    """

    rows: Sequence[CampaignRow]
    total: int
    states: Mapping[str, int]
    sure: int
    """Those whose lift is above zero at both ends of its interval."""
    history: Sequence[tuple[datetime, float]]
    forecast: Sequence[tuple[datetime, float]]
    as_of: datetime | None


@dataclass(frozen=True)
class SearchPage:
    """One search. ``figures`` are those of its judgement on what it never saw, by MLflow's name; empty before."""

    row: Search
    trials: Sequence[Trial]
    """In the order in which they began."""
    figures: Mapping[str, float]


Verdict = Literal["ok", "slow", "away", "unknown"]


class PartHealth(NamedTuple):
    """A service: whether it answers, in how many milliseconds, and what its breaker says."""

    name: str
    state: Verdict
    latency_ms: float | None
    address: str
    breaker: str | None


class PartitionHealth(NamedTuple):
    """A partition of the stream."""

    number: int
    shard: int
    state: str
    lag: int | None
    behind_s: float | None
    checkpoint_age_s: float | None
    dead_letters: int
    restarts: int


class ModelHealth(NamedTuple):
    """A registered model: the versions that the aliases name, the one in use here, and when the champion was made."""

    name: str
    champion: int | None
    challenger: int | None
    in_use: str | None
    trained_at: datetime | None


class TableHealth(NamedTuple):
    """A table of the lake and when it was written last."""

    name: str
    written_at: datetime | None


@dataclass(frozen=True)
class HealthPage:
    """What an on-call engineer wants first."""

    parts: Sequence[PartHealth]
    stream: StreamPage | None
    partitions: Sequence[PartitionHealth] = ()
    models: Sequence[ModelHealth] = ()
    features_at: datetime | None = None
    """Of the newest features in the lake."""
    tables: Sequence[TableHealth] = ()
    failed_steps: Sequence[tuple[str, datetime, str]] = ()
    """Steps of the newest nightly run that failed: name, when, why."""


class ReportData(Protocol):
    """Where these pages get their data; called from a thread pool, so implementations may block but not hang."""

    def stream(self) -> StreamPage | None:
        """None where no stream has told anything.

        Raises:
            ServiceUnavailableError: nobody knows, as Redis is away.
        """
        ...

    def trust(self, platform: str | None, category: str | None) -> TrustPage:
        """Everybody's scores, or those of a platform, a category, or both."""
        ...

    def campaigns(self, state: str | None, sort: str, limit: int, offset: int) -> CampaignsPage:
        """Campaigns of a state (None: all), ordered by one of ``CAMPAIGN_SORTS``."""
        ...

    def searches(self) -> Sequence[Search]:
        """The newest first."""
        ...

    def search_page(self, search_id: str) -> SearchPage | None:
        """One of them, or None if there is none of that id."""
        ...

    def health(self) -> HealthPage:
        """Every part, asked now; never raises: what does not answer is ``away``."""
        ...
