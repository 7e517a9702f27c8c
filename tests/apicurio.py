"""A real Confluent-compatible schema registry: Apicurio on Java 17, in memory, gone with this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from kolray.local.jars import ensure_archive, java
from kolray.local.ports import LOOPBACK, choose_port
from kolray.local.process import RunFolder, wait_until

COORDINATE = "io.apicurio:apicurio-registry-app:2.6.13.Final:tar.gz:all"
START_S = 120


@contextmanager
def apicurio(home: Path) -> Iterator[str]:
    """Yields the address that ``KOLRAY_REGISTRY__URL`` takes."""
    folder, program, port = RunFolder(home), ensure_archive("apicurio", COORDINATE), choose_port("apicurio")
    [jar] = program.glob("*-runner.jar")
    command = [java(17, or_newer=True), "-Xmx512m", "-jar", str(jar)]
    url = f"http://{LOOPBACK}:{port}/apis/ccompat/v7"
    env = {"QUARKUS_HTTP_PORT": str(port), "QUARKUS_HTTP_HOST": LOOPBACK}
    running = folder.start("apicurio", command, f"{LOOPBACK}:{port}", env, os.getpid())
    try:
        wait_until("Apicurio", running, folder.log("apicurio"), lambda: _answers(url), START_S)
        yield url
    finally:
        folder.stop(running)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/subjects", timeout=2).is_success
    except httpx.HTTPError:
        return False
