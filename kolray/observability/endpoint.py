"""A process's own ``/metrics``, and the file by which Prometheus finds it (file-based service discovery).

A proxy in front of several replicas answers for any of them, so each has a port of its own, on loopback unless told
otherwise. The file is named after the process: what a killed one left is removed by the others, at once on its machine,
after five minutes of silence on another.
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
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
from prometheus_client import CONTENT_TYPE_LATEST

from kolray.clock import SystemClock, to_ms

log = logging.getLogger(__name__)
BEAT_S = 30.0
SILENT_S = 300.0
"""Ten beats: by then whoever watches has seen that the process does not answer."""


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


@dataclass(frozen=True)
class Announcement:
    """A file by which Prometheus finds a process, touched until it leaves."""

    file: Path
    left: threading.Event = field(default_factory=threading.Event)

    def leave(self) -> None:
        """Takes it back: whoever ends on purpose must not look like one that died."""
        self.left.set()
        self.file.unlink(missing_ok=True)


def announce(folder: Path, process: str, address: str) -> Announcement:
    """Writes the file of this process, which goes with it.

    At a process' ordinary end it leaves by itself; one that others kill in the end has to ``leave`` before.

    Args:
        process: what it is, e.g. ``serving``; a label of its series.
        address: HOST:PORT that is listened on; of all interfaces (0.0.0.0) Prometheus is told this machine's name.
    """
    host, _, port = address.rpartition(":")
    address = f"{socket.getfqdn()}:{port}" if host == "0.0.0.0" else address  # noqa: S104 - it is only read
    folder.mkdir(parents=True, exist_ok=True)
    forget_dead(folder, process)
    made = Announcement(folder / f"{process}-{socket.gethostname()}-{os.getpid()}.json")
    told = json.dumps([{"targets": [address], "labels": {"process": process, "pid": str(os.getpid())}}])
    _write(made.file, told)
    threading.Thread(target=_stay, args=(made, told, process), name="announced", daemon=True).start()
    atexit.register(made.leave)
    return made


def forget_dead(folder: Path, process: str) -> list[str]:
    """Removes what processes of this machine that are gone left, and of others that said nothing for ``SILENT_S``.

    Returns:
        the files' names.
    """
    gone = []
    for file in folder.glob(f"{process}-*.json"):
        host, pid = file.stem.removeprefix(f"{process}-").rsplit("-", 1)
        with suppress(FileNotFoundError):  # another process was quicker
            here = host == socket.gethostname()
            if (here and not psutil.pid_exists(int(pid))) or (not here and _silent_s(file) > SILENT_S):
                file.unlink()
                gone.append(file.name)
    return gone


def _silent_s(file: Path) -> float:
    return to_ms(SystemClock().now()) / 1000 - file.stat().st_mtime


def _write(file: Path, told: str) -> None:
    temporary = file.with_suffix(".tmp")
    temporary.write_text(told)
    temporary.replace(file)


def _stay(made: Announcement, told: str, process: str) -> None:
    """A node that dies takes nobody along who could remove its files: those that live do."""
    while not made.left.wait(BEAT_S):
        with suppress(OSError):  # a folder that is away for a while
            if not made.file.exists():
                _write(made.file, told)
            os.utime(made.file)  # which, unlike touch, makes none anew beside `leave`
            forget_dead(made.file.parent, process)
