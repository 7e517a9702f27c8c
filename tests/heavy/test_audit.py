"""``make audit`` tells what is known of the pins; where nothing can be looked up it does not say that all is well."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

pytestmark = pytest.mark.heavy
ROOT = Path(__file__).parents[2]
PINNED = {"ray", "zizmor", "torch", "apache-airflow"}
"""One of each file of pins."""


def _known(package: str) -> dict[str, Any]:
    fixed: dict[str, Any] = {"type": "ECOSYSTEM", "events": [{"fixed": "99.0"}]}
    affected = {"package": {"name": package, "ecosystem": "PyPI"}, "ranges": [fixed]}
    return {"id": f"PYSEC-{package}", "modified": "2026-01-01T00:00:00Z", "affected": [affected]}


@contextmanager
def _advisories(*vulnerable: str) -> Iterator[str]:
    """A server as osv.dev that knows these vulnerable packages; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = asked["package"]["name"]
            answer = {"vulns": [_known(name)]} if name in vulnerable else {}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _audit(url: str) -> tuple[int, str]:
    """Exit code of the recipe, as make tells it, and what it wrote."""
    command = ["make", "audit", f"ARGS=--vulnerability-service osv --osv-url {url}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    return int(said.rpartition("Error ")[2].split()[0]) if done.returncode else 0, said


def test_what_is_known_of_any_pins_fails_the_audit() -> None:
    with _advisories(*PINNED) as url:
        code, said = _audit(url)
    assert code == 1
    assert {name for name in PINNED if f"PYSEC-{name}, fixed by 99.0" in said} == PINNED


def test_pins_of_which_nothing_is_known_pass() -> None:
    with _advisories() as url:
        code, said = _audit(url)
    assert code == 0, said
    assert "packages were looked up" in said


def test_no_advisories_are_no_good_news() -> None:
    code, said = _audit("http://127.0.0.1:9")
    assert code == 3
    assert "no verdict" in said
