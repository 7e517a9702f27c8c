"""Ports on loopback."""

from __future__ import annotations

import os
import socket

LOOPBACK = "127.0.0.1"


def choose_port(name: str) -> int:
    """``KOLRAY_LOCAL__<NAME>_PORT`` where it is set, else a free port."""
    wanted = os.environ.get(f"KOLRAY_LOCAL__{name.upper()}_PORT")
    if wanted:
        return int(wanted)
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def accepts(port: int, host: str = LOOPBACK) -> bool:
    """Whether something listens there."""
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False
