"""The routes of trust, campaigns, searches and health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from kolray.serving.dashboard.campaign_list_views import STATES, campaigns_view
from kolray.serving.dashboard.health_views import health_view
from kolray.serving.dashboard.parts import unless_away
from kolray.serving.dashboard.ranking_pages import PAGE_ROWS, page_number, pages_of
from kolray.serving.dashboard.report_data import CAMPAIGN_SORTS
from kolray.serving.dashboard.trust_views import no_moves, trust_view
from kolray.serving.dashboard.tuning_views import search_view, searches_view

if TYPE_CHECKING:
    from kolray.serving.dashboard.pages import Site

BEST = 5
"""The most trusted, on the overview."""


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
        page = unless_away(lambda: reports.trust(None, None))
        words = no_moves(site.words(request), page, site.zone) if page else site.words(request)("part_away")
        fell, rose = (page.fell[:4], page.rose[:3]) if page else ((), ())
        return site.page(request, "moved.html", fell=fell, rose=rose, no_moves=words)

    @router.get("/lowest")
    def lowest(request: Request) -> Response:
        """Another such part: the least trusted, but those who are among the best of a few."""
        page = unless_away(lambda: reports.trust(None, None))
        rows = page.lowest[: page.scored - best_shown(page.scored)] if page else ()
        return site.page(
            request, "lowest.html", rows=rows, sampled=page is not None and page.sampled, away=page is None
        )

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


def best_shown(total: int) -> int:
    """How many of the best the overview shows: of few KOLs half, as it shows the last ones too."""
    return min(BEST, (total + 1) // 2)


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
