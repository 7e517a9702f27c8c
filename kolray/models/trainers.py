"""[ray] Training as Ray tasks: the same plain ``train`` on any node that sees the lake; registration in the driver.

On data of one node a task costs nothing beside a trainer's seconds of start-up; ``BoosterTrainer`` takes over where
there are more rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ray

from kolray.lake.tables import Root
from kolray.models.lifecycle import SEED, Kind, Submission, Trained, submit, train
from kolray.models.registry import ModelRegistry
from kolray.models.success.prophet import Prophets
from kolray.models.trust.members import BoosterFit, fit_booster


@ray.remote(num_cpus=1, max_retries=1)
def _train(
    kind: Kind, lake_root: Root, seed: int, params: dict[str, Any], fit: BoosterFit, prophets: Prophets | None
) -> Trained:
    return train(kind, lake_root, seed, params, fit=fit, prophets=prophets)


def train_on_ray(
    kinds: Iterable[Kind],
    lake_root: Root,
    registry: ModelRegistry,
    seed: int = SEED,
    on_submission: Callable[[Submission], None] = lambda _: None,
    fit: BoosterFit = fit_booster,
    prophets: Prophets | None = None,
) -> dict[str, Submission]:
    """Trains the kinds side by side and submits each as it is ready. Ray must be initialised.

    Args:
        fit: ``BoosterTrainer``, where there may be more rows than one node should hold.
        prophets: fits Prophet to important series, in tasks beside the training's.

    Raises:
        KolrayError: what the training raised, unwrapped from the task's error.
    """
    running = {_train.remote(kind, lake_root, seed, registry.kept_params(kind), fit, prophets): kind for kind in kinds}
    done: dict[str, Submission] = {}
    while running:
        [ready], _ = ray.wait(list(running), num_returns=1)
        kind = running.pop(ready)
        done[kind] = submit(registry, kind, _result(ready))
        on_submission(done[kind])
    return done


def _result(task: ray.ObjectRef) -> Trained:
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
