"""The HTTP contract: request and answer bodies. Their names are promises to users."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from kolray.stores.rankings import RankBy

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _within(at: datetime) -> datetime:
    if not FIRST <= at <= LAST:
        raise ValueError(f"choose a time from {FIRST.year} to {LAST.year}")
    return at


Moment = Annotated[AwareDatetime, AfterValidator(_within)]
"""A time that a request names. Others have no day before or after them, or no place in a store."""
Scalar = str | int | float | bool | None
KolId = Field(min_length=1, max_length=128, description="the KOL", examples=["kol_000042"])
SourceName = Literal["redis", "metrics_store", "trino", "lake", "request"]
Window = Literal["5m", "15m", "15m/5m", "1h"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ScoreRequest(_Body):
    """Ask for a trust score."""

    kol_id: str = KolId
    as_of: Moment | None = Field(None, description="the score as it was known then; default: now")
    explain: bool = Field(False, description="with the contributions of the features")
    events: list[dict[str, Scalar]] | None = Field(
        None,
        min_length=1,
        max_length=20_000,
        description="score these events of the KOL (fields of kolray ingest file) instead of what is known; those "
        "with a campaign_id are web events; nothing of them is kept",
    )


class BatchRequest(_Body):
    """Ask for the trust scores of many KOLs at once."""

    kol_ids: list[Annotated[str, KolId]] = Field(min_length=1, max_length=1000, examples=[["kol_000042", "kol_000007"]])


class FeatureSource(BaseModel):
    """Where the features came from and how old they are."""

    source: SourceName = Field(description="metrics_store: Cassandra or SQLite; request: events that it brought")
    age_s: float = Field(description="seconds since the time the features describe")
    stale: bool = Field(False, description="older than features are kept for (a day by default), and none newer found")


class Contribution(BaseModel):
    """What one feature adds to the log-odds that the audience is bought."""

    feature: str
    value: float | None
    contribution: float


class FakeShareAnswer(BaseModel):
    """The part of the followers that is no real audience, with a 95 % interval."""

    share: float = Field(ge=0, le=1)
    lower: float = Field(ge=0, le=1)
    upper: float = Field(ge=0, le=1)


class CalibrationAnswer(BaseModel):
    """The last step: what makes a probability of the contributions' sum. Clipped, since nothing is certain."""

    method: str = Field(description="platt or isotonic")
    log_odds: float = Field(description="the sum of the contributions")
    probability: float = Field(ge=0, le=1, description="that the audience is bought")


class Change(BaseModel):
    """A feature's value and the one it would be moved to."""

    feature: str
    value: float
    to: float


class CounterfactualAnswer(BaseModel):
    """The nearest change of at most three features that would move the score to what it asks for."""

    changes: list[Change]
    trust_score: float = Field(ge=0, le=100, description="with all changes, as the model scores it")
    asked_for: float = Field(ge=0, le=100)
    reached: bool


class ScoreAnswer(BaseModel):
    """A trust score."""

    kol_id: str
    trust_score: float = Field(ge=0, le=100, description="higher = more trustworthy")
    trust_interval: tuple[float, float] = Field(description="95 % interval of the score")
    probability: float = Field(ge=0, le=1, description="that the audience is bought, calibrated")
    thin_data: bool = Field(description="too few features are known for the interval to be believed")
    fake_share: FakeShareAnswer | None = Field(None, description="of the followers; none: the model never learnt it")
    success_forecast: float | None = Field(
        description="likes, comments and shares expected in the next 24 hours; null with as_of, and where none is known"
    )
    timestamp: datetime
    model: str = Field(description="name:version of the model that scored")
    features: FeatureSource
    contributions: list[Contribution] | None = None
    calibration: CalibrationAnswer | None = None
    counterfactual: CounterfactualAnswer | None = Field(None, description="none: the score can hardly rise")


class BatchError(BaseModel):
    """Why a KOL of a batch has no score, as the answer about this KOL alone would say it."""

    status: int = Field(examples=[404])
    title: str
    detail: str


class BatchItem(BaseModel):
    """One KOL of a batch: a score, or an error."""

    kol_id: str
    score: ScoreAnswer | None
    error: BatchError | None


class BatchAnswer(BaseModel):
    """A KOL an item, in the order asked for."""

    model: str = Field(description="name:version of the model that scored all")
    scored: int
    results: list[BatchItem]


class ForecastRequest(_Body):
    """Ask for a forecast of the next hours."""

    kol_id: str = KolId
    campaign_id: str | None = Field(None, max_length=128, description="a campaign of the KOL, instead of all it does")
    metric: str = Field(
        "engagement",
        description="engagement, impressions, views, clicks or conversions; of a campaign impressions (of tracked "
        "pages), clicks, conversions, revenue, engagement or reach",
    )
    horizon_h: int = Field(24, ge=1, le=24, description="hours ahead")


class ForecastPoint(BaseModel):
    """One hour ahead, with a 90 % interval."""

    at: datetime
    value: float
    lower: float
    upper: float


class ForecastAnswer(BaseModel):
    """The forecast, hour by hour."""

    kol_id: str
    metric: str
    model: str
    origin: datetime = Field(description="the first hour forecast: the one after the last whole hour that is known")
    source: Literal["batch", "computed"] = Field(description="of the batch of all KOLs, or made for this request")
    age_s: float = Field(description="seconds since the origin: how old the newest hour known is")
    points: list[ForecastPoint]


class MetricsAnswer(BaseModel):
    """Windows of one KOL, oldest first; ``next`` is the ``from`` of the page behind this one."""

    kol_id: str
    window: str
    windows: list[dict[str, Any]]
    next: datetime | None


class LiveWindow(BaseModel):
    """The newest window of a kind, with the ratios of its counts; further counts may be there."""

    model_config = ConfigDict(extra="allow")
    kol_id: str
    window: str
    window_start: datetime
    final: bool = Field(description="false: still open, its counts grow")
    events: int | None
    impressions: int | None
    likes: int | None
    comments: int | None
    shares: int | None
    followers_last: int | None
    engagement_rate: float | None
    sentiment_ratio: float | None


class StreamProgress(BaseModel):
    """How the stream gets on; ``gone``: it told nothing for a while and did not end."""

    at: datetime = Field(description="when it told this")
    state: Literal["running", "ended", "gone"]
    events_per_s: float = Field(ge=0, description="read in the newest ten seconds")
    lag: int = Field(ge=0, description="records still to be read")
    behind_s: float | None = Field(description="how far event time is behind, of the slowest partition")
    checkpoint_age_s: float | None = Field(description="of the oldest newest checkpoint of a shard")
    events: int = Field(description="read since it began")
    dead_letters: int


class Ranked(BaseModel):
    """A place in a ranking."""

    rank: int = Field(ge=1, examples=[1])
    kol_id: str
    value: float = Field(
        description="trust: lower bound of the score's interval, 0–100; success: interactions expected in 24 h; "
        "engagement: likes, comments and shares of the last 24 complete hours; growth: followers gained in these over "
        "those at their start, as a share"
    )
    platform: str | None = Field(description="of the reference table; null: not known")
    category: str | None = Field(description="of the reference table; null: not known")


class RankingAnswer(BaseModel):
    """The best KOLs first; ``next`` is the ``offset`` of the page behind this one, null at the end."""

    by: RankBy
    platform: str | None
    category: str | None
    total: int = Field(description="KOLs in this ranking")
    ranking: list[Ranked]
    next: int | None
    source: Literal["redis", "lake"] = Field("redis", description="redis: live; lake: its tables, while Redis is away")
    age_s: float | None = Field(None, description="seconds since the time that the lake's tables describe; null: live")


class Alert(BaseModel):
    """A pattern found on closed windows."""

    alert_id: str
    rule: str
    kol_id: str
    window: str
    window_start: datetime
    severity: str
    evidence: dict[str, Any]
    at: datetime


class AlertsAnswer(BaseModel):
    """Alerts, newest first; ``next`` is the ``before`` of the page behind this one, null at the end."""

    alerts: list[Alert]
    next: str | None = None


class Delivery(BaseModel):
    """The body of a webhook that tells of an alert."""

    type: Literal["alert.raised"]
    timestamp: datetime = Field(description="when it was sent")
    data: Alert


class Readiness(BaseModel):
    """What a replica needs, and whether it has it: ``ok`` or ``away``."""

    ready: bool
    models: dict[str, str] = Field(description="name → name:version of what is in use")
    metrics_store: str
    redis: str


class InvalidField(BaseModel):
    """What is wrong where."""

    field: str
    message: str


class ProblemDetails(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str | None = None
    errors: list[InvalidField] | None = Field(None, description="of a request that is not valid")
