"""Real servers, fetched once by Maven into a cache: folders of jars, or archives unpacked."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from kolray.errors import ServiceUnavailableError

POM = """<project><modelVersion>4.0.0</modelVersion><groupId>kolray</groupId><artifactId>{name}</artifactId>
<version>1</version><dependencies>{dependencies}</dependencies></project>"""
DEPENDENCY = (
    "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
)


def ensure_jars(name: str, coordinates: tuple[str, ...]) -> Path:
    """The folder with the jars of ``group:artifact:version`` and all they need.

    Raises:
        ServiceUnavailableError: Maven is missing or could not fetch them.
    """

    def fetch(work: Path) -> Path:
        pom, jars = work / "pom.xml", work / "jars"
        parts = [dict(zip(("group", "artifact", "version"), c.split(":"), strict=True)) for c in coordinates]
        pom.write_text(POM.format(name=name, dependencies="".join(DEPENDENCY.format(**part) for part in parts)))
        _maven(name, "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={jars}")
        return jars

    return _cached(f"{name}-{coordinates[0].split(':')[2]}", fetch)


def ensure_archive(name: str, coordinate: str) -> Path:
    """The folder inside the archive ``group:artifact:version:tar.gz[:classifier]``, or that of its files.

    Raises:
        ServiceUnavailableError: Maven is missing or could not fetch it.
    """

    def fetch(work: Path) -> Path:
        _maven(name, "dependency:copy", f"-Dartifact={coordinate}", f"-DoutputDirectory={work}")
        [archive] = work.iterdir()
        unpacked = work / "unpacked"
        with tarfile.open(archive) as tar:
            tar.extractall(unpacked, filter="data")
        inside = list(unpacked.iterdir())
        return inside[0] if len(inside) == 1 else unpacked

    return _cached(f"{name}-{coordinate.split(':')[2]}", fetch)


def _cached(name: str, fetch: Callable[[Path], Path]) -> Path:
    """The cache's folder of this name, which ``fetch`` makes in a folder of work if there is none yet."""
    target = _cache() / name
    if not target.is_dir():
        with tempfile.TemporaryDirectory(dir=_cache()) as work:
            folder = fetch(Path(work))
            if not target.exists():
                folder.rename(target)  # a whole folder or none, also when two start at once
    return target


def _cache() -> Path:
    folder = Path(os.environ.get("KOLRAY_LOCAL__CACHE") or Path.home() / ".cache" / "kolray") / "jars"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _maven(name: str, *arguments: str) -> None:
    binary = shutil.which("mvn")
    if binary is None:
        raise ServiceUnavailableError(name, "mvn", "install Maven (Debian: apt-get install maven)")
    done = subprocess.run([binary, "-q", "-B", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise ServiceUnavailableError(name, "Maven", f"it could not be fetched: {' '.join(last)}")


def java(version: int = 17, *, or_newer: bool = False) -> str:
    """A Java of exactly this major version, or of at least it: ``JAVA_HOME``, the usual folders, or PATH.

    Raises:
        ServiceUnavailableError: there is none.
    """
    folders = [Path(os.environ[v]) for v in ("JAVA_HOME",) if v in os.environ]
    pattern = "*" if or_newer else f"*{version}*"
    folders += sorted(Path("/usr/lib/jvm").glob(pattern)) if Path("/usr/lib/jvm").is_dir() else []
    found = [str(folder / "bin" / "java") for folder in folders] + [shutil.which("java") or ""]
    for candidate in found:
        if candidate and os.access(candidate, os.X_OK):
            major = _major(candidate)
            if major == version or (or_newer and major > version):
                return candidate
    advice = f"install it (Debian: apt-get install openjdk-{version}-jre)"
    raise ServiceUnavailableError("Java", f"java {version}", advice if not or_newer else f"{advice}, or a newer one")


def _major(binary: str) -> int:
    done = subprocess.run([binary, "-version"], capture_output=True, text=True, check=False)
    text = (done.stderr + done.stdout).split('"')
    return int(text[1].split(".")[0]) if len(text) > 1 and text[1].split(".")[0].isdigit() else 0
