"""The routes of the rankings' page: sorted, filtered, searched, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from kolray.serving.dashboard.data import RankedRows
from kolray.stores.rankings import BYS, RankBy

if TYPE_CHECKING:
    from kolray.serving.dashboard.pages import Site

PAGE_ROWS = 50


def add_ranking_page(router: APIRouter, site: Site) -> None:
    """``/kols?by=&platform=&category=&page=`` or ``?q=``, and ``/suggest?q=`` for the search's suggestions."""

    @router.get("/kols")
    def kols(
        request: Request,
        by: str = "trust",
        platform: str = "",
        category: str = "",
        q: str = "",
        page: str = "1",
    ) -> Response:
        chosen: RankBy = by if by in BYS else "trust"
        query = q.strip()[:200]
        found = site.data.search(query) if query else []
        base = request.scope.get("root_path", "").rstrip("/")
        exact = [name for name in found if name.lower() == query.lower()]
        if len(exact) == 1:
            return RedirectResponse(f"{base}/kols/{quote(exact[0], safe='')}", 303)
        first = (page_number(page) - 1) * PAGE_ROWS
        held = (
            RankedRows(len(found), site.data.places(chosen, found))
            if query
            else site.data.rankings(chosen, platform or None, PAGE_ROWS, category or None, first)
        )
        asked = {name: value for name, value in (("platform", platform), ("category", category)) if value}
        return site.page(
            request,
            "kols.html",
            rows=held.rows,
            total=held.total,
            age_s=held.age_s,
            first=first,
            pages=pages_of(held.total, first, {"by": chosen, **asked}) if not query else {},
            by=chosen,
            orders=BYS,
            platform=platform,
            platforms=site.data.platforms(),
            category=category,
            categories=site.data.categories(),
            query=query,
        )

    @router.get("/suggest")
    def suggest(q: str = "") -> Response:
        query = q.strip()[:200]
        return JSONResponse(site.data.search(query)[:10] if query else [], headers={"Cache-Control": "no-store"})


def page_number(text: str) -> int:
    """The page that a query names, from 1 on."""
    return max(int(text[:6]) if text.isdecimal() else 1, 1)


def pages_of(total: int, first: int, asked: dict[str, str]) -> dict[str, str]:
    """Links to the page before and behind, where there is one."""
    number = first // PAGE_ROWS + 1
    there = {"before": number - 1 if first else 0, "behind": number + 1 if first + PAGE_ROWS < total else 0}
    return {name: "?" + urlencode(asked | {"page": page}) for name, page in there.items() if page}
