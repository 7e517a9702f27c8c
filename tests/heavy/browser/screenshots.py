"""``make screens``: a picture of every screen, wide and narrow, in both languages and themes, to be looked at.

``python -m tests.heavy.browser.screenshots FOLDER [--url URL --token TOKEN]``: over the fake world, or a running API.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from kolray.local import servers
from kolray.local.profiles import one_server
from kolray.settings import load_settings
from kolray.stores.open import open_metrics_store
from tests.heavy.browser.conftest import CHROMIUM
from tests.heavy.browser.sites import PAGES, SCREENS, WORLDS, Site, fake_app, serve, wait_for_late_parts

WIDTHS, LANGUAGES, THEMES = (1280, 390), ("en", "vi"), ("light", "dark")
REAL = {name: SCREENS[name] for name in PAGES}


def main() -> None:
    """Parses the command line and takes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", help="of a running API; none: the fake world")
    parser.add_argument("--token")
    parser.add_argument("--only", nargs="*", help="names of screens")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        sites = [(Site(options.url, options.token), REAL)] if options.url else _fake(stack)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width, language, theme in itertools.product(WIDTHS, LANGUAGES, THEMES):
            context = browser.new_context(viewport={"width": width, "height": 900}, locale=language, color_scheme=theme)
            for site, screens in sites:
                chosen = {name: path for name, path in screens.items() if not options.only or name in options.only}
                if chosen:
                    _take(context.new_page(), site, chosen, options.folder, f"{width}-{language}-{theme}")
            context.close()
        browser.close()


def _fake(stack: ExitStack) -> list[tuple[Site, dict[str, str]]]:
    home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    stack.enter_context(one_server(servers.redis, home))
    settings = load_settings(home=home)
    open_metrics_store(settings).migrate()
    return [
        (stack.enter_context(serve(fake_app(settings, data()), settings)), screens) for data, screens in WORLDS.values()
    ]


def _take(page: Any, site: Site, screens: dict[str, str], folder: Path, name: str) -> None:
    page.goto(site.path("/signin"))
    page.screenshot(path=folder / f"signin-{name}.png", full_page=True)
    page.fill("#token", "kolray_wrong")
    page.click("main button")
    page.screenshot(path=folder / f"signin-wrong-{name}.png", full_page=True)
    page.fill("#token", site.token)
    page.click("main button")
    for screen, path in screens.items():
        page.goto(site.path(path))
        wait_for_late_parts(page)
        page.screenshot(path=folder / f"{screen}-{name}.png", full_page=True)


if __name__ == "__main__":
    main()
