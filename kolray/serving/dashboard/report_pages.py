"""The routes of trust, campaigns, searches and health."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from kolray.errors import ServiceUnavailableError
from kolray.serving.dashboard.campaign_list_views import STATES, campaigns_view
from kolray.serving.dashboard.health_views import health_view
from kolray.serving.dashboard.ranking_pages import PAGE_ROWS, page_number, pages_of
from kolray.serving.dashboard.report_data import CAMPAIGN_SORTS
from kolray.serving.dashboard.trust_views import no_moves, trust_view
from kolray.serving.dashboard.tuning_views import search_view, searches_view

if TYPE_CHECKING:
    from kolray.serving.dashboard.pages import Site

log = logging.getLogger(__name__)


def add_report_pages(router: APIRouter, site: Site) -> None:
    """``/trust``, ``/campaigns``, ``/tuning``, ``/tuning/{id}`` and ``/health``."""
    reports = site.data.reports
    _campaigns(router, site)

    @router.get("/trust")
    def trust(request: Request, platform: str = "", category: str = "") -> Response:
        page = reports.trust(platform or None, category or None)
        return site.page(
            request,
            "trust.html",
            platform=platform,
            platforms=site.data.platforms(),
            category=category,
            categories=site.data.categories(),
            **trust_view(site.words(request), page, site.zone),
        )

    @router.get("/moved")
    def moved(request: Request) -> Response:
        """A part of the overview, which asks for it once it is shown: the lake may take its time."""
        try:
            page = reports.trust(None, None)
        except ServiceUnavailableError as error:
            log.warning("dashboard: %s", error)
            return site.page(request, "moved.html", fell=(), rose=(), no_moves=site.words(request)("moved_away"))
        words = no_moves(site.words(request), page, site.zone)
        return site.page(request, "moved.html", fell=page.fell[:4], rose=page.rose[:3], no_moves=words)

    @router.get("/tuning")
    def tuning(request: Request) -> Response:
        return site.page(request, "tuning.html", searches=searches_view(reports.searches(), site.clock.now()))

    @router.get("/tuning/{search_id}")
    def search(request: Request, search_id: str) -> Response:
        page = reports.search_page(search_id)
        if page is None:
            return site.page(request, "error.html", 404, kind="missing_search")
        return site.page(request, "search.html", **search_view(site.words(request), page, site.clock.now()))

    @router.get("/health")
    def health(request: Request) -> Response:
        return site.page(request, "health.html", **health_view(site.words(request), reports.health(), site.clock.now()))


def _campaigns(router: APIRouter, site: Site) -> None:
    @router.get("/campaigns")
    def campaigns(request: Request, state: str = "", sort: str = "start", page: str = "1") -> Response:
        chosen, by = state if state in STATES else "", sort if sort in CAMPAIGN_SORTS else "start"
        first = (page_number(page) - 1) * PAGE_ROWS
        found = site.data.reports.campaigns(chosen or None, by, PAGE_ROWS, first)
        asked = {name: value for name, value in (("state", chosen), ("sort", by)) if value}
        view = campaigns_view(site.words(request), found, site.zone)
        return site.page(
            request,
            "campaigns.html",
            state=chosen,
            sort=by,
            sorts=CAMPAIGN_SORTS,
            first=first,
            pages=pages_of(found.total, first, asked),
            **view,
        )
