"""Reads what ``search_log`` writes: searches, their trials live, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from kolray.clock import from_ms
from kolray.models.registry import ModelRegistry
from kolray.models.search_log import EXPERIMENT, KEPT, PARENT

NEWEST = 20
MOST = 500
"""Trials of one search that are read."""


class Search(NamedTuple):
    """A search for better parameters. ``loss``: the best so far; ``kept`` is None until it was judged."""

    search_id: str
    kind: str
    started: datetime
    ended: datetime | None
    trials: int
    wanted: int
    loss: float | None
    kept: bool | None
    reported: datetime | None
    """When a trial told a loss last."""


@dataclass(frozen=True)
class Trial:
    """One trial: its parameters, and its loss after so many rounds, in that order."""

    name: str
    params: Mapping[str, float]
    losses: Sequence[tuple[int, float]]
    running: bool
    reported: datetime

    @property
    def best(self) -> float:
        return min(loss for _, loss in self.losses)


class Searches:
    """Asks MLflow. Trials that ended are read once."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._ended: dict[str, Trial] = {}

    def newest(self) -> list[Search]:
        """The newest first."""
        client, experiment = self._registry.find_experiment(EXPERIMENT)
        if experiment is None:
            return []
        parents = client.search_runs([experiment], "tags.search != ''", max_results=NEWEST)
        return [self._search(run, self.trials(run.info.run_id)) for run in parents]

    def find(self, search_id: str) -> tuple[Search, list[Trial], dict[str, float]] | None:
        """A search, its trials in the order in which they began, and the figures of its judgement."""
        client, experiment = self._registry.find_experiment(EXPERIMENT)
        if experiment is None:
            return None
        found = client.search_runs([experiment], f"attributes.run_id = '{search_id}'", max_results=1)
        if not found or "search" not in found[0].data.tags:
            return None
        trials = self.trials(search_id)
        return self._search(found[0], trials), trials, dict(found[0].data.metrics)

    def trials(self, search_id: str) -> list[Trial]:
        """Those that have told a loss."""
        client, experiment = self._registry.find_experiment(EXPERIMENT)
        mine = f"tags.`{PARENT}` = '{search_id}'"
        runs = client.search_runs([experiment], mine, max_results=MOST, order_by=["attributes.start_time ASC"])
        return [trial for run in runs if (trial := self._trial(client, run)) is not None]

    def _trial(self, client: Any, run: Any) -> Trial | None:
        held = self._ended.get(run.info.run_id)
        if held is not None:
            return held
        told = client.get_metric_history(run.info.run_id, "loss")
        if not told:
            return None
        running = run.info.status == "RUNNING"
        # A search that was resumed may have told the same round twice.
        losses = sorted({metric.step: metric.value for metric in told}.items())
        newest = from_ms(max(metric.timestamp for metric in told))
        trial = Trial(run.data.tags["trial"], _numbers(run.data.params), losses, running, newest)
        if not running:
            self._ended[run.info.run_id] = trial
        return trial

    @staticmethod
    def _search(run: Any, trials: Sequence[Trial]) -> Search:
        ended, kept = run.info.end_time, run.data.tags.get(KEPT)
        return Search(
            search_id=run.info.run_id,
            kind=run.data.tags["kind"],
            started=from_ms(run.info.start_time),
            ended=from_ms(ended) if ended else None,
            trials=len(trials),
            wanted=int(run.data.params["trials"]),
            loss=min((trial.best for trial in trials), default=None),
            kept=None if kept is None else kept == "true",
            reported=max((trial.reported for trial in trials), default=None),
        )


def _numbers(params: Mapping[str, str]) -> dict[str, float]:
    return {name: float(value) for name, value in params.items()}
