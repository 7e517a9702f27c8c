"""The compose file: nothing reachable from elsewhere, nothing unpinned, no secret, and settings that kolray knows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kolray import __version__
from kolray.cli.keep import CONFIG
from kolray.lake.trino import catalog
from kolray.local import cassandra, kafka, trino
from kolray.observability.config import Watched, prometheus_config
from kolray.settings import Place, S3Settings, load_settings

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = {"buckets"}
"""Services that do something and end."""
NODES = ("ray-head", "ray-worker")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY|AUTH$")


def _environment(name: str) -> dict[str, str]:
    return {key: str(value) for key, value in SERVICES[name].get("environment", {}).items()}


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_bound_to_loopback(name: str) -> None:
    assert [port for port in SERVICES[name].get("ports", []) if not port.startswith("127.0.0.1:")] == []


OURS = re.compile(r"kolray(-[a-z]+)?:\$\{KOLRAY_TAG:-" + re.escape(__version__) + "}")
PINNED = re.compile(r"\S+:(v?\d+(\.\d+)+|\d{3}|RELEASE\.\d{4}\S+)")
BESIDE = dict(re.findall(r"^FROM (\S+) AS (\S+)$", (ROOT / "ops" / "Dockerfile").read_text(), re.MULTILINE))
"""Image → the target that puts files of ours into it."""


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_or_of_this_version(name: str) -> None:
    image = SERVICES[name]["image"]
    if not OURS.fullmatch(image):
        assert PINNED.fullmatch(image), image
    elif not image.startswith("kolray:"):
        target = SERVICES[name]["build"]["target"]
        assert SERVICES[name]["build"]["context"] == "ops"
        assert image.startswith(f"kolray-{target}:")
        assert target in BESIDE.values()


def test_images_with_files_of_ours_stand_on_pinned_ones() -> None:
    assert BESIDE
    assert [image for image in BESIDE if not PINNED.fullmatch(image)] == []


def test_servers_are_of_the_versions_that_tests_run() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka.VERSION}"
    assert SERVICES["cassandra"]["image"] == f"cassandra:{cassandra.VERSION}"
    assert f"trinodb/trino:{trino.VERSION}" in BESIDE


def test_make_builds_every_image_that_compose_starts() -> None:
    [beside] = re.findall(r"^BESIDE := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(beside.split()) == set(BESIDE.values())


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
    assert set(re.findall(r"\$\{\w+:?-[^}]*\}", TEXT)) == {f"${{KOLRAY_TAG:-{__version__}}}"}


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_is_mounted_but_volumes(name: str) -> None:
    """A folder is looked for on the engine's machine, which staging's is not ours, and made there, empty."""
    mounts = SERVICES[name].get("volumes", [])
    assert [mount for mount in mounts if mount.split(":")[0] not in COMPOSE["volumes"]] == []
    assert not {"configs", "secrets"} & SERVICES[name].keys(), "their files are mounts too"


@pytest.mark.parametrize("name", SERVICES)
def test_services_wait_for_services_that_exist(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        assert how["condition"] == ("service_completed_successfully" if other in ONCE else "service_healthy")
        assert other in SERVICES


def test_what_ends_is_waited_for() -> None:
    """`up --wait` takes a container that ended for one that failed, unless another waits for its end."""
    waited = {other for service in SERVICES.values() for other in service.get("depends_on", {})}
    assert waited >= ONCE


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_lives_in_the_network_of_another(name: str) -> None:
    """It would lose it when the other's container restarts."""
    assert SERVICES[name]["networks"] == ["kolray"]


@pytest.mark.parametrize("name", set(SERVICES) - ONCE)
def test_memory_is_limited(name: str) -> None:
    assert _bytes(SERVICES[name]["mem_limit"])


def test_the_docs_say_how_much_memory_it_takes() -> None:
    limited = [service for service in SERVICES.values() if "mem_limit" in service]
    limits = [_bytes(service["mem_limit"]) * service.get("deploy", {}).get("replicas", 1) for service in limited]
    [told] = re.findall(r"limits add up to (\d+) GB", (ROOT / "docs" / "deployment.md").read_text())
    assert round(sum(limits) / 2**30) == int(told)


@pytest.mark.parametrize("name", NODES)
def test_rays_object_store_fits_into_shared_memory(name: str) -> None:
    [store] = [part for part in SERVICES[name]["command"] if part.startswith("--object-store-memory=")]
    assert int(store.split("=")[1]) < _bytes(SERVICES[name]["shm_size"]) < _bytes(SERVICES[name]["mem_limit"])


def test_what_is_kept_is_where_compose_has_it() -> None:
    options = dict(part.removeprefix("--").split("=") for part in SERVICES["keep"]["command"][1:])
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "COPY jobs /opt/kolray/jobs" in dockerfile
    for job in ("stream", "night"):
        assert (ROOT / Path(options[job].split()[1]).relative_to("/opt/kolray")).exists()
    assert f"COPY {CONFIG.default.parts[0]} /opt/kolray/{CONFIG.default.parts[0]}" in dockerfile
    assert (ROOT / CONFIG.default).exists()
    ports = {mapping.split(":")[-1] for mapping in SERVICES["ray-head"]["ports"]}
    assert {options["ray"], options["api"]} == {f"http://ray-head:{port}" for port in ports}
    assert "head:/var/lib/kolray" in SERVICES["ray-head"]["volumes"]
    assert "head:/var/lib/kolray" in SERVICES["keep"]["volumes"], "the stream says there how it is"


def _bytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(gb?|m)", text).groups()  # type: ignore[union-attr]
    return int(number) * (2**30 if unit.startswith("g") else 2**20)


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
    scraped = yaml.safe_load((ROOT / "ops" / "prometheus" / "compose.yml").read_text())
    files = {job["job_name"]: job["file_sd_configs"][0]["files"][0] for job in scraped["scrape_configs"][1:]}
    assert {Path(files[job]).parent for job in ("kolray-serving", "kolray-webhooks")} == {Path(folder)}
    assert Path(files["ray"]).is_relative_to(mounts["prometheus"]["ray"]), "Ray's own list of its nodes"
    image = (ROOT / "Dockerfile").read_text()
    assert f"mkdir -p {folder}" in image, "a volume takes over who owns the folder in the image"


def test_prometheus_asks_the_other_containers() -> None:
    ours = prometheus_config(Watched(exporter="observe:9470"))
    ours["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]}
    assert yaml.safe_load((ROOT / "ops" / "prometheus" / "compose.yml").read_text()) == ours
    assert {"observe", "alertmanager"} <= SERVICES.keys()
    assert _environment("observe")["KOLRAY_OBSERVE__HOST"] == "0.0.0.0"  # noqa: S104 - it is only read
    assert _environment("grafana")["PROMETHEUS_URL"] == "http://prometheus:9090"


def test_alerts_have_somebody_to_go_to() -> None:
    told = yaml.safe_load((ROOT / "ops" / "alertmanager" / "alertmanager.yml").read_text())
    receivers = {receiver["name"] for receiver in told["receivers"]}
    assert {told["route"]["receiver"], *(route["receiver"] for route in told["route"]["routes"])} <= receivers


def test_trino_gets_the_memory_it_is_tested_with() -> None:
    text = (ROOT / "ops" / "trino" / "jvm.config").read_text()
    assert text == trino.JVM_FILE
    [heap] = re.findall(r"-Xmx(\d+m)", text)
    assert _bytes(heap) < 0.7 * _bytes(SERVICES["trino"]["mem_limit"])


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
