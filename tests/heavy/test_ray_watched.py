"""A real Prometheus reads Ray's own list of nodes: panels have data, and a node that is killed raises its alert."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from kolray.observability.config import Watched
from kolray.observability.dashboards import RAY
from tests.prometheus import needs_prometheus, prometheus, until_firing
from tests.ray_head import ray_cluster, title
from tests.waiting import until

pytestmark = [pytest.mark.heavy, needs_prometheus]
LOST = {"KolrayRayNodeDown"}
ACTORS = "Memory of actors and Ray's own processes"
QUERIES = {panel.title: query for panel in RAY.panels for query in panel.queries.values()}


def _list_of_nodes() -> Path:
    """Ray's file for Prometheus, of the Ray that this process started: others of this machine have theirs."""
    told = " ".join(title(process) for process in psutil.Process().children(recursive=True))
    [session] = set(re.findall(r"--session[-_]dir[= ](\S+)", told))
    return Path(session) / "prom_metrics_service_discovery.json"


def _kill(node: psutil.Process) -> None:
    for process in [*node.children(recursive=True), node]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def test_a_killed_node_of_rays_own_list_raises_its_alert_which_ends_by_itself(tmp_path: Path) -> None:
    with ray_cluster(tmp_path / "home", tmp_path, workers=1) as (address, [node]):
        httpx.post(f"{address}/api/jobs/", json={"entrypoint": "sleep 300"}).raise_for_status()  # an actor
        watched = Watched(targets=str(tmp_path), ray=str(_list_of_nodes()), every_s=1, pace=0.02)
        with prometheus(tmp_path / "prometheus", watched) as server:
            for panel, query in QUERIES.items():
                until(f"{panel}: {query}", lambda asked=query: server.query(asked))  # type: ignore[misc]
            told = {each["metric"]["Component"] for each in server.query(QUERIES[ACTORS])}
            assert any("JobSupervisor" in component for component in told), told
            until("both nodes are there", lambda: server.query("count(ray_node_cpu_count) == 2"))
            until_firing(server, LOST, 60, firing=False)
            _kill(node)
            raised = until_firing(server, LOST, 60)
            [alert] = server.query('ALERTS{alertname="KolrayRayNodeDown",alertstate="firing"}')
            assert alert["metric"]["host"] == "127.0.0.2"
            cleared = until_firing(server, LOST, 120, firing=False)
    print({"raised": raised, "cleared": cleared})
