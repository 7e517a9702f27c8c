"""The open endpoints: a pixel, a collector, a script and links, on an outbox that sends nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from kolray.clock import SystemClock
from kolray.errors import InvalidInputError
from kolray.serving.problems import install
from kolray.serving.tracking.front import Front
from kolray.serving.tracking.journal import Journal
from kolray.serving.tracking.links import Link, Links
from kolray.serving.tracking.outbox import Outbox
from kolray.serving.tracking.routes import GIF, tracking_routes
from kolray.serving.tracking.tracker import Tracker

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
VISIT = {"kol_id": "k1", "campaign_id": "c1", "consent": "1"}


class Site:
    """A client with what was sent."""

    def __init__(self, folder: Path) -> None:
        self.sent: list[pl.DataFrame] = []
        self.outbox = Outbox(Journal(folder, 1 << 20), self.sent.append)
        self.tracker = Tracker(self.outbox, b"secret", SystemClock())
        self.links = Links("secret")
        routes = tracking_routes(self.tracker, self.links, 0)
        app = FastAPI(routes=routes)
        app.add_middleware(Front, routes=routes)
        install(app)
        self.client = TestClient(app, headers=BROWSER, follow_redirects=False)

    def events(self) -> pl.DataFrame:
        return pl.concat(self.sent)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.outbox.close()


def test_the_pixel_is_a_gif_whatever_was_said(site: Site) -> None:
    answer = site.client.get("/pixel.gif", params=VISIT | {"ack": "1"})
    assert (answer.status_code, answer.content) == (200, GIF)
    assert answer.headers["Cache-Control"] == "no-store"
    [row] = site.events().to_dicts()
    assert (row["kol_id"], row["event_type"], row["consent"], len(row["visitor"])) == ("k1", "impression", True, 32)
    refused = site.client.get("/pixel.gif", params={"kol_id": "k1"})
    assert refused.content == GIF
    assert "missing: campaign_id" in refused.headers["X-Refused"]


def test_the_collector_takes_single_hits_and_batches_as_beacons_send_them(site: Site) -> None:
    one = site.client.post("/collect?ack=1", content=json.dumps(VISIT), headers={"Content-Type": "text/plain"})
    assert (one.status_code, one.json()) == (202, {"accepted": 1, "filtered": 0, "refused": []})
    batch = [VISIT | {"event_type": "conversion", "value": 3}, {"kol_id": "k"}, 7, VISIT]
    told = site.client.post("/collect?ack=1", json=batch).json()
    assert (told["accepted"], told["filtered"]) == (1, 1), "the same visit within two seconds is a repeat"
    assert [part["hit"] for part in told["refused"]] == [1, 2]
    assert site.events().height == 2
    assert site.tracker.counts == {"accepted": 2, "repeat": 1, "refused": 2}


def test_bots_are_answered_and_not_counted(site: Site) -> None:
    answer = site.client.post("/collect", json=VISIT, headers={"User-Agent": "Googlebot/2.1"})
    assert answer.json() == {"accepted": 0, "filtered": 1, "refused": []}
    assert site.tracker.counts["bot"] == 1


def test_do_not_track_and_global_privacy_control_are_no_consent(site: Site) -> None:
    for header in ({"DNT": "1"}, {"Sec-GPC": "1"}):
        site.client.post("/collect?ack=1", json=VISIT, headers=header)
    assert site.events()["visitor"].to_list() == ["", ""]


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 413), (b"[" * 5000, 400), (b"[" + b"1," * 100 + b"1]", 413), (b"x" * 300_000, 413),
     (b"7", 422), (b'{"kol_id": "\\ud800"}', 422)],
)  # fmt: skip
def test_hostile_bodies_are_problems_never_errors(site: Site, body: bytes, status: int) -> None:
    answer = site.client.post("/collect", content=body)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_pages_of_other_origins_may_send(site: Site) -> None:
    answer = site.client.options("/collect")
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "sendBeacon" in site.client.get("/k.js").text


def test_a_link_counts_a_click_and_leads_where_it_was_made_to(site: Site) -> None:
    made = site.links.make(Link("https://shop.example/p?x=1", "k1", "c1"))
    answer = site.client.get(f"/l/{made}?consent=1")
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://shop.example/p?x=1")
    site.client.get("/pixel.gif", params=VISIT | {"ack": "1"})
    assert site.events()["event_type"].to_list() == ["click", "impression"]


def test_a_link_of_someone_else_leads_nowhere(site: Site) -> None:
    forged = Links("other").make(Link("https://evil.example/", "k1", "c1"))
    assert site.client.get(f"/l/{forged}").status_code == 404
    assert site.client.get("/l/https:%2F%2Fevil.example").status_code == 404
    for target in ("javascript:alert(1)", "//evil.example", "https://", "x" * 3000):
        with pytest.raises(InvalidInputError):
            site.links.make(Link(target, "k1", "c1"))
