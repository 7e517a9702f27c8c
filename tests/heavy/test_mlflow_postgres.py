"""The registry on MLflow as compose.yaml runs it: a real PostgreSQL, its users in it, files in a bucket."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import yaml
from pydantic import SecretStr

from kolray.local.ports import accepts, choose_port
from kolray.models.mlflow_access import PASSWORD as CLIENT_PASSWORD
from kolray.models.mlflow_access import USER, identity
from kolray.models.registry import CHALLENGER, CHAMPION, ModelRegistry
from kolray.settings import MlflowSettings, S3Settings
from tests.s3 import aws_variables
from tests.waiting import until

pytestmark = pytest.mark.heavy
ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r"\$\{(\w+):\?\}")
PASSWORD = secrets.token_hex(16)
"""Of MLflow's first user, and whatever else compose.yaml asks for."""
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


class Curve:
    """Something to keep."""

    version = "digest-1"

    def to_files(self) -> dict[str, bytes]:
        return {"curve.json": b"[1, 2, 3]"}


class Database(NamedTuple):
    """An address without the password, and that."""

    uri: str
    password: str


@pytest.fixture(autouse=True)
def anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry tells MLflow's client who we are by the environment: not beyond this test."""
    for name in (USER, CLIENT_PASSWORD):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """A PostgreSQL of this test alone, on loopback; as it refuses to run as root, the user ``postgres`` runs it."""
    if not PROGRAMS:
        pytest.skip("no PostgreSQL here (Debian: apt-get install postgresql)")
    programs, password, port = PROGRAMS[-1].parent, secrets.token_hex(16), choose_port("postgres")
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    folder = Path(f"/tmp/kolray-postgres-{secrets.token_hex(4)}")  # noqa: S108 (its user cannot enter pytest's folders)
    folder.mkdir(mode=0o700)
    shutil.chown(folder, user)
    try:
        given = folder / "password"
        given.write_text(password)
        shutil.chown(given, user)
        setup = [programs / "initdb", "-D", folder / "data", "-U", "mlflow", "-A", "scram-sha-256", f"--pwfile={given}"]
        subprocess.run(setup, user=user, cwd=folder, check=True, capture_output=True)
        given.unlink()
        start = [programs / "postgres", "-D", folder / "data", "-h", "127.0.0.1", "-p", str(port), "-k", folder]
        with subprocess.Popen(start, user=user, cwd=folder, stderr=subprocess.DEVNULL) as server:
            until("PostgreSQL answers", lambda: accepts(port))
            yield Database(f"postgresql+psycopg://mlflow@127.0.0.1:{port}/postgres", password)
            server.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _mlflow(database: Database, s3: S3Settings, folder: Path) -> Iterator[str]:
    """The server with compose.yaml's own options, variables and users, but for addresses and the bucket."""
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["mlflow"]
    port = choose_port("mlflow")
    ours = {"host": "127.0.0.1", "port": str(port), "artifacts-destination": "s3://state/mlflow"}
    options = dict(option.removeprefix("--").partition("=")[::2] for option in service["command"])
    del options["allowed-hosts"]
    flags = [f"--{name}={value}" if value else f"--{name}" for name, value in (options | ours).items()]
    program = Path(sys.executable).with_name(service["entrypoint"][0])
    given = {"KOLRAY_POSTGRES_PASSWORD": database.password, "KOLRAY_MLFLOW_PASSWORD": PASSWORD}
    said: dict[str, str] = service["environment"]
    env = {key: VARIABLE.sub(lambda name: given.get(name[1], PASSWORD), text) for key, text in said.items()}
    env |= aws_variables(s3) | {"MLFLOW_S3_ENDPOINT_URL": str(s3.endpoint), "MLFLOW_BACKEND_STORE_URI": database.uri}
    env["MLFLOW_AUTH_CONFIG_PATH"] = str(_users(service, database, folder))
    log = folder / "mlflow.log"
    with log.open("ab") as out:
        command = [program, *service["entrypoint"][1:], *flags]
        server = subprocess.Popen(
            command, env=os.environ | env, stdout=out, stderr=out, start_new_session=True, cwd=folder
        )
    try:
        url = f"http://127.0.0.1:{port}"
        until("MLflow answers", lambda: _search(url, ("admin", PASSWORD)).is_success, log=log)
        yield url
    finally:
        os.killpg(server.pid, 15)
        server.wait()


def _search(url: str, auth: tuple[str, str] | None = None) -> httpx.Response:
    """A question to its database: the first takes a while on a busy machine."""
    return httpx.get(f"{url}/api/2.0/mlflow/experiments/search?max_results=1", auth=auth, timeout=60)


def _users(service: dict[str, Any], database: Database, folder: Path) -> Path:
    """The image's own file, of this database."""
    source, target = "ops/mlflow", "/opt/kolray/mlflow"
    assert f"COPY {source} {target}\n" in (ROOT / "Dockerfile").read_text()
    source += service["environment"]["MLFLOW_AUTH_CONFIG_PATH"].removeprefix(target)
    said = (ROOT / source).read_text()
    uri = service["environment"]["MLFLOW_BACKEND_STORE_URI"]
    assert f"database_uri = {uri}\n" in said
    file = folder / "auth.ini"
    file.write_text(said.replace(uri, database.uri))
    return file


def test_versions_survive_the_server_and_strangers_see_none(database: Database, s3: S3Settings, tmp_path: Path) -> None:
    own = identity(MlflowSettings(username="admin", password=SecretStr(PASSWORD)))
    with _mlflow(database, s3, tmp_path) as url:
        assert _search(url).status_code == 401
        registry = ModelRegistry(url, "", own)
        report = {"test": {"auc": 0.9}}
        version = registry.register("trust", Curve(), metrics={"auc": 0.9}, params={"rounds": 3}, report=report)
        registry.set_alias("trust", version, CHAMPION)
    with _mlflow(database, s3, tmp_path) as url:
        registry = ModelRegistry(url, "", own)
        assert registry.alias_version("trust", CHAMPION) == registry.alias_version("trust", CHALLENGER) == version
        assert registry.report("trust", version) == report
        assert registry.tags("trust", version)["digest"] == Curve.version
