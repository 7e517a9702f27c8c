"""The compose file: nothing reachable from elsewhere, nothing unpinned, no secret, and settings that kolray knows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kolray.lake.trino import catalog
from kolray.settings import Place, S3Settings, load_settings

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = {"buckets", "deploy"}
"""Services that do something and end."""
NODES = ("ray-head", "ray-worker")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY|AUTH$")


def _environment(name: str) -> dict[str, str]:
    return {key: str(value) for key, value in SERVICES[name].get("environment", {}).items()}


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_bound_to_loopback(name: str) -> None:
    assert [port for port in SERVICES[name].get("ports", []) if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.search(r":(v?\d+(\.\d+)*|RELEASE\.\d{4}.+)}?$", image), image


@pytest.mark.parametrize("name", set(SERVICES) - ONCE)
def test_services_that_stay_say_how_they_are(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_secrets_come_from_required_variables_alone() -> None:
    given = [(key, value) for name in SERVICES for key, value in _environment(name).items() if SECRET.search(key)]
    assert len(given) > 10
    # Settings of kolray that name a place or address, as KOLRAY_SERVING__TOKENS does, hold no secret.
    places = ("s3://", "token")
    assert [key for key, value in given if ":?}" not in value and not value.startswith(places)] == []
    assert re.findall(r"\$\{\w+:?-[^}]*\}", TEXT) == ["${KOLRAY_IMAGE:-kolray:0.1.0}"] * 2


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_in_the_project_or_a_volume(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source = mount.split(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_services_wait_for_services_that_exist(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        assert how["condition"] == ("service_completed_successfully" if other in ONCE else "service_healthy")
        assert other in SERVICES


def test_kolray_knows_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key, value in _environment("ray-head").items():
        monkeypatch.setenv(key, re.sub(r"\$\{\w+:\?\}", "a-secret-for-the-test", value))
    settings = load_settings(home=tmp_path)
    assert settings.profile == "cluster"
    assert settings.metrics_url == "cassandra://cassandra:9042/kolray"
    assert settings.lake_root.remote


def test_prometheus_finds_the_replicas_of_every_node() -> None:
    mounts = {name: dict(m.split(":")[:2] for m in SERVICES[name]["volumes"]) for name in (*NODES, "prometheus")}
    folder = mounts["prometheus"]["targets"]
    assert [mounts[node]["targets"] for node in NODES] == [folder] * len(NODES)
    for node in NODES:
        said = _environment(node)
        assert said["KOLRAY_OBSERVE__TARGETS"] == folder
        assert said["KOLRAY_OBSERVE__HOST"] == "0.0.0.0"  # noqa: S104 - it is only read
    scraped = yaml.safe_load((ROOT / "ops" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    files = {job["job_name"]: job["file_sd_configs"][0]["files"][0] for job in scraped if "file_sd_configs" in job}
    assert {Path(files[job]).parent for job in ("kolray-serving", "kolray-webhooks")} == {Path(folder)}
    assert Path(files["ray"]).is_relative_to(mounts["prometheus"]["ray"]), "Ray's own list of its nodes"
    image = (ROOT / "Dockerfile").read_text()
    assert f"mkdir -p {folder}" in image, "a volume takes over who owns the folder in the image"


def test_trino_gets_the_catalog_that_kolray_writes() -> None:
    s3 = S3Settings(endpoint="http://minio:9000", region="us-east-1", access_key_id="a", secret_access_key="s")
    ours = dict(line.split("=", 1) for line in catalog(Place("s3://kolray/lake", s3)).splitlines())
    ours |= {"s3.aws-access-key": "${ENV:S3_ACCESS_KEY}", "s3.aws-secret-key": "${ENV:S3_SECRET_KEY}"}
    text = (ROOT / "ops" / "trino" / "lake.properties").read_text()
    assert dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#")) == ours


def test_the_image_runs_as_nobody_in_particular() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001"]
    assert sum(line.startswith("FROM ") for line in lines) == 2
    assert [line for line in lines if line.startswith("FROM ") and not re.search(r":\d+\.\d+\.\d+-", line)] == []
