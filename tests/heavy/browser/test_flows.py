"""What an analyst does, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import polars as pl
import psutil

from kolray.local.process import RunFolder
from kolray.settings import Settings
from kolray.stores.metrics import ALERT_SCHEMA
from kolray.stores.open import open_feature_store
from tests.heavy.browser.conftest import Watched
from tests.heavy.browser.sites import HOSTILE, KOL, Site

Open = Callable[..., Watched]
FIRST = ".ranking tbody tr:first-child .kol"


def test_in_search_sort_filter_read_and_out_again(open_page: Open, site: Site) -> None:
    page = open_page(site, "/kols?by=growth", enter=False).page
    assert "/signin" in page.url
    page.fill("#token", "kolray_wrong")
    page.click("main button")
    assert page.get_by_role("alert").is_visible()
    page.fill("#token", site.token)
    page.keyboard.press("Enter")
    page.wait_for_url("**/kols?by=growth")  # where it was going

    page.get_by_role("radio", name="Trust").check(force=True)  # its label covers it
    page.wait_for_url("**by=trust**")
    page.get_by_label("Platform").select_option("tiktok")  # no button: it applies at once
    page.wait_for_url("**platform=tiktok**")
    best = page.locator(FIRST).inner_text()
    page.locator(FIRST).click()
    assert page.get_by_role("heading", level=1).inner_text() == best

    page.get_by_label("Find an influencer").press_sequentially(KOL[:4])
    page.wait_for_selector(f'#found option[value="{KOL}"]', state="attached")
    page.get_by_label("Find an influencer").fill(KOL)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/kols/{KOL}")

    page.get_by_role("link", name="Tiếng Việt").click()
    page.wait_for_selector('html[lang="vi"]')
    assert page.url.endswith(f"/kols/{KOL}")
    page.get_by_role("button", name="Đăng xuất").click()
    page.wait_for_url("**/signin")
    page.goto(site.path("/kols"))
    assert "/signin" in page.url


def test_arrows_go_through_rankings_and_filters_where_they_left_off(open_page: Open, site: Site) -> None:
    page = open_page(site, "/kols").page
    page.get_by_role("radio", name="Trust").focus()
    for by in ("success", "engagement", "growth"):
        with page.expect_navigation():
            page.keyboard.press("ArrowRight")
        page.wait_for_url(f"**by={by}**")
        assert page.evaluate("document.activeElement.value") == by
    page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("ArrowDown")
    assert page.evaluate("[document.activeElement.name, document.activeElement.value]") == ["platform", "facebook"]
    assert page.locator("th[aria-sort]").inner_text().startswith("Followers")
    page.goto(site.path("/kols"))
    assert page.evaluate("document.activeElement.tagName") == "BODY", "another visit begins at the top"


def test_a_session_that_ends_asks_to_sign_in_and_comes_back(open_page: Open, site: Site) -> None:
    page = open_page(site, "/health").page
    page.context.clear_cookies()
    page.wait_for_url("**/signin?next=/health")
    assert page.get_by_text("Sign in to see that page.").is_visible()
    page.fill("#token", site.token)
    page.keyboard.press("Enter")
    page.wait_for_url("**/health")


def test_a_server_that_is_lost_is_said_and_found_again(open_page: Open, site: Site) -> None:
    page = open_page(site, "/health").page
    page.context.set_offline(True)
    page.get_by_text("Live figures have stopped").wait_for()
    page.context.set_offline(False)
    page.get_by_text("Live figures have stopped").wait_for(state="hidden")


def test_pages_lead_to_each_other(open_page: Open, site: Site) -> None:
    watched = open_page(site)
    page = watched.page
    for link, heading in (("Campaigns", "Campaigns"), ("Trust", "Trust of everyone"), ("Tuning", "Tuning")):
        page.get_by_role("navigation", name="Main").get_by_role("link", name=link, exact=True).click()
        assert page.get_by_role("heading", level=1).inner_text() == heading
    page.locator("tbody th a").last.click()
    assert page.get_by_role("heading", level=1).inner_text() == "Trust model"
    page.goto(site.path("/trust"))
    page.get_by_role("link", name="TikTok").click()
    assert page.get_by_label("Platform").input_value() == "tiktok"
    page.goto(site.path("/campaigns"))
    page.get_by_role("radio", name="Ended").check(force=True)
    page.wait_for_url("**state=ended**")
    page.locator("tbody th > a").first.click()
    page.wait_for_url("**/campaigns/cmp_**")
    assert watched.faults == ["Failed to load resource: the server responded with a status of 404 (Not Found)"]


def test_a_name_that_is_markup_is_a_name(open_page: Open, site: Site) -> None:
    watched = open_page(site, f"/kols/{quote(HOSTILE, safe='')}")
    assert watched.page.get_by_role("heading", level=1).inner_text() == HOSTILE
    assert watched.faults == []


def test_the_theme_follows_the_system(open_page: Open, site: Site) -> None:
    page = open_page(site).page
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(colour) != light


def report(events: int, lag: int) -> dict[str, Any]:
    part = {"events": events, "lag": lag, "rejected": 0, "watermark_delay_s": 2.0}
    shard = {"shard": 0, "state": "running", "restarts": 0, "checkpoint_age_s": 3.0, "partitions": {"0": part}}
    return {"state": "running", "at": datetime.now(UTC).timestamp(), "shards": [shard]}


def test_the_streams_figures_come_by_themselves(open_page: Open, real: Site, settings: Settings) -> None:
    redis = open_feature_store(settings.redis)
    watched = open_page(real)
    page = watched.page
    for lag in (4321, 1234):
        redis.put_stream(report(10_000 - lag, lag))
        page.wait_for_selector(f"#pulse >> text={lag:,}")
    assert watched.faults == []


def test_an_alert_that_comes_is_shown_without_a_reload(open_page: Open, site: Site, settings: Settings) -> None:
    page = open_page(site).page
    page.evaluate("document.querySelector('#overview-live .alerts').replaceChildren()")
    store = open_feature_store(settings.redis)
    with page.expect_response(lambda answer: answer.url.endswith("/dashboard/")):
        for n in range(3):  # the stream may begin behind the first: it tells what comes from then on
            at = datetime.now(UTC)
            row = (f"a{n}", "spike", "a", "1h", at, "high", "{}", at)
            store.put_alerts(pl.DataFrame([row], schema=ALERT_SCHEMA, orient="row"))
            page.wait_for_timeout(1000)
    page.wait_for_selector("#overview-live .alerts li")


def test_without_redis_pages_say_so_and_come_back(open_page: Open, real: Site, settings: Settings) -> None:
    page = open_page(real).page
    [watchdog] = RunFolder(settings.home).running()
    [redis] = psutil.Process(watchdog.pid).children()
    redis.suspend()
    try:
        page.goto(real.path("/kols"))
        assert page.get_by_role("heading", level=1).inner_text() == "The data cannot be reached"
        page.goto(real.path("/health"))
        assert page.get_by_text("Redis does not answer.").is_visible()
    finally:
        redis.resume()
    page.wait_for_timeout(2100)  # the breaker's rest
    page.goto(real.path("/kols"))
    assert page.get_by_role("heading", level=1).inner_text() == "Influencers"
