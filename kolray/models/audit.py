"""Who changed which model answers, when and why: a trail of steps at the version, only ever added to."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from kolray.clock import Clock, SystemClock, to_ms
from kolray.models.registry import ModelRegistry

TAG = "trail"


class Audit:
    """The trail of one delivery, or of one promotion without, of a version.

    Each step is a tag of the version for itself: a crash leaves those that were taken, another delivery of the version
    has its own, and who stops one from another process adds to the same.

    Args:
        begun: names a trail that somebody else began.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        name: str,
        version: int,
        clock: Clock | None = None,
        begun: datetime | None = None,
    ) -> None:
        self._registry, self._name, self._version, self._clock = registry, name, version, clock or SystemClock()
        self.begun = begun or self._clock.now()

    def add(self, step: str, **facts: Any) -> None:
        """Keeps a step with its time and who took it."""
        at = self._clock.now().isoformat(timespec="milliseconds")
        told = json.dumps({"at": at, "step": step, "by": _user(), **facts}, default=str)
        self._registry.tag(self._name, self._version, f"{TAG}.{to_ms(self.begun)}.{step}", told)

    @property
    def steps(self) -> list[dict[str, Any]]:
        """All that anybody added, in the order of time."""
        return dict(_trails(self._registry.tags(self._name, self._version)))[to_ms(self.begun)]


def history(registry: ModelRegistry, name: str) -> list[dict[str, Any]]:
    """Every delivery and promotion, oldest first: ``version``, ``begun``, ``by``, ``steps``, and what the last says."""
    found = []
    for version, tags in registry.versions(name).items():
        for _, steps in _trails(tags):
            first = {"begun": steps[0]["at"], "by": steps[0]["by"]}
            found.append({"version": version, **steps[-1], **first, "steps": steps})
    return sorted(found, key=lambda row: row["begun"])


def _trails(tags: Mapping[str, str]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    trails: dict[int, list[dict[str, Any]]] = {}
    for key, told in tags.items():
        if key.startswith(f"{TAG}."):
            trails.setdefault(int(key.split(".")[1]), []).append(json.loads(told))
    for begun, steps in trails.items():
        yield begun, sorted(steps, key=lambda step: str(step["at"]))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"
