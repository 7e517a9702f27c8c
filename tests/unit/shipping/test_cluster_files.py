"""What a cluster is made and served by: nothing of it is open to whoever reaches a port."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kolray.cli.keep import CONFIG, listening
from kolray.settings import load_settings

ROOT = Path(__file__).parents[3]
HOST = "KOLRAY_SERVING__HOST"
SERVED = sorted((ROOT / "serve_configs").glob("*.yaml"))


@pytest.mark.parametrize("file", SERVED, ids=lambda file: file.stem)
def test_the_api_listens_on_loopback(file: Path) -> None:
    assert yaml.safe_load(file.read_text())["http_options"]["host"] == "127.0.0.1"


def test_compose_opens_it_to_the_port_that_it_publishes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keeps = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["keep"]["environment"]
    serve = yaml.safe_load((ROOT / CONFIG.default).read_text())
    monkeypatch.delenv(HOST, raising=False)
    assert listening(serve, load_settings(home=tmp_path)) == serve
    monkeypatch.setenv(HOST, keeps[HOST])
    opened = listening(serve, load_settings(home=tmp_path))
    assert opened["http_options"] == {"host": "0.0.0.0", "port": 8000}  # noqa: S104 - it is only read


@pytest.mark.parametrize("file", ["cluster.yaml", "cluster-aws.yaml"])
def test_every_node_asks_for_the_token(file: str) -> None:
    config = yaml.safe_load((ROOT / file).read_text())
    starts = [
        command
        for kind in ("head_start_ray_commands", "worker_start_ray_commands")
        for command in config[kind]
        if "ray start" in command
    ]
    assert len(starts) == 2
    assert [command for command in starts if "; RAY_AUTH_MODE=token " not in command] == []
