"""Dashboards that a browser can open: one over the fake world, one over real parts, both beside the real API."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Any
from urllib.parse import quote

import pytest
import uvicorn
from fastapi import FastAPI

from kolray.errors import ServiceUnavailableError
from kolray.local.ports import choose_port
from kolray.serving.build import build
from kolray.serving.dashboard.data import DashboardData, KolPage, RankedRows
from kolray.serving.dashboard.pages import AT, build_dashboard, mount_dashboard
from kolray.serving.dashboard.report_data import StreamPage, TrustPage
from kolray.serving.sessions import Sessions, kept_secret
from kolray.serving.tokens import Tokens
from kolray.settings import Settings
from kolray.stores.rankings import RankBy
from kolray.testing.campaign_page import BLANK, RUNS
from kolray.testing.dashboard import HOSTILE, NEW, NOW, FakeDashboardData
from kolray.testing.reports import JUDGED, LIVE, FakeReports
from tests.unit.serving.pages import KOL, StillClock

SCREENS = {
    "overview": "/",
    "kols": "/kols",
    "kols-by-growth": "/kols?by=growth&platform=tiktok",
    "kols-none": "/kols?q=zzz",
    "kol": f"/kols/{KOL}",
    "kol-new": f"/kols/{NEW}",
    "campaigns": "/campaigns",
    "campaign": f"/campaigns/{RUNS}",
    "campaign-blank": f"/campaigns/{BLANK}",
    "trust": "/trust",
    "alerts": "/alerts",
    "tuning": "/tuning",
    "search-live": f"/tuning/{LIVE}",
    "search": f"/tuning/{JUDGED}",
    "health": "/health",
    "kol-named-like-code": f"/kols/{quote(HOSTILE, safe='')}",
    "missing": "/kols/nobody",
    "missing-campaign": "/campaigns/nothing",
    "missing-search": "/tuning/nothing",
    "missing-page": "/nothing",
}
"""Name → path below the dashboard, of each page and its states."""
PAGES = ("overview", "kols", "campaigns", "trust", "alerts", "tuning", "health")
EMPTY = {f"empty-{name}": SCREENS[name] for name in PAGES}
AWAY = {"away": "/", "away-trust": "/trust", "broken": f"/kols/{KOL}"}


class AwayReports(FakeReports):
    """Without Redis."""

    def stream(self) -> StreamPage | None:
        raise ServiceUnavailableError("Redis", "redis://10.0.0.6:6379/0", "start it")

    def trust(self, platform: str | None, category: str | None) -> TrustPage:
        raise ServiceUnavailableError("Redis", "redis://10.0.0.6:6379/0", "start it")


class AwayData(FakeDashboardData):
    """Redis is away, and the page of a KOL cannot be made."""

    def __init__(self) -> None:
        super().__init__()
        self.reports = AwayReports(NOW, list)

    def rankings(
        self, by: RankBy, platform: str | None, limit: int, category: str | None = None, offset: int = 0
    ) -> RankedRows:
        raise ServiceUnavailableError("Redis", "redis://10.0.0.6:6379/0", "start it")

    def kol(self, kol_id: str) -> KolPage | None:
        raise RuntimeError(kol_id)


WORLDS: dict[str, tuple[Callable[[], DashboardData], dict[str, str]]] = {
    "full": (FakeDashboardData, SCREENS),
    "empty": (lambda: FakeDashboardData(n=0), EMPTY),
    "away": (AwayData, AWAY),
}
"""What a dashboard shows, and its screens."""
ZONE = timezone(timedelta(hours=7), "+07")
__all__ = ["HOSTILE", "KOL", "WORLDS", "Site", "fake_app", "serve"]


@dataclass(frozen=True)
class Site:
    """Where it is, and a token that may read."""

    url: str
    token: str

    def path(self, path: str) -> str:
        """The address of a page of the dashboard."""
        return f"{self.url}{AT}{path}"


def fake_app(settings: Settings, data: DashboardData) -> FastAPI:
    """The API over real parts, its dashboard over a fake world."""
    app = build(settings)
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", None) != AT]
    sessions = Sessions(Tokens.of(settings), kept_secret(settings.home))
    pages = build_dashboard(data, sessions.sign_in, sessions.ok, ZONE, StillClock())
    mount_dashboard(app, pages, root=False)
    return app


def wait_for_late_parts(page: Any) -> None:
    """What a page asks for once it is shown has come."""
    expect = pytest.importorskip("playwright.sync_api").expect
    expect(page.locator("[data-late] .wait")).to_have_count(0, timeout=30_000)


@contextmanager
def serve(app: FastAPI, settings: Settings) -> Iterator[Site]:
    """On a free port, as long as this lasts."""
    port = choose_port("browser")
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
        assert thread.is_alive(), "uvicorn ended"
    token = Tokens.of(settings).create(f"browser-{port}", ("read", "score"), 100_000)
    yield Site(f"http://127.0.0.1:{port}", token)
    server.should_exit = True
    thread.join()
