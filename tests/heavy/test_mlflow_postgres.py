"""The registry on MLflow as compose.yaml runs it: a server on a real PostgreSQL, files in a bucket."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from kolray.local.ports import accepts, choose_port
from kolray.models.registry import CHALLENGER, CHAMPION, ModelRegistry
from kolray.settings import S3Settings
from tests.s3 import aws_variables
from tests.waiting import until

pytestmark = pytest.mark.heavy
ROOT = Path(__file__).parents[2]
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


class Curve:
    """Something to keep."""

    version = "digest-1"

    def to_files(self) -> dict[str, bytes]:
        return {"curve.json": b"[1, 2, 3]"}


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
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
            yield f"postgresql+psycopg://mlflow:{password}@127.0.0.1:{port}/postgres"
            server.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _mlflow(database: str, s3: S3Settings, log: Path) -> Iterator[str]:
    """The server with compose.yaml's own options, but for its address and the bucket."""
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["mlflow"]
    port = choose_port("mlflow")
    ours = {"host": "127.0.0.1", "port": str(port), "artifacts-destination": "s3://state/mlflow"}
    options = dict(option.removeprefix("--").partition("=")[::2] for option in service["command"])
    del options["allowed-hosts"]
    flags = [f"--{name}={value}" if value else f"--{name}" for name, value in (options | ours).items()]
    program = Path(sys.executable).with_name(service["entrypoint"][0])
    command = [program, *service["entrypoint"][1:], *flags]
    env = os.environ | aws_variables(s3)
    env |= {"MLFLOW_BACKEND_STORE_URI": database, "MLFLOW_S3_ENDPOINT_URL": str(s3.endpoint)}
    env |= {"AWS_DEFAULT_REGION": "us-east-1"}
    with log.open("wb") as out:
        server = subprocess.Popen(command, env=env, stdout=out, stderr=out, start_new_session=True)
    try:
        until("MLflow answers", lambda: httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).is_success, log=log)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, 15)
        server.wait()


def test_versions_survive_the_server(database: str, s3: S3Settings, tmp_path: Path) -> None:
    with _mlflow(database, s3, tmp_path / "first.log") as url:
        registry = ModelRegistry(url, "")
        report = {"test": {"auc": 0.9}}
        version = registry.register("trust", Curve(), metrics={"auc": 0.9}, params={"rounds": 3}, report=report)
        registry.set_alias("trust", version, CHAMPION)
    with _mlflow(database, s3, tmp_path / "second.log") as url:
        registry = ModelRegistry(url, "")
        assert registry.alias_version("trust", CHAMPION) == registry.alias_version("trust", CHALLENGER) == version
        assert registry.report("trust", version) == report
        assert registry.tags("trust", version)["digest"] == Curve.version
