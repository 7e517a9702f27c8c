"""Jars of real servers, fetched once by Maven into a cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
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
    cache = Path(os.environ.get("KOLRAY_LOCAL__CACHE") or Path.home() / ".cache" / "kolray") / "jars"
    target = cache / f"{name}-{coordinates[0].rsplit(':', 1)[1]}"
    if target.is_dir():
        return target
    maven = shutil.which("mvn")
    if maven is None:
        raise ServiceUnavailableError(name, "mvn", "install Maven (Debian: apt-get install maven)")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as work:
        pom, jars = Path(work) / "pom.xml", Path(work) / "jars"
        parts = [dict(zip(("group", "artifact", "version"), c.split(":"), strict=True)) for c in coordinates]
        pom.write_text(POM.format(name=name, dependencies="".join(DEPENDENCY.format(**part) for part in parts)))
        command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stdout + done.stderr).strip().splitlines()[-1:]
            raise ServiceUnavailableError(name, "Maven", f"its jars could not be fetched: {' '.join(last)}")
        if not target.exists():
            jars.rename(target)  # a whole folder or none, also when two start at once
    return target


def java(version: int = 17) -> str:
    """A Java of exactly this major version: ``JAVA_HOME``, the usual folders, or PATH.

    Raises:
        ServiceUnavailableError: there is none.
    """
    folders = [Path(os.environ[v]) for v in ("JAVA_HOME",) if v in os.environ]
    folders += sorted(Path("/usr/lib/jvm").glob(f"*{version}*")) if Path("/usr/lib/jvm").is_dir() else []
    found = [str(folder / "bin" / "java") for folder in folders] + [shutil.which("java") or ""]
    for candidate in found:
        if candidate and os.access(candidate, os.X_OK) and _major(candidate) == version:
            return candidate
    raise ServiceUnavailableError(
        "Java", f"java {version}", f"install it (Debian: apt-get install openjdk-{version}-jre)"
    )


def _major(binary: str) -> int:
    done = subprocess.run([binary, "-version"], capture_output=True, text=True, check=False)
    text = (done.stderr + done.stdout).split('"')
    return int(text[1].split(".")[0]) if len(text) > 1 and text[1].split(".")[0].isdigit() else 0
