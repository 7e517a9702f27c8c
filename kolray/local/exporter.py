"""The exporter of ``kolray up``: who runs everything on one machine has ``/metrics`` without a further command."""

from __future__ import annotations

import sys
from pathlib import Path

from kolray.local.ports import LOOPBACK, accepts, choose_port
from kolray.local.process import RunFolder, wait_until
from kolray.local.servers import Server
from kolray.settings_parts import ObserveSettings

NAME = "exporter"


def start_exporter(home: Path, observe: ObserveSettings, owner_pid: int | None = None) -> str:
    """Starts it, unless it runs in this home; returns its address (``host:port``) when it answers.

    Args:
        observe: where it listens; a port that another process has is left to it, and a free one is taken.
        owner_pid: it ends when this process is gone; none: it runs until ``down``.

    Raises:
        ServiceUnavailableError: it did not start.
    """
    if (held := exporter_address(home)) is not None:
        return held
    folder, server = RunFolder(home), exporter(home, observe)
    running = folder.start(NAME, server.command, server.address, server.env, owner_pid)
    wait_until("the exporter", running, folder.log(NAME), server.answers, server.start_s)
    return server.address


def exporter(home: Path, observe: ObserveSettings) -> Server:
    """``kolray observe export`` of this installation and home."""
    taken = observe.port == 0 or accepts(observe.port)
    port = choose_port(NAME) if taken else observe.port
    kolray = str(Path(sys.executable).with_name("kolray"))
    return Server(
        name=NAME,
        command=[kolray, "observe", "export", "--port", str(port)],
        address=f"{observe.host}:{port}",
        settings={},
        answers=lambda: accepts(port, LOOPBACK if observe.host == "0.0.0.0" else observe.host),  # noqa: S104 - read
        env={"KOLRAY_HOME": str(home)},
    )


def exporter_address(home: Path) -> str | None:
    """Where the one of this home answers; None where none runs."""
    found = [running for running in RunFolder(home).running() if running.name == NAME and running.alive()]
    return found[0].address if found else None
