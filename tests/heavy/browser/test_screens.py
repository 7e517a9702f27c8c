"""Every screen, wide and narrow, in both languages and themes: it fits, asks nobody else, and axe finds nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.heavy.browser.conftest import Watched
from tests.heavy.browser.sites import Site, wait_for_late_parts

Open = Callable[..., Watched]
FOCUS = """() => {
  const element = document.activeElement, shown = getComputedStyle(element.matches('.segments input')
    ? element.nextElementSibling : element);
  return [element.tagName, element.textContent.trim(), shown.outlineStyle !== 'none' && shown.outlineWidth !== '0px'];
}"""


def found_by_axe(page: Any) -> list[str]:
    """Rule and place of each violation."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    response = axe.run(page).response
    return [f"{each['id']}: {node['target']}" for each in response["violations"] for node in each["nodes"]]


@pytest.mark.parametrize(
    ("width", "lang", "theme", "judged"),
    # Of a language and a width more only the room changes, which axe does not judge.
    [(1280, "en-US", "light", True), (390, "vi-VN", "dark", True), (390, "en-US", "light", False)],
)
def test_every_screen_fits_and_can_be_read_by_all(
    open_page: Open, world: tuple[Site, dict[str, str]], width: int, lang: str, theme: str, judged: bool
) -> None:
    site, screens = world
    watched = open_page(site, width=width, lang=lang, theme=theme)
    page = watched.page
    wrong = []
    for name, path in screens.items():
        page.goto(site.path(path))
        wait_for_late_parts(page)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wrong.append(f"{name}: scrolls to the side")
        wrong += [f"{name}: {violation}" for violation in (found_by_axe(page) if judged else [])]
    assert not wrong, "\n".join(wrong)
    assert watched.hosts == {site.url.removeprefix("http://")}
    # Pages of what is not there, or away.
    assert [fault for fault in watched.faults if not fault.startswith("Failed to load resource: the server")] == []


def test_the_reference_works_offline(open_page: Open, site: Site) -> None:
    watched = open_page(site)
    page = watched.page
    page.goto(f"{site.url}/docs")
    page.get_by_role("button", name="POST /kol/score", exact=False).first.click()
    page.get_by_text("trust_interval").first.wait_for()
    assert watched.hosts == {site.url.removeprefix("http://")}
    assert watched.faults == []


def test_signing_in_can_be_read_by_all(open_page: Open, site: Site) -> None:
    for theme in ("light", "dark"):
        page = open_page(site, "/signin", theme=theme, enter=False).page
        page.fill("#token", "kolray_wrong")
        page.keyboard.press("Enter")
        page.get_by_role("alert").wait_for()
        assert found_by_axe(page) == []
        assert page.evaluate("document.activeElement.id") == "token"


@pytest.mark.parametrize("path", ["/kols", "/campaigns", "/trust"])
def test_keys_alone_reach_everything_and_show_where_they_are(open_page: Open, site: Site, path: str) -> None:
    page = open_page(site, path).page
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS)[1] == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(FOCUS))
    assert [tag for tag, _, visible in seen if not visible] == []
    assert {"A", "SELECT"} <= {tag for tag, _, _ in seen}
    tip = page.locator(".help button").first
    tip.focus()
    assert page.locator(".help [role=tooltip]").first.is_visible()
    page.keyboard.press("Escape")
    assert not page.locator(".help [role=tooltip]").first.is_visible()
