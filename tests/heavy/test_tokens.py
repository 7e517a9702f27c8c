"""Real servers that ask who we are: Ray by its token, MLflow by a user, and by a bearer token as a proxy would."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from kolray.errors import ServiceUnavailableError
from kolray.local.ports import choose_port
from kolray.models.registry import CHAMPION, ModelRegistry
from kolray.settings import load_settings
from tests.heavy.test_mlflow_postgres import Curve
from tests.prometheus import wait
from tests.ray_head import BIN, ROOT, ray_head

pytestmark = pytest.mark.heavy
WHO = """
import os
from flask import make_response, request
from werkzeug.datastructures import Authorization

def who():
    from mlflow.server.auth import authenticate_request_basic_auth

    said = request.headers.get("Authorization", "")
    if not said.startswith("Bearer "):
        return authenticate_request_basic_auth()
    if said == "Bearer " + os.environ["EXPECTED"]:
        return Authorization("basic", {"username": "admin", "password": ""})
    return make_response("who are you?", 401)
"""
"""MLflow's basic-auth app, with a bearer token beside its users: its own hook for it."""
JOB = "from kolray.local.cluster import join_ray, where; join_ray(); print('joined', where())"


def _submit(address: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [BIN / "ray", "job", "submit", "--address", address, "--", sys.executable, "-c", JOB]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    return subprocess.run(
        command, env=inherited | env, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT
    )


def _asked(*command: str | Path, home: Path, **env: str) -> tuple[int, str]:
    """Exit code and words of a command of Ray's by somebody who has only what ``env`` says."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    env |= {"HOME": str(home), "RAY_AUTH_MODE": "token"}
    done = subprocess.run(command, env=inherited | env, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_a_node_without_the_token_does_not_start(tmp_path: Path) -> None:
    """As cluster.yaml starts one whose environment file lacks it."""
    code, said = _asked(BIN / "ray", "start", "--head", f"--port={choose_port('port')}", home=tmp_path)
    assert code != 0
    assert "no authentication token was found" in said


def test_rays_token_opens_it_and_nothing_else_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = secrets.token_hex(32)
    file = tmp_path / "token"
    file.write_text(token)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(file))
    gcs_port = choose_port("port")
    with ray_head(tmp_path, tmp_path / "head.log", gcs_port, token=token) as address:
        jobs = f"{address}/api/jobs/"
        assert httpx.get(jobs).status_code == 401
        assert httpx.get(jobs, headers={"Authorization": "Bearer wrong"}).status_code == 403
        assert httpx.get(jobs, headers={"Authorization": f"Bearer {token}"}).status_code == 200
        without = _submit(address, RAY_AUTH_MODE="disabled")
        assert without.returncode != 0
        assert "oken authentication is enabled" in without.stdout + without.stderr
        wrong = _submit(address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
        assert wrong.returncode != 0
        for known in ({"RAY_AUTH_TOKEN": token}, {"RAY_AUTH_TOKEN_PATH": str(file)}):
            done = _submit(address, RAY_AUTH_MODE="token", **known)
            assert done.returncode == 0, done.stderr
            assert "joined" in done.stdout, "a job of ours joins the cluster that it runs on"
            assert token not in done.stdout + done.stderr
        wrong_token = secrets.token_hex(32)
        served = BIN / "serve", "status", "--address", address
        assert _asked(*served, home=tmp_path, RAY_AUTH_TOKEN=token)[0] == 0
        assert _asked(*served, home=tmp_path, RAY_AUTH_TOKEN=wrong_token)[0] != 0
        joins = BIN / "ray", "start", f"--address=127.0.0.1:{gcs_port}"
        code, said = _asked(*joins, home=tmp_path, RAY_AUTH_TOKEN=wrong_token)
        assert code != 0, said


@contextmanager
def _mlflow(folder: Path, password: str, token: str) -> Iterator[str]:
    """``mlflow server --app-name basic-auth`` that lets its admin in, and who has the token."""
    port = choose_port("mlflow")
    ini = folder / "auth.ini"
    ini.write_text(
        f"[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///{folder / 'users.db'}\n"
        f"admin_username = admin\nauthorization_function = who:who\n"
    )
    command = [BIN / "mlflow", "server", "--app-name", "basic-auth", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'runs.db'}"]
    command += ["--artifacts-destination", str(folder / "files"), "--serve-artifacts"]
    (folder / "who.py").write_text(WHO)
    env = os.environ | {"MLFLOW_AUTH_CONFIG_PATH": str(ini), "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16)}
    env |= {"MLFLOW_AUTH_ADMIN_PASSWORD": password, "EXPECTED": token, "PYTHONPATH": str(folder)}
    with (folder / "mlflow.log").open("wb") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True, cwd=folder)
    try:
        url = f"http://127.0.0.1:{port}"
        wait(lambda: _answers(url), 90)
        yield url
    finally:
        os.killpg(server.pid, 15)
        server.wait()


def _answers(url: str) -> bool:
    """Also a first question to its database, which takes a while on a busy machine."""
    try:
        return httpx.get(f"{url}/api/2.0/mlflow/experiments/search?max_results=1", timeout=60).status_code == 401
    except httpx.HTTPError:
        return False


def _registered(url: str, home: Path) -> int:
    """A version registered, promoted and loaded with what the environment says; its number."""
    registry = ModelRegistry.of(load_settings(home=home, mlflow={"tracking_uri": url}))
    version = registry.register("trust", Curve(), metrics={"auc": 0.9}, params={}, report={"test": {"auc": 0.9}})
    registry.set_alias("trust", version, CHAMPION)
    assert registry.report("trust", version) == {"test": {"auc": 0.9}}
    return version


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """MLflow's client keeps what it was told in the environment; each test begins and ends as nobody."""
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", "")
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}")
    return monkeypatch


def test_mlflow_lets_in_its_user_and_who_has_the_token(tmp_path: Path, nobody: pytest.MonkeyPatch) -> None:
    password, token = secrets.token_hex(16), secrets.token_hex(16)
    file = tmp_path / "password"
    file.write_text(password)
    with _mlflow(tmp_path, password, token) as url:
        with pytest.raises(ServiceUnavailableError, match="it refuses us: set KOLRAY_MLFLOW__USERNAME"):
            _registered(url, tmp_path)
        nobody.setenv("KOLRAY_MLFLOW__TOKEN", secrets.token_hex(16))
        with pytest.raises(ServiceUnavailableError, match="KOLRAY_MLFLOW__TOKEN"):
            _registered(url, tmp_path)
        nobody.setenv("KOLRAY_MLFLOW__TOKEN", token)
        assert _registered(url, tmp_path) == 1
        nobody.setenv("KOLRAY_MLFLOW__USERNAME", "admin")
        nobody.setenv("KOLRAY_MLFLOW__PASSWORD_FILE", str(file))
        assert _registered(url, tmp_path) == 2
        assert password not in repr(load_settings(home=tmp_path))
