"""Waiting for what servers, actors and processes do in their own time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx


def until(what: str, holds: Callable[[], object], limit_s: float = 240, log: Path | None = None) -> None:
    """Returns when ``holds`` does; a server that does not answer yet is none that fails. The limit suits a machine
    on which other tests run.

    Raises:
        AssertionError: it did not within ``limit_s``; the message says ``what``, and the last words of ``log``.
    """
    deadline = time.monotonic() + limit_s
    while not _now(holds):
        told = f":\n{log.read_text(errors='replace')[-2000:]}" if log and log.exists() else ""
        assert time.monotonic() < deadline, f"not within {limit_s:.0f} s: {what}{told}"
        time.sleep(0.1)


def _now(holds: Callable[[], object]) -> bool:
    try:
        return bool(holds())
    except httpx.HTTPError:
        return False
