"""``ReportData`` over the stores, the lake and the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kolray.errors import ServiceUnavailableError
from kolray.models.registry import ModelRegistry
from kolray.models.searches import Search, Searches
from kolray.serving.campaign_list import CampaignList
from kolray.serving.dashboard.report_data import CampaignsPage, HealthPage, SearchPage, StreamPage, TrustPage
from kolray.serving.kept import Kept
from kolray.serving.progress import StreamNow, stream_now
from kolray.serving.scoring import ScoringGraph
from kolray.serving.system_health import SystemHealth
from kolray.serving.trust_overview import TrustOverview
from kolray.settings import Settings

SEARCHES_S = 2
"""Trials are shown live, and MLflow asked for all viewers at once."""


class LiveReports:
    """What the pages beyond KOLs and alerts show.

    Args:
        reference: rows of ``ref.kols`` by id, as they are now.
    """

    def __init__(self, settings: Settings, graph: ScoringGraph, reference: Kept[dict[str, dict[str, Any]]]) -> None:
        self._graph = graph
        self._trust = TrustOverview(graph.lookup, graph.lake, reference)
        self._campaigns = CampaignList(graph.lake, graph.erased)
        self._searches = Searches(ModelRegistry.of(settings))
        self._newest = Kept(self._searches.newest, SEARCHES_S)
        self._health = SystemHealth(settings, graph)

    def stream(self) -> StreamPage | None:
        """From Redis."""
        return _page(stream_now(self._graph.lookup, self._graph.clock))

    def trust(self, platform: str | None, category: str | None) -> TrustPage:
        """Scores as Redis has them."""
        return self._trust.page(platform, category, self._graph.champions.loaded().get("trust"))

    def campaigns(self, state: str | None, sort: str, limit: int, offset: int) -> CampaignsPage:
        """From the lake's newest batch."""
        return self._campaigns.page(state, sort, limit, offset)

    def searches(self) -> Sequence[Search]:
        """From MLflow."""
        return self._newest.get()

    def search_page(self, search_id: str) -> SearchPage | None:
        """From MLflow."""
        found = self._searches.find(search_id)
        return None if found is None else SearchPage(*found)

    def health(self) -> HealthPage:
        """Asked now."""
        try:
            now = stream_now(self._graph.lookup, self._graph.clock)
        except ServiceUnavailableError:
            now = None
        return self._health.page(_page(now), now)


def _page(now: StreamNow | None) -> StreamPage | None:
    if now is None:
        return None
    return StreamPage(now.progress, [p.events_per_s for p in now.paces], [p.lag for p in now.paces])
