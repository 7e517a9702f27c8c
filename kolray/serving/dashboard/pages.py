"""The dashboard's pages, over any ``DashboardData`` and any pair of session callables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, cast
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from kolray.clock import Clock, SystemClock
from kolray.errors import ServiceUnavailableError
from kolray.serving.dashboard.assets import mount_static
from kolray.serving.dashboard.campaign_pages import add_campaign_page
from kolray.serving.dashboard.data import DashboardData
from kolray.serving.dashboard.formats import moment
from kolray.serving.dashboard.language import add_language, language_of, others
from kolray.serving.dashboard.parts import unless_away
from kolray.serving.dashboard.ranking_pages import PAGE_ROWS, add_ranking_page, page_number, pages_of
from kolray.serving.dashboard.report_pages import BEST, add_report_pages, best_shown
from kolray.serving.dashboard.speech import speaking
from kolray.serving.dashboard.stream_views import stream_tiles
from kolray.serving.dashboard.text import Translate, translator
from kolray.serving.dashboard.views import environment, kol_view

log = logging.getLogger(__name__)

SignIn = Callable[[str], str | None]
SessionOk = Callable[[str], bool]
COOKIE = "kolray_session"
AT = "/dashboard"
"""Where the dashboard is mounted, beside the API's own paths."""
NEWEST_ALERTS = 6
ALERT_PAGES = 20
"""Older ones are in the lake (``bronze.alerts``)."""
FORM_BYTES = 8_192
SMALL = 1_400
"""Bytes that fit in one packet: nothing is won by making them fewer."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Site:
    """What every page needs."""

    data: DashboardData
    sign_in: SignIn
    session_ok: SessionOk
    zone: tzinfo = UTC
    language: str = "en"
    clock: Clock = field(default_factory=SystemClock)

    def words(self, request: Request) -> Translate:
        """The strings in the reader's language."""
        return translator(language_of(request, self.language))

    def signed_in(self, request: Request) -> bool:
        """The request has a session that holds."""
        cookie = request.cookies.get(COOKIE)
        return cookie is not None and self.session_ok(cookie)

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A template as an answer."""
        now, language = self.clock.now(), language_of(request, self.language)

        def when(at: datetime) -> str:
            return moment(at, self.zone)

        html = (
            environment(language)
            .get_template(template)
            .render(
                base=_base(request),
                live=f"{_base(request).removesuffix(AT)}/live",
                languages=others(language),
                here_path=_here(request),
                when=when,
                since=lambda at: (now - at).total_seconds(),
                zone=str(self.zone),
                **values,
            )
        )
        return HTMLResponse(html, status, HEADERS)


def _base(request: Request) -> str:
    """Where the dashboard is mounted, to begin every link with."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def _here(request: Request) -> str:
    """The path asked for below the dashboard, with its query."""
    return request.url.path.removeprefix(_base(request)) + (f"?{request.url.query}" if request.url.query else "")


def _route_class(site: Site, needs_session: bool) -> type[APIRoute]:
    """Routes that ask for a session and answer every error with a page."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def answer(request: Request) -> Response:
                with speaking(language_of(request, site.language)):
                    return await attempt(request)

            async def attempt(request: Request) -> Response:
                try:
                    if needs_session and not await run_in_threadpool(site.signed_in, request):
                        return _to_signin(request)
                    return await handle(request)
                except ServiceUnavailableError as error:
                    log.error("dashboard: %s", error)
                    return site.page(request, "error.html", 503, kind="error")
                # The outermost boundary: whatever it is, the analyst sees a page and the log has the reason.
                except Exception:
                    log.exception("dashboard: %s failed", request.url.path)
                    return site.page(request, "error.html", 500, kind="broken")

            return answer

    return PageRoute


def _to_signin(request: Request) -> RedirectResponse:
    base, here = _base(request), _here(request)
    target = "" if here in {"", "/"} else f"?next={quote(here)}"
    return RedirectResponse(f"{base}/signin{target}", 303, HEADERS)


def safe_next(target: str) -> str:
    """A path of this site to go on to; anything else (another host, a scheme) becomes the overview."""
    plain = target.isprintable() and "\\" not in target
    return target if plain and target.startswith("/") and not target.startswith("//") else "/"


def build_dashboard(
    data: DashboardData,
    sign_in: SignIn,
    session_ok: SessionOk,
    zone: tzinfo = UTC,
    clock: Clock | None = None,
) -> APIRouter:
    """The pages as a router.

    Args:
        sign_in: an API token → the value of a signed session cookie, or None if the token is not valid.
        session_ok: whether a cookie's value is one of those, and not expired or revoked.
        zone: of every time shown.
    """
    site = Site(data, sign_in, session_ok, zone, clock=clock or SystemClock())
    router = APIRouter(include_in_schema=False)
    public = APIRouter(route_class=_route_class(site, needs_session=False))
    private = APIRouter(route_class=_route_class(site, needs_session=True))
    _sessions(public, site)
    add_language(public, lambda request, target: _base(request) + safe_next(target))
    _overview(private, site)
    add_ranking_page(private, site)
    _kol(private, site)
    add_report_pages(private, site)
    add_campaign_page(private, site)
    _alerts(private, site)
    router.include_router(public)
    router.include_router(private)
    return router


def mount_dashboard(app: FastAPI, dashboard: APIRouter, at: str = AT, root: bool = True) -> None:
    """Puts the dashboard with its static files and its own 404 page under a path of an application.

    A path of its own, as the API has an ``/alerts`` too. ``root`` sends visitors of ``/`` there.
    """
    site = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    site.include_router(dashboard)
    mount_static(site)
    site.add_middleware(GZipMiddleware, minimum_size=SMALL, compresslevel=4)
    site.add_exception_handler(HTTPException, _missing_page)
    app.mount(at, site)
    if root:
        app.add_api_route("/", _Redirect(f"{at}/").go, include_in_schema=False)


@dataclass(frozen=True)
class _Redirect:
    target: str

    async def go(self, request: Request) -> Response:
        return RedirectResponse(_base(request) + self.target, 303)


async def _missing_page(request: Request, error: Exception) -> Response:
    status = cast(HTTPException, error).status_code
    html = (
        environment(language_of(request, "en"))
        .get_template("bare.html")
        .render(base=_base(request), kind="missing" if status == 404 else "broken")
    )
    return HTMLResponse(html, status, HEADERS)


def _sessions(router: APIRouter, site: Site) -> None:
    @router.get("/signin")
    def form(request: Request, following: Annotated[str, Query(alias="next")] = "/") -> Response:
        return site.page(request, "signin.html", following=safe_next(following), problem=None)

    @router.post("/signin")
    async def submit(request: Request) -> Response:
        fields = await _form(request)
        token, following = fields.get("token", "").strip(), safe_next(fields.get("next", "/"))
        cookie = await run_in_threadpool(site.sign_in, token) if token else None
        if cookie is None:
            problem = "signin_wrong" if token else "signin_empty"
            return site.page(request, "signin.html", 401, following=following, problem=problem)
        answer = RedirectResponse(_base(request) + following, 303, HEADERS)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, cookie, path="/", httponly=True, samesite="lax", secure=secure)
        return answer

    @router.post("/signout")
    async def signout(request: Request) -> Response:
        answer = RedirectResponse(f"{_base(request)}/signin", 303, HEADERS)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
        return answer


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small urlencoded form; a body that is too large counts as empty."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            return {}
    return {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}


def _overview(router: APIRouter, site: Site) -> None:
    @router.get("/")
    def overview(request: Request) -> Response:
        best = unless_away(lambda: site.data.rankings("trust", None, BEST))
        return site.page(
            request,
            "overview.html",
            overview=site.data.overview(),
            best=None if best is None else best.rows[: best_shown(best.total)],
            best_age_s=None if best is None else best.age_s,
            alerts=unless_away(lambda: site.data.alerts(NEWEST_ALERTS)),
            **_pulse(site, request),
        )

    @router.get("/pulse")
    def pulse(request: Request) -> Response:
        return site.page(request, "pulse.html", **_pulse(site, request))


def _pulse(site: Site, request: Request) -> dict[str, Any]:
    told = unless_away(lambda: (site.data.reports.stream(),))
    return {"tiles": stream_tiles(site.words(request), told[0]) if told else [], "stream_away": told is None}


def _kol(router: APIRouter, site: Site) -> None:
    # "path", as an id may contain a slash.
    @router.get("/kols/{kol_id:path}")
    def kol(request: Request, kol_id: str) -> Response:
        page = site.data.kol(kol_id)
        if page is None:
            return site.page(request, "error.html", 404, kind="missing_kol", kol_id=kol_id)
        return site.page(request, "kol.html", **kol_view(site.words(request), page, site.zone))


def _alerts(router: APIRouter, site: Site) -> None:
    @router.get("/alerts")
    def alerts(request: Request, page: str = "1") -> Response:
        first = (min(page_number(page), ALERT_PAGES) - 1) * PAGE_ROWS
        found = site.data.alerts(first + PAGE_ROWS + 1)  # one more tells whether there is another page
        pages = pages_of(min(len(found), ALERT_PAGES * PAGE_ROWS), first, {})
        return site.page(request, "alerts.html", alerts=found[first : first + PAGE_ROWS], pages=pages)
