"""The trail of a delivery: each step with its time, kept with the version before the next is taken."""

from __future__ import annotations

import json
from typing import Any

from kolray.clock import Clock
from kolray.models.registry import ModelRegistry

FILE, TAG = "delivery.json", "delivery"


class Audit:
    """Steps of one version's delivery; a crash leaves those that were taken."""

    def __init__(self, registry: ModelRegistry, name: str, version: int, clock: Clock, who: str) -> None:
        self._registry, self._name, self._version, self._clock = registry, name, version, clock
        self.steps: list[dict[str, Any]] = []
        self.add("begun", by=who)

    def add(self, step: str, **facts: Any) -> None:
        """Keeps a step: JSON in the version's run, and its name at the version, by which ``history`` finds it."""
        self.steps.append({"at": self._clock.now().isoformat(timespec="milliseconds"), "step": step, **facts})
        text = json.dumps(self.steps, indent=1, default=str)
        self._registry.attach(self._name, self._version, {FILE: text})
        last = {**self.steps[-1], "begun": self.steps[0]["at"], "by": self.steps[0]["by"]}
        self._registry.tag(self._name, self._version, TAG, json.dumps(last, default=str))


def history(registry: ModelRegistry, name: str) -> list[dict[str, Any]]:
    """The last step of each version that was ever delivered, oldest first: ``version``, ``at``, ``step`` and more."""
    found = registry.versions(name).items()
    return [{"version": version, **json.loads(tags[TAG])} for version, tags in found if TAG in tags]
