"""The routes of the campaign's page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from kolray.serving.dashboard.campaign_views import campaign_view

if TYPE_CHECKING:
    from kolray.serving.dashboard.pages import Site


def add_campaign_page(router: APIRouter, site: Site) -> None:
    """``/campaigns/{campaign_id}``; ``?kol=`` chooses one of several KOLs."""

    # "path", as an id may contain a slash.
    @router.get("/campaigns/{campaign_id:path}")
    def campaign(request: Request, campaign_id: str, kol: str | None = None) -> Response:
        page = site.data.campaign(campaign_id, kol)
        if page is None:
            return site.page(request, "error.html", 404, kind="missing_campaign", campaign_id=campaign_id)
        return site.page(request, "campaign.html", **campaign_view(site.words(request), page, site.zone))
