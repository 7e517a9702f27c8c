"""A headless Chromium, and what it opens. Every page that a test opens is watched: see ``Watched``."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from kolray.local import servers
from kolray.local.profiles import one_server
from kolray.serving.build import build
from kolray.settings import Settings, load_settings
from kolray.stores.open import open_metrics_store
from kolray.testing.dashboard import FakeDashboardData
from tests.heavy.browser.sites import WORLDS, Site, fake_app, serve

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these are heavy, and need a Chromium of the system's."""
    for item in items:
        if "/browser/" in str(item.path):
            item.add_marker(pytest.mark.heavy)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium here (Debian: apt-get install chromium)"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Chromium; each test opens contexts of its own. Its loop has to end before tests that run loops of their own."""
    sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright
    with sync_playwright() as playwright:
        # A container may not make the namespaces that the sandbox is made of; pages are our own.
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@dataclass
class Watched:
    """What went wrong on a page, and whom it asked: ``faults`` are errors of scripts, policy and resources."""

    page: Any
    faults: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Watched]]:
    """Opens a page of a site, signed in unless told otherwise, in a context of its own."""
    contexts = []

    def opened(
        site: Site, path: str = "/", width: int = 1280, lang: str = "en-US", theme: str = "light", *, enter: bool = True
    ) -> Watched:
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, locale=lang, color_scheme=theme)
        context.set_default_timeout(30_000)
        contexts.append(context)
        watched = Watched(context.new_page())
        page = watched.page
        page.on("console", lambda m: watched.faults.append(m.text) if m.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: watched.faults.append(str(error)))
        page.on("request", lambda request: watched.hosts.add(urlsplit(request.url).netloc))
        if enter:
            page.goto(site.path("/signin"))
            page.fill("#token", site.token)
            page.click("main button")
        page.goto(site.path(path))
        return watched

    yield opened
    for context in contexts:
        context.close()


@contextmanager
def _home(folder: Any) -> Iterator[Settings]:
    with one_server(servers.redis, folder):
        settings = load_settings(home=folder)
        open_metrics_store(settings).migrate()
        yield settings


@pytest.fixture(scope="package")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home with a Redis."""
    with _home(tmp_path_factory.mktemp("browser")) as settings:
        yield settings


@pytest.fixture(scope="package")
def site(settings: Settings) -> Iterator[Site]:
    """The dashboard over the fake world."""
    with serve(fake_app(settings, FakeDashboardData()), settings) as site:
        yield site


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, settings: Settings) -> Iterator[tuple[Site, dict[str, str]]]:
    """Each fake world with its screens."""
    data, screens = WORLDS[request.param]
    with serve(fake_app(settings, data()), settings) as site:
        yield site, screens


@pytest.fixture(scope="package")
def real(settings: Settings) -> Iterator[Site]:
    """The dashboard over real parts, in which nothing has happened yet."""
    with serve(build(settings), settings) as site:
        yield site
