"""The dashboard over the fake data, and a reader of its pages that is stricter than a browser."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser

from fastapi import FastAPI
from httpx import Response

from kolray.serving.dashboard.assets import mount_static
from kolray.serving.dashboard.pages import COOKIE, build_dashboard
from kolray.serving.dashboard.text import translator
from kolray.testing.dashboard import NOW, FakeDashboardData

with warnings.catch_warnings():
    # Starlette warns of httpx at import, which the product uses.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

TOKEN, SESSION = "kolray_right", "signed-session"
KOL = "dung.food31"
T = translator()


class StillClock:
    """A clock that stands."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None: ...


def sign_in(token: str) -> str | None:
    return SESSION if token == TOKEN else None


def session_ok(cookie: str) -> bool:
    return cookie == SESSION


def client(data: FakeDashboardData | None = None, signed_in: bool = True) -> TestClient:
    """The dashboard at the root of an application."""
    app = FastAPI()
    zone = timezone(timedelta(hours=7))
    app.include_router(build_dashboard(data or FakeDashboardData(), sign_in, session_ok, zone, StillClock()))
    mount_static(app)
    cookies = {COOKIE: SESSION} if signed_in else None
    return TestClient(app, follow_redirects=False, cookies=cookies)


class _Tags(HTMLParser):
    """Checks that elements nest, which browsers would silently repair."""

    VOID = frozenset({"meta", "link", "input", "br", "img", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        assert not any(name == "style" or name.startswith("on") for name, _ in attrs), "the policy forbids it"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags(answer: Response) -> _Tags:
    parser = _Tags()
    parser.feed(answer.text)
    assert parser.open == []
    assert len(set(parser.ids)) == len(parser.ids)
    assert parser.seen.count("h1") == 1
    assert parser.seen.count("table") == parser.seen.count("caption"), "a table says what it is of"
    return parser


PATHS = [
    "/",
    "/kols",
    "/kols?by=success",
    "/kols?by=engagement&platform=tiktok",
    "/kols?q=an",
    "/kols?q=zzz",
    "/alerts",
    "/trust",
    "/trust?platform=tiktok&category=food",
    "/campaigns",
    "/campaigns?state=ended&sort=lift&page=1",
    "/tuning",
    "/health",
]
