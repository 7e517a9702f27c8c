"""What a first visit weighs, as it comes over the wire."""

from __future__ import annotations

import re

from fastapi import FastAPI

from kolray.serving.dashboard.assets import STATIC
from kolray.serving.dashboard.pages import COOKIE, build_dashboard, mount_dashboard
from kolray.testing.campaign_page import RUNS
from kolray.testing.dashboard import FakeDashboardData
from kolray.testing.reports import JUDGED
from tests.unit.serving.pages import KOL, PATHS, SESSION, TestClient, session_ok, sign_in

LIMIT = 40_000
"""Bytes: a second on a slow phone."""


def test_a_first_visit_weighs_little_and_shows_before_its_script_runs() -> None:
    app = FastAPI()
    mount_dashboard(app, build_dashboard(FakeDashboardData(n=60), sign_in, session_ok))
    browser = TestClient(app, cookies={COOKIE: SESSION})
    for path in (*PATHS, f"/kols/{KOL}", f"/campaigns/{RUNS}", f"/tuning/{JUDGED}"):
        page = browser.get(f"/dashboard{path}")
        assets = re.findall(r'"(/dashboard/static/[^"]*)"', page.text)
        assert len(assets) == 3, "a sheet, a script and an icon"
        weights = [int(answer.headers["content-length"]) for answer in (page, *map(browser.get, assets))]
        assert sum(weights) < LIMIT, (path, weights)
        assert re.findall(r"<script[^>]*>", page.text) == re.findall(r"<script [^>]* defer>", page.text)


def test_nothing_moves_by_itself() -> None:
    # Who asks for reduced motion gets what all get.
    assert not re.search(r"animation|transition|scroll-behavior", (STATIC / "dashboard.css").read_text())
