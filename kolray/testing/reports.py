"""The dashboard's other pages over a world that stands still."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from kolray.models.searches import Search, Trial
from kolray.serving.contracts import StreamProgress
from kolray.serving.dashboard.data import KolPage
from kolray.serving.dashboard.report_data import (
    CampaignRow,
    CampaignsPage,
    HealthPage,
    ModelHealth,
    PartHealth,
    PartitionHealth,
    SearchPage,
    StreamPage,
    TableHealth,
    TrustPage,
)
from kolray.serving.trust_overview import distribution
from kolray.testing.campaign_page import BLANK, RUNS

HOUR = timedelta(hours=1)
LIVE, JUDGED = "5ea4c4" * 5, "ad1e55" * 5
"""Searches: one that runs, one that was judged."""


class FakeReports:
    """``ReportData`` without any store.

    Args:
        kols: of the world; without any nothing has run yet.
    """

    def __init__(self, now: datetime, kols: Callable[[], Sequence[KolPage]]) -> None:
        self._now, self._kols = now, kols

    def stream(self) -> StreamPage | None:
        """One that runs, in waves."""
        if not self._kols():
            return None
        per_s = [5200 + 900 * math.sin(second / 6) for second in range(120)]
        progress = StreamProgress(
            at=self._now - timedelta(seconds=1),
            state="running",
            events_per_s=per_s[-1],
            lag=1840,
            behind_s=34.0,
            checkpoint_age_s=21.0,
            events=18_400_000,
            dead_letters=12,
        )
        return StreamPage(progress, per_s, [1500 + second * 3 for second in range(120)])

    def trust(self, platform: str | None, category: str | None) -> TrustPage:
        """Of the world's KOLs; some of them changed."""
        names = ("kol_id", "platform", "category", "tier")
        found = [
            {name: getattr(kol, name) for name in names}
            | {"trust_score": kol.trust_score, "lower": kol.trust_lower, "upper": kol.trust_upper, "as_of": self._now}
            for kol in self._kols()
            if platform in (None, kol.platform) and category in (None, kol.category)
        ]
        types: dict[str, pl.DataType | type[pl.DataType]] = dict.fromkeys(names, pl.String)
        types |= dict.fromkeys(("trust_score", "lower", "upper"), pl.Float64) | {"as_of": pl.Datetime("ms", "UTC")}
        everyone = pl.DataFrame(found, schema=types)
        scored = everyone.drop_nulls("trust_score").head(6).select("kol_id", "platform", now="trust_score")
        change = pl.Series("change", [-12.5, -8.0, -3.0, -1.0, 2.0, 4.0][: scored.height], pl.Float64)
        since = pl.lit(self._now - 25 * HOUR).cast(pl.Datetime("ms", "UTC"))
        moves = scored.with_columns(change, before=pl.col("now") - change, since=since)
        return distribution(everyone, moves, "trust:12" if found else None)

    def campaigns(self, state: str | None, sort: str, limit: int, offset: int) -> CampaignsPage:
        """Thirty that run, one of which nothing is known."""
        first = next(iter(self._kols()), None)
        if first is None:
            return CampaignsPage([], 0, {}, 0, [], [], None)
        rows = [_campaign(self._now, first.kol_id, i) for i in range(30)]
        rows.append(_undated(first.kol_id))
        chosen = [row for row in rows if state in (None, row.state)]
        sure = sum((row.lift_lower or 0) > 0 for row in chosen)
        states = {name: sum(row.state == name for row in rows) for name in ("running", "ended", "planned", "undated")}
        history = [(self._now.replace(minute=0) - h * HOUR, 40 + 30 * math.sin(h / 4)) for h in range(120, 0, -1)]
        ahead = [(self._now.replace(minute=0) + h * HOUR, 45 + 30 * math.sin(h / 4)) for h in range(24)]
        shown = chosen[offset : offset + limit]
        return CampaignsPage(shown, len(chosen), states, sure, history, ahead, self._now - HOUR)

    def searches(self) -> Sequence[Search]:
        """``LIVE`` and ``JUDGED``."""
        return [page.row for search in (LIVE, JUDGED) if (page := self.search_page(search))]

    def search_page(self, search_id: str) -> SearchPage | None:
        """Either of them."""
        if not self._kols() or search_id not in {LIVE, JUDGED}:
            return None
        live = search_id == LIVE
        trials = _trials(self._now, 7 if live else 30, live=live)
        loss, started = min(trial.best for trial in trials), self._now - (HOUR / 6 if live else 40 * HOUR)
        row = Search(
            search_id=search_id,
            kind="success" if live else "trust",
            started=started,
            ended=None if live else started + HOUR,
            trials=len(trials),
            wanted=30,
            loss=loss,
            kept=None if live else True,
            reported=self._now - timedelta(seconds=4),
        )
        figures = {"inner_loss_defaults": 0.2361, "inner_loss_tuned": loss}
        judged = {"test_auc_defaults": 0.9812, "test_auc_tuned": 0.9857, "test_brier_defaults": 0.05}
        return SearchPage(row, trials, {} if live else figures | judged | {"test_brier_tuned": 0.047})

    def health(self) -> HealthPage:
        """Trino is away; all else is well."""
        if not self._kols():
            return HealthPage([PartHealth("redis", "away", None, "redis://127.0.0.1:6379/0", "open")], None)
        parts = [
            PartHealth("kafka", "ok", 3.2, "10.0.0.5:9092", None),
            PartHealth("redis", "ok", 0.4, "redis://10.0.0.6:6379/0", "closed"),
            PartHealth("metrics_store", "slow", 412.0, "cassandra://10.0.0.7:9042/kolray", "half_open"),
            PartHealth("lake", "ok", 21.0, "s3://lake/kolray", "closed"),
            PartHealth("mlflow", "ok", 9.0, "http://10.0.0.8:5000", None),
            PartHealth("trino", "away", None, "10.0.0.9:8080", "open"),
        ]
        ages = [PartitionHealth(n, n % 2, "running", 460, 34.0, 21.0 + n, 3, n // 3) for n in range(4)]
        return HealthPage(
            parts=parts,
            stream=self.stream(),
            partitions=ages,
            models=[
                ModelHealth("trust", 12, 13, "trust:12", self._now - 50 * HOUR),
                ModelHealth("success", 4, 4, "success:4", self._now - 300 * HOUR),
            ],
            features_at=self._now - 7 * HOUR,
            tables=[TableHealth("bronze.social", self._now - HOUR / 30), TableHealth("gold.forecasts", None)],
            failed_steps=[("maintain", self._now - 6 * HOUR, "{}")],
        )


def _undated(kol_id: str) -> CampaignRow:
    nothing: dict[str, Any] = dict.fromkeys(
        ("start", "end", "budget", "currency", "lift", "lift_lower", "lift_upper", "roi", "engagement")
    )
    return CampaignRow(BLANK, kol_id, "undated", engagement_total=None, **nothing)


def _campaign(now: datetime, kol_id: str, i: int) -> CampaignRow:
    state = "running" if i < 12 else "ended"
    lift = 0.4 * math.sin(i) if i % 5 else None
    start = now - (48 + 20 * i) * HOUR
    return CampaignRow(
        campaign_id=RUNS if i == 0 else f"cmp_{i:05d}",
        kol_id=kol_id,
        state="running" if i < 12 else "ended",
        start=start,
        end=start + (72 if state == "running" else 24) * HOUR,
        budget=1500.0 * (i + 1),
        currency="USD",
        lift=lift,
        lift_lower=None if lift is None else lift - 0.15,
        lift_upper=None if lift is None else lift + 0.2,
        roi=None if i % 7 == 3 else math.cos(i),
        engagement=12_000.0 * (i + 1),
        engagement_total=19_000.0 * (i + 1),
        clicks=[abs(math.sin(i + part)) * 50 for part in range(18)],
    )


def _trials(now: datetime, n: int, *, live: bool) -> list[Trial]:
    rng = random.Random(n)  # noqa: S311 - a test's world, not a secret
    trials = []
    for i in range(n):
        eta, depth = 10 ** rng.uniform(-1.5, -0.5), float(rng.randrange(2, 9))
        end = 0.2 + abs(math.log10(eta) + 1.1) * 0.08 + abs(depth - 4) * 0.01
        rounds = 480 if end < 0.235 else 160
        losses = [(r, end + 0.3 * math.exp(-r / 90)) for r in range(20, rounds + 1, 20)]
        params = {"eta": eta, "max_depth": depth, "subsample": rng.uniform(0.5, 1.0), "lambda": rng.uniform(0.1, 30)}
        trials.append(Trial(f"t{i}", params, losses, running=live and i > n - 3, reported=now - HOUR / 60))
    return trials
