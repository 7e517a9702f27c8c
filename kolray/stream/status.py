"""What a running stream says about itself: one JSON file under home, replaced whole every second.

A file, because ``kolray status`` must answer without joining Ray and also while Redis, the broker or the store is
what is broken. The supervisor writes it, so it lies where the run was started.
"""

from __future__ import annotations

import json
import os
import socket
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from kolray.clock import Clock, SystemClock, to_ms
from kolray.stream.state import Counters
from kolray.stream.supervision import Supervision

FILE = "stream.json"
STALE_S = 10.0
"""A file older than this was left by a run that was killed."""


def report(watch: Supervision, answers: dict[int, dict[str, Any]], state: str, at: float) -> dict[str, Any]:
    """The published form.

    Args:
        answers: shard number → its newest status (``Shard.status`` with ``pid``).
        at: unix time in seconds; ages are counted up to it.
    """
    shards = []
    for number, shard in enumerate(watch.shards):
        answer = answers.get(number, {})
        shards.append(
            {
                "shard": number,
                "state": shard.state,
                "pid": answer.get("pid"),
                "node": answer.get("node"),
                "restarts": shard.restarts,
                "reason": shard.reason,
                "checkpoint_age_s": _age(answer.get("checkpoint_at"), at),
                "checkpoint_took_s": answer.get("checkpoint_took_s"),
                "status_age_s": _age(answer.get("at"), at),
                "meters": answer.get("meters"),
                "scoring": answer.get("scoring"),
                "partitions": {
                    str(partition): {k: v for k, v in part.items() if k != "watermark_ms"}
                    | {"watermark_delay_s": _age(part["watermark_ms"] / 1000, at) if part["watermark_ms"] > 0 else None}
                    for partition, part in answer.get("partitions", {}).items()
                },
            }
        )
    return {"state": state, "at": at, "pid": os.getpid(), "restarts": watch.restarts, "shards": shards}


def _age(then: float | None, now: float) -> float | None:
    return None if then is None else round(now - then, 1)


def totals(statuses: list[dict[str, Any]]) -> dict[str, int]:
    """Counters summed over the partitions of all shards."""
    counters = [part for status in statuses for part in status.get("partitions", {}).values()]
    return {name: sum(part[name] for part in counters) for name in Counters.__dataclass_fields__}


class StatusFile:
    """``<home>/stream.json``, or what else runs without end and says so: ``state``, ``at`` and ``pid`` at least.

    A reader in another container or on another machine shares the file but not the processes: it goes by the file's
    age alone.
    """

    def __init__(self, home: Path, clock: Clock | None = None, file: str = FILE) -> None:
        self._path, self._clock = home / file, clock or SystemClock()

    def write(self, published: dict[str, Any]) -> None:
        """Replaces the file at once: a reader sees the old or the new one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(published | {"processes": processes()}))
        temporary.replace(self._path)

    def read(self) -> dict[str, Any] | None:
        """What was written last, None where nothing of the kind ran here; ``state`` is ``gone`` when its process is."""
        try:
            published: dict[str, Any] = json.loads(self._path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        silent = to_ms(self._clock.now()) / 1000 - published["at"] > STALE_S
        seen = published.pop("processes", None) == processes()
        if published["state"] == "running" and (silent or (seen and not psutil.pid_exists(published["pid"]))):
            published["state"] = "gone"
        return published


@cache
def processes() -> str:
    """Which processes this one sees: two that get the same answer mean the same one by a PID.

    The first PID namespace of every Linux has the same number, hence the host's name; where there are none, that alone.
    """
    try:
        space = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        space = 0
    return f"{socket.gethostname()}/{space}"
