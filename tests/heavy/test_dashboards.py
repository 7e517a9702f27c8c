"""After the demo, the night's look at its champions and a poll, every panel's query has data on a real Prometheus."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
from deltalake import write_deltalake

from kolray.lake.tables import LakeTables, arrow_ready
from kolray.local.ports import choose_port
from kolray.observability.config import Watched
from kolray.observability.dashboards import DASHBOARDS, RATE, RAY
from kolray.testing.clock import FakeClock
from kolray.testing.platforms import FakeWorld, Faults, fake_weibo
from kolray.testing.platforms.weibo import TOKEN, uid
from tests.prometheus import Prometheus, exporter, needs_prometheus, prometheus, wait

pytestmark = [pytest.mark.heavy, needs_prometheus]
ROOT = Path(__file__).parents[2]
KOLRAY = str(Path(sys.executable).with_name("kolray"))
QUERIES = {
    f"{board.title} / {panel.title} / {legend}": query.replace(RATE, "[8s]").replace("[1h]", "[8s]")
    for board in DASHBOARDS
    if board is not RAY  # the demo's Ray tells nothing; see test_ray_watched.py
    for panel in board.panels
    for legend, query in panel.queries.items()
}


@contextmanager
def _demo(folder: Path) -> Iterator[tuple[str, str]]:
    """A demo that serves: its URL, and a curl line that works."""
    command = [sys.executable, str(ROOT / "jobs" / "demo.py"), "--kols", "400", "--hours", "74"]
    env = os.environ | {"KOLRAY_HOME": str(folder), "COLUMNS": "400"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env) as demo:
        assert demo.stdout is not None
        told: list[str] = []
        try:
            for line in demo.stdout:
                told.append(line)
                if "serving until" in line:
                    break
            [curl] = [line for line in told if line.startswith("curl")]
            yield curl.split()[2].removesuffix("/kol/score"), curl.partition("Bearer ")[2].partition("'")[0]
        finally:
            demo.terminate()
            demo.stdout.read()


def _ask(url: str, token: str) -> None:
    """Scores from the model and from the cache, and lists."""
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20) as client:
        for number in range(20):
            client.post("/kol/score", json={"kol_id": f"kol_{number // 2:06d}"}).raise_for_status()
        client.post("/kol/score/batch", json={"kol_ids": ["kol_000001", "nobody"]}).raise_for_status()
        client.get("/rankings").raise_for_status()


def _a_day_ago(home: Path) -> None:
    """The forecasts once more, made a day before: what is judged when its hours have passed, on a second night."""
    name, day = "gold.forecasts", timedelta(days=1)
    tables = LakeTables(str(home / "lake"))
    rows = tables.scan(name).with_columns(pl.col("origin", "at") - day, pl.col("dt") - day).collect()
    write_deltalake(tables.path(name).url, arrow_ready(rows, name).to_arrow(), mode="append", partition_by=["dt"])


def _poll_and_measure(home: Path) -> None:
    env = os.environ | {"KOLRAY_HOME": str(home), "KOLRAY_WEIBO__ACCESS_TOKEN": TOKEN}
    with fake_weibo(FakeWorld(1, FakeClock(), n_accounts=2, n_posts=4), Faults()) as url:
        command = [KOLRAY, "ingest", "weibo", "--uid", uid(0)]
        subprocess.run(command, env=env | {"KOLRAY_WEIBO__BASE_URL": url}, check=True, capture_output=True, cwd=home)
    night = [sys.executable, str(ROOT / "jobs" / "nightly.py"), "2026-01-31", "drift"]
    subprocess.run(night, env=env, check=True, capture_output=True, cwd=home)


@contextmanager
def _deliverer(home: Path) -> Iterator[None]:
    """A webhook, and who delivers to it."""
    env = os.environ | {"KOLRAY_HOME": str(home)}
    command = [KOLRAY, "webhooks", "add", "desk", "http://127.0.0.1:9/"]
    subprocess.run(command, env=env, check=True, capture_output=True)
    with subprocess.Popen([KOLRAY, "webhooks", "deliver"], env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.terminate()


def _empty(server: Prometheus, told: list[str]) -> bool:
    """Whether a query has no data; which ones is told."""
    told[:] = [where for where, query in QUERIES.items() if not server.query(query)]
    return bool(told)


def test_every_panel_has_data_after_the_demo(tmp_path: Path) -> None:
    home, port = tmp_path / "demo", choose_port("exporter")
    with _demo(tmp_path) as (url, token):
        watched = Watched(f"127.0.0.1:{port}", f"{home}/metrics/targets", str(tmp_path / "no-ray.json"), every_s=1)
        with exporter(home, port), _deliverer(home), prometheus(tmp_path / "prometheus", watched) as server:
            _a_day_ago(home)
            _poll_and_measure(home)
            _ask(url, token)
            empty: list[str] = []
            with suppress(AssertionError):  # what is empty says more than that it took too long
                wait(lambda: not _empty(server, empty), 40)
            assert empty == []
