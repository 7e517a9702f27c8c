"""A trial under way: which version answers for which part of the KOLs, until when. Kept at the model's name in the
registry, where every replica looks, so that it needs no way to the replicas and outlives whoever began it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from kolray.models.registry import ModelRegistry

NOTE = "trial"


@dataclass(frozen=True)
class Trial:
    """``percent`` of the KOLs are answered for by ``challenger`` instead of ``champion``; after ``until`` by nobody.

    ``begun``: when its delivery began, by which its trail is found.
    """

    name: str
    champion: int
    challenger: int
    percent: float
    begun: datetime
    until: datetime

    @property
    def key(self) -> str:
        """Its own name: evidence of an earlier trial of the same versions is not this one's."""
        return f"{self.name}:{self.champion}:{self.challenger}:{self.begun.timestamp():.3f}"

    def note(self, registry: ModelRegistry) -> None:
        """From now on replicas take it up."""
        registry.note(self.name, NOTE, json.dumps(asdict(self), default=datetime.isoformat))


def read_trial(registry: ModelRegistry, name: str) -> Trial | None:
    """The one under way, or left behind; None where there is none."""
    text = registry.noted(name, NOTE)
    if not text:
        return None
    told: dict[str, Any] = json.loads(text)
    times = {field: datetime.fromisoformat(told[field]) for field in ("begun", "until")}
    return Trial(**{**told, **times})


def end_trial(registry: ModelRegistry, trial: Trial) -> None:
    """From now on the champion alone answers; a trial that is no longer this one is left alone."""
    found = read_trial(registry, trial.name)
    if found is not None and found.key == trial.key:
        registry.note(trial.name, NOTE, "")
