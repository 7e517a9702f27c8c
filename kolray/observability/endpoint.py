"""A process's own ``/metrics``, and the file by which Prometheus finds it (file-based service discovery).

A proxy in front of several replicas answers for any of them, so each has a port of its own, on loopback unless told
otherwise. The file is named after the process: what a killed one left is removed by the next one on its machine.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
from prometheus_client import CONTENT_TYPE_LATEST

log = logging.getLogger(__name__)


class Endpoint:
    """Serves what ``text`` says at the moment of asking, on a thread.

    Args:
        port: 0 chooses a free one.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, text: Callable[[], bytes], host: str, port: int = 0) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = 30
            """Seconds a caller may say nothing."""

            def do_GET(self) -> None:
                found = self.path.partition("?")[0] in {"/metrics", "/"}
                body = text() if found else b"only /metrics is here\n"
                with suppress(ConnectionError):  # who asked has gone
                    self.send_response(200 if found else 404)
                    self.send_header("Content-Type", CONTENT_TYPE_LATEST if found else "text/plain")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Scrapes are not worth a line."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self.address = f"{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def announce(folder: Path, process: str, address: str) -> Path:
    """Writes the file of this process, which goes with it; returns it.

    Args:
        process: what it is, e.g. ``serving``; a label of its series.
        address: HOST:PORT that is listened on; of all interfaces (0.0.0.0) Prometheus is told this machine's name.
    """
    host, _, port = address.rpartition(":")
    address = f"{socket.getfqdn()}:{port}" if host == "0.0.0.0" else address  # noqa: S104 - it is only read
    folder.mkdir(parents=True, exist_ok=True)
    forget_dead(folder, process)
    file = folder / f"{process}-{socket.gethostname()}-{os.getpid()}.json"
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps([{"targets": [address], "labels": {"process": process, "pid": str(os.getpid())}}]))
    temporary.replace(file)
    atexit.register(file.unlink, missing_ok=True)
    return file


def forget_dead(folder: Path, process: str) -> list[str]:
    """Removes what processes of this machine that are gone left; returns the files' names."""
    gone = []
    for file in folder.glob(f"{process}-{socket.gethostname()}-*.json"):
        if not psutil.pid_exists(int(file.stem.rpartition("-")[2])):
            file.unlink(missing_ok=True)
            gone.append(file.name)
    return gone
