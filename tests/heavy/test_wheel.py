"""What is shipped is whole: the wheel in an environment of its own, its bill of materials, and the lint of the rest."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

import kolray
from kolray import local
from tests.integration.conftest import ready
from tests.ray_head import ray_head

pytestmark = pytest.mark.heavy
ROOT = Path(__file__).parents[2]


def _run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Output of a command without any setting of kolray.

    Raises:
        AssertionError: it failed; what it wrote is the message.
    """
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("KOLRAY_", "PYTHON"))}
    done = subprocess.run(command, cwd=cwd, env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel() -> Path:
    return ROOT / _run("make", "-s", "wheel").strip()


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The programs of a new environment that has the wheel and its pinned dependencies."""
    home = tmp_path_factory.mktemp("clean")
    _run(sys.executable, "-m", "venv", "--without-pip", home)
    uv = Path(sys.executable).with_name("uv")
    _run(uv, "pip", "install", "-q", "--python", home / "bin" / "python", "-c", ROOT / "constraints.txt", wheel)
    yield home / "bin"
    shutil.rmtree(home)


def test_the_wheel_has_every_tracked_file_of_the_package(wheel: Path) -> None:
    tracked = set(_run("git", "ls-files", "kolray").split())
    assert tracked - set(ZipFile(wheel).namelist()) == set()


def test_the_wheel_works_where_nothing_else_is(clean: Path, tmp_path: Path) -> None:
    assert _run(clean / "kolray", "--version", cwd=tmp_path) == f"kolray {kolray.__version__}\n"
    assert "events.social.raw" in _run(clean / "kolray", "schemas", "check", cwd=tmp_path)
    made = _run(clean / "kolray", "generate", "--help", cwd=tmp_path)
    assert "--kols" in made


def test_a_host_with_the_wheel_runs_submitted_jobs(clean: Path, tmp_path: Path) -> None:
    """Nothing of this repository but ``jobs``, in the folders of cluster.yaml, typed as docs/scaling.md says."""
    host, home = tmp_path / "host", tmp_path / "home"
    shutil.copytree(ROOT / "jobs", host / "kolray" / "jobs")
    (host / "kolray" / ".venv").symlink_to(clean.parent)
    ready("embedded", home)
    try:
        with ray_head(home, tmp_path / "head.log", programs=clean, folder=host) as dashboard:
            submit = (clean / "ray", "job", "submit", "--address", dashboard, "--")
            python = "kolray/.venv/bin/python"
            _run(*submit, python, "kolray/jobs/generate.py", "20", "3", cwd=host)
            said = _run(*submit, python, "kolray/jobs/stream.py", "--until-end", cwd=host)
    finally:
        local.down(home)
    assert '"events"' in said, said


def test_a_release_publishes_its_files_with_its_part_of_the_changelog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = tmp_path / "gh"  # stands in for GitHub's own: keeps what it is told to publish
    hub.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$0.asked"\ncat > "$0.notes"\n')
    hub.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    _run("make", "-s", "release")
    asked = (tmp_path / "gh.asked").read_text().splitlines()
    assert asked[:3] == ["release", "create", f"v{kolray.__version__}"]
    kinds = {name.partition(kolray.__version__)[2] for name in asked if name.startswith("dist/")}
    assert kinds >= {"-py3-none-any.whl", ".tar.gz", ".cdx.json"}
    notes = (tmp_path / "gh.notes").read_text()
    assert notes.startswith(f"## [{kolray.__version__}]")
    assert notes.count("\n## [") == 0


def test_the_bill_of_materials_names_what_is_installed() -> None:
    parts = json.loads((ROOT / _run("make", "-s", "sbom").strip()).read_text())
    assert parts["metadata"]["component"]["name"] == "kolray"
    versions = {part["name"]: part["version"] for part in parts["components"]}
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert {name: versions[name] for name in ("ray", "polars", "kafka-python")} == {
        name: pins[name] for name in ("ray", "polars", "kafka-python")
    }


@pytest.mark.skipif(shutil.which("go") is None, reason="actionlint is built by Go, which is not here")
def test_what_ships_passes_its_linters() -> None:
    _run("make", "check-ship")


def test_the_site_builds_and_loads_nothing_from_elsewhere() -> None:
    _run("make", "docs")
    pages = list((ROOT / "site").rglob("*.html"))
    assert {"api", "python", "stream", "settings"} <= {page.parent.name for page in pages}
    assert 'id="kolray.client' in (ROOT / "site" / "python" / "index.html").read_text()
    loads = re.compile(r'<(?:script|img)[^>]+src="https?://|<link[^>]+rel="stylesheet"[^>]+href="https?://')
    assert [page for page in pages if loads.search(page.read_text())] == []
