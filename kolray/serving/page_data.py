"""What the dashboard shows, from Redis, the metrics store, the lake and the champions."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from kolray.clock import EPOCH
from kolray.errors import KolrayError, NotFoundError, ServiceUnavailableError
from kolray.lake.reference import current
from kolray.serving.campaign_page import CampaignPages
from kolray.serving.contracts import ScoreAnswer
from kolray.serving.dashboard.campaign_data import CampaignPage
from kolray.serving.dashboard.data import (
    AlertRow,
    Contribution,
    ForecastPoint,
    KolPage,
    Overview,
    RankedKol,
    RankedRows,
    WhatIf,
)
from kolray.serving.dashboard.parts import unless_away
from kolray.serving.kept import Kept
from kolray.serving.lake_rankings import LakeRankings
from kolray.serving.reports import LiveReports
from kolray.serving.scoring import ScoringGraph
from kolray.settings import Settings
from kolray.stores.rankings import Asked, RankBy

KEEP_S = 30
"""Seconds the reference table is kept in memory."""
DAY = timedelta(days=1)
FOUND = 20
"""Names that a search shows."""


class LivePageData:
    """``DashboardData`` over the scoring graph."""

    def __init__(self, settings: Settings, graph: ScoringGraph) -> None:
        self._graph, self._campaigns = graph, CampaignPages(graph)
        kols = Kept(lambda: {row["kol_id"]: row for row in current(graph.lake.root, "kols").to_dicts()}, KEEP_S)
        self._reference = kols.get
        self._lake_rankings = LakeRankings(graph.lake, graph.clock, settings.serving.lake_timeout_s)
        self._names = Kept(lambda: account_names(kols.get()), KEEP_S)
        self.reports = LiveReports(settings, graph, kols)

    def overview(self) -> Overview:
        """Counts, the model in use, the newest score; None for what does not answer."""
        return Overview(
            kols=len(self._reference()),
            alerts_24h=unless_away(self._alerts_of_a_day),
            windows=None,
            model=self._graph.champions.loaded().get("trust"),
            updated_at=unless_away(self._newest_score),
        )

    def _alerts_of_a_day(self) -> int:
        return self._graph.store.alerts(self._graph.clock.now() - DAY, None, 100_000).height

    def _newest_score(self) -> datetime | None:
        scored = self._graph.lookup.rankings("trust", limit=1).rows
        newest = self._graph.lookup.get_score(scored[0].kol_id) if scored else None
        return newest["as_of"] if newest else None

    def rankings(
        self, by: RankBy, platform: str | None, limit: int, category: str | None = None, offset: int = 0
    ) -> RankedRows:
        """The best first; trust is ranked by its lower bound and shown with its score. While Redis is away the lake's
        ranking, with scores as the metrics store has them.
        """
        lookup, age_s = self._graph.lookup, None
        try:
            held = lookup.rankings(by, platform, limit, category, offset)
            scores = lookup.get_scores([row.kol_id for row in held.rows])
        except ServiceUnavailableError as away:
            held, age_s = self._lake_rankings.page(Asked(by, platform, category, limit, offset), away)
            newest = (self._graph.store.scores(row.kol_id) for row in held.rows)
            scores = {row["kol_id"]: row for frame in newest for row in frame.to_dicts()}
        rows = [self._ranked(by, row.kol_id, row.value, scores.get(row.kol_id)) for row in held.rows]
        return RankedRows(held.total, rows, age_s)

    def places(self, by: RankBy, kol_ids: Sequence[str]) -> list[RankedKol]:
        """In their order; then those that are not ranked."""
        lookup = self._graph.lookup
        scores, held = lookup.get_scores(list(kol_ids)), lookup.places(by, kol_ids)
        rows = [
            replace(self._ranked(by, kol_id, value, scores.get(kol_id)), rank=rank)
            for kol_id in kol_ids
            for rank, value in [held.get(kol_id, (None, math.nan))]
        ]
        return sorted(rows, key=lambda row: (row.rank is None, row.rank, row.kol_id))

    def _ranked(self, by: RankBy, kol_id: str, value: float, score: Mapping[str, Any] | None) -> RankedKol:
        known = self._reference().get(kol_id, {})
        trust = score["trust_score"] if score else None
        return RankedKol(
            kol_id=kol_id,
            platform=known.get("platform") or "",
            category=known.get("category"),
            tier=known.get("tier"),
            trust=trust,
            lower=score["lower"] if score else None,
            upper=score["upper"] if score else None,
            value=trust if by == "trust" and trust is not None else value,
        )

    def platforms(self) -> list[str]:
        """Those of the reference table."""
        return sorted({row["platform"] for row in self._reference().values() if row["platform"]})

    def categories(self) -> list[str]:
        """Those of the reference table."""
        return sorted({row["category"] for row in self._reference().values() if row["category"]})

    def kol(self, kol_id: str) -> KolPage | None:
        """Everything about one KOL; what is not there yet is None or empty."""
        graph, known = self._graph, self._reference().get(kol_id)
        try:
            score = graph.score(kol_id, explain=True)
        except NotFoundError:
            score = None
        if score is None and known is None:
            return None
        known = known or {}
        forecast = self._forecast(kol_id)
        measured = self._measured(kol_id, forecast[0].at if forecast else None)
        told: dict[str, Any] = {name: found or [] for name, found in measured.items()}
        return KolPage(
            **_beyond(score),
            **told,
            away=[name for name, found in measured.items() if found is None],
            kol_id=kol_id,
            platform=known.get("platform") or "",
            category=known.get("category"),
            tier=known.get("tier"),
            language=known.get("language"),
            trust_score=score.trust_score if score else None,
            trust_lower=score.trust_interval[0] if score else None,
            trust_upper=score.trust_interval[1] if score else None,
            probability=score.probability if score else None,
            model=score.model if score else None,
            features_source=score.features.source if score else None,
            features_age_s=score.features.age_s if score else None,
            contributions=[
                Contribution(c.feature, c.value, c.contribution)
                for c in (score.contributions or [] if score else [])
                if c.feature != "base"
            ][:10],
            forecast=forecast,
            campaigns=self._campaigns.of_kol(kol_id),
        )

    def _measured(self, kol_id: str, until: datetime | None) -> dict[str, Any]:
        """``hourly`` before a time, ``windows`` and ``alerts`` of a KOL's page; None for what is away."""
        graph, now = self._graph, self._graph.clock.now()

        def hourly() -> list[tuple[Any, ...]]:
            hours = graph.hourly(kol_id)
            # What came after the forecast's origin is not known as a whole.
            hours = hours if until is None else hours.filter(pl.col("at") < until)
            return list(hours.tail(72).with_columns(pl.col("value").cast(pl.Float64)).iter_rows())

        def windows() -> list[dict[str, Any]]:
            found = graph.windows(kol_id, "1h", now - 3 * DAY, now + DAY).sort("window_start", descending=True)
            return found.head(24).to_dicts()

        return {
            "hourly": unless_away(hourly),
            "windows": unless_away(windows),
            "alerts": unless_away(lambda: self._alerts(graph.store.alerts(EPOCH, kol_id, 20))),
        }

    def _forecast(self, kol_id: str) -> list[ForecastPoint]:
        try:
            points = self._graph.forecast(kol_id).points
        except KolrayError:
            return []
        return [ForecastPoint(p.at, p.value, p.lower, p.upper) for p in points]

    def campaign(self, campaign_id: str, kol_id: str | None) -> CampaignPage | None:
        """What the newest batch told of it, beside the KOL's measured hours."""
        return self._campaigns.page(campaign_id, kol_id)

    def alerts(self, limit: int) -> list[AlertRow]:
        """The newest first."""
        return self._alerts(self._graph.store.alerts(EPOCH, None, limit))

    @staticmethod
    def _alerts(rows: pl.DataFrame) -> list[AlertRow]:
        columns = ("at", "severity", "rule", "kol_id", "evidence")
        return [
            AlertRow(at, severity, rule, kol_id, json.loads(evidence))
            for at, severity, rule, kol_id, evidence in rows.select(columns).iter_rows()
        ]

    def search(self, part: str) -> list[str]:
        """Ids that hold the part, small letters or large: first those that begin with it."""
        return names_with(self._names.get(), part)


def account_names(ids: Iterable[str]) -> pl.DataFrame:
    """``kol_id`` in order, and ``small``, which a search looks through."""
    return (
        pl.DataFrame({"kol_id": list(ids)}, schema={"kol_id": pl.String})
        .sort("kol_id")
        .with_columns(small=pl.col("kol_id").str.to_lowercase())
    )


def names_with(names: pl.DataFrame, part: str) -> list[str]:
    """At most ``FOUND`` of them, first those that begin with the part."""
    small = part.lower()
    held = names.filter(pl.col("small").str.contains(small, literal=True))
    begins = pl.col("small").str.starts_with(small)
    return held.sort(begins, descending=True, maintain_order=True)["kol_id"].head(FOUND).to_list()


def _beyond(score: ScoreAnswer | None) -> dict[str, Any]:
    """Of a KOL's page what the answer says beyond the score."""
    if score is None:
        return {}
    share, other = score.fake_share, score.counterfactual
    changes = [(c.feature, c.value, c.to) for c in (other.changes if other else [])]
    return {
        "thin": score.thin_data,
        "fake_share": (share.share, share.lower, share.upper) if share else None,
        "what_if": WhatIf(changes, other.trust_score) if other else None,
    }
