"""A search in MLflow: one parent run, each trial a run below it; what a killed search lacks is found by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kolray.errors import InvalidInputError, NotFoundError
from kolray.models.registry import ModelRegistry

EXPERIMENT = "kolray-tuning"
PARENT = "mlflow.parentRunId"
KEPT = "kept"
"""The tag of a search that was judged: whether what it found is in use from then on."""
_RUNNING = "attributes.status = 'RUNNING'"


class SearchLog:
    """The record of one search.

    Args:
        parent: id of its MLflow run, which also names its folder.
        n_trials: how many it is to have.
    """

    def __init__(self, registry: ModelRegistry, parent: str, n_trials: int) -> None:
        self.parent, self.n_trials = parent, n_trials
        self._registry = registry
        self._runs: dict[str, str] = {}

    @classmethod
    def begin(cls, registry: ModelRegistry, kind: str, search: str, n_trials: int) -> SearchLog:
        """A new search over the data, seed and ranges that ``search`` names."""
        client, experiment = registry.experiment(EXPERIMENT)
        run = client.create_run(experiment, run_name=f"{kind} {search}", tags={"kind": kind, "search": search})
        client.log_param(run.info.run_id, "trials", n_trials)
        return cls(registry, run.info.run_id, n_trials)

    @classmethod
    def unfinished(cls, registry: ModelRegistry, kind: str, search: str) -> SearchLog:
        """The newest search that began and did not end.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: it was over other data, another seed or another space.
        """
        client, experiment = registry.experiment(EXPERIMENT)
        found = client.search_runs([experiment], f"{_RUNNING} and tags.kind = '{kind}'", max_results=1)
        if not found:
            raise NotFoundError(f"no unfinished search for {kind}: begin one with `kolray models tune {kind}`")
        [run] = found
        if run.data.tags["search"] != search:
            raise InvalidInputError(
                f"the unfinished search for {kind} was over other data, another seed or other ranges; its trials "
                "would not compare with new ones. Begin anew, without --resume"
            )
        return cls(registry, run.info.run_id, int(run.data.params["trials"]))

    def reported(self, trial: str, params: Mapping[str, Any], rounds: int, loss: float) -> None:
        """A trial's loss on what it did not see, after so many boosting rounds."""
        client, _ = self._registry.experiment(EXPERIMENT)
        client.log_metric(self._run(client, trial, params), "loss", loss, step=rounds)

    def ended(self, trial: str) -> None:
        """A trial ended, by itself or stopped by the scheduler."""
        client, _ = self._registry.experiment(EXPERIMENT)
        if trial in self._runs:
            client.set_terminated(self._runs[trial])

    def finish(self, report: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """The search is judged: nothing of it is left to resume."""
        client, _ = self._registry.experiment(EXPERIMENT)
        client.log_dict(self.parent, dict(report), "tuning.json")
        client.set_tag(self.parent, KEPT, str(report["kept"]).lower())
        for key, value in metrics.items():
            client.log_metric(self.parent, key, value)
        client.set_terminated(self.parent)

    def _run(self, client: Any, trial: str, params: Mapping[str, Any]) -> str:
        """The trial's own run: one, however often the search is resumed."""
        if trial not in self._runs:
            _, experiment = self._registry.experiment(EXPERIMENT)
            mine = f"tags.trial = '{trial}' and tags.`{PARENT}` = '{self.parent}'"
            found = client.search_runs([experiment], mine, max_results=1)
            self._runs[trial] = found[0].info.run_id if found else self._new_run(client, experiment, trial, params)
        return self._runs[trial]

    def _new_run(self, client: Any, experiment: str, trial: str, params: Mapping[str, Any]) -> str:
        run_id = client.create_run(experiment, run_name=trial, tags={"trial": trial, PARENT: self.parent}).info.run_id
        for key, value in params.items():
            client.log_param(run_id, key, value)
        return str(run_id)
