"""[ray] The search by Ray Tune: Optuna proposes, ASHA stops what falls behind, a killed search goes on.

Each trial is one task with one CPU; what it reports is written beside its checkpoint, so that a search whose driver
was killed is restored from its folder: finished trials are read, running ones go on at their last report.
"""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from kolray.models.search_log import SearchLog
from kolray.models.space import Range, Space
from kolray.models.trial import Trial
from kolray.models.tuning import Tried

Make = Callable[[dict[str, Any]], Trial]
"""A trial of some parameters; what it holds is put into Ray's store once."""


def search(folder: str, make: Make, space: Space, seed: int, log: SearchLog) -> list[Tried]:
    """Runs a search, or what is left of it where ``folder`` holds one. Ray must be initialised.

    Args:
        folder: a search's own, absolute; every node must see it.
        seed: of what Optuna proposes.
        log: says how many trials there are to be, and is told of their results as they come.
    """
    logging.getLogger("optuna").setLevel(logging.WARNING)
    trainable = tune.with_resources(tune.with_parameters(_run, make=make), {"cpu": 1})
    if tune.Tuner.can_restore(folder):
        tuner = tune.Tuner.restore(folder, trainable, resume_errored=True)
    else:
        place, _, name = folder.rpartition("/")
        optuna = OptunaSearch(
            {name: _domain(allowed) for name, allowed in space.ranges.items()},
            metric="loss", mode="min", points_to_evaluate=[dict(space.defaults)], seed=seed,
        )  # fmt: skip
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                metric="loss", mode="min", num_samples=log.n_trials, reuse_actors=True,
                search_alg=optuna,
                scheduler=ASHAScheduler(
                    "rounds", max_t=space.max_rounds, grace_period=space.min_rounds, reduction_factor=3
                ),
            ),
            run_config=tune.RunConfig(
                name=name, storage_path=place, verbose=0, callbacks=[_Told(log)],
                checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
            ),
        )  # fmt: skip
    with redirect_stdout(io.StringIO()):  # a table of Tune's that no verbosity leaves out
        results = tuner.fit()
    return [_tried(result) for result in results if result.metrics and "loss" in result.metrics]


class _Told(tune.Callback):
    """Passes on what a trial reports."""

    def __init__(self, log: SearchLog) -> None:
        self._log = log

    def on_trial_result(self, iteration: int, trials: list, trial: Any, result: dict[str, Any], **info: Any) -> None:
        self._log.reported(trial.trial_id, trial.config, int(result["rounds"]), float(result["loss"]))

    def on_trial_complete(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        self._log.ended(trial.trial_id)


def _run(config: dict[str, Any], make: Make) -> None:
    trial = make(config)
    held = tune.get_checkpoint()
    if held is not None:
        with held.as_directory() as kept:
            trial.load(Path(kept))
    for rounds, loss in trial.reports():
        with tempfile.TemporaryDirectory() as folder:
            trial.save(Path(folder))
            best = trial.space.every * (trial.losses.index(min(trial.losses)) + 1)
            told = {"rounds": rounds, "loss": loss, "best_loss": min(trial.losses), "best_rounds": best}
            tune.report(told, checkpoint=tune.Checkpoint.from_directory(folder))


def _tried(result: tune.Result) -> Tried:
    told = result.metrics
    params = {**result.config, "rounds": int(told["best_rounds"])}
    return Tried(str(told["trial_id"]), params, float(told["best_loss"]), int(told["rounds"]))


def _domain(allowed: Range) -> Any:
    if allowed.whole:
        return (tune.lograndint if allowed.log else tune.randint)(int(allowed.low), int(allowed.high) + 1)
    return (tune.loguniform if allowed.log else tune.uniform)(allowed.low, allowed.high)
