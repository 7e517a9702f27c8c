"""[ray] A booster fitted by Ray Train on several workers: for rows that one node should not hold at once.

Each worker reads its share of the rows batch by batch into XGBoost's quantised form (a byte a value, not eight), and
XGBoost sums the histograms over all of them. So the trees are those of all rows, up to where the quantiles are cut:
the booster is as good as ``fit_booster``'s and not bit for bit the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import ray.data
import ray.train
import xgboost as xgb
from ray.train.xgboost import RayTrainReportCallback, XGBoostTrainer

from kolray.lake.tables import place_of
from kolray.models.metrics import Floats, Labels
from kolray.models.trust.members import booster_params, fit_booster
from kolray.settings import Settings

BATCH = 65_536
BLOCKS_PER_WORKER = 4
CHECKPOINT_EVERY = 40
"""Rounds between checkpoints: a worker that died goes on at the last one."""
POLL_ENV, POLL_S = "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.1"
"""How often Ray Train looks for reports: each waits for the next look, and by default for seconds."""
LABEL = "label"


@dataclass(frozen=True)
class BoosterTrainer:
    """A ``BoosterFit``: on Ray Train from so many rows on, below them in this process. Ray must be initialised.

    Args:
        storage: folder or bucket that all nodes see, for checkpoints.
        from_rows: rows from which several workers are worth the seconds they take to start.
        workers: how many, each with one CPU.
    """

    storage: str
    from_rows: int
    workers: int

    @classmethod
    def of(cls, settings: Settings) -> BoosterTrainer:
        return cls(str(place_of(settings.model_runs)), settings.models.train_from_rows, settings.models.train_workers)

    def __call__(self, x: Floats, y: Labels, params: dict[str, Any], seed: int, names: list[str]) -> xgb.Booster:
        if len(x) < self.from_rows:
            return fit_booster(x, y, params, seed, names)
        own, rounds = booster_params(params, seed)
        columns = {name: x[:, j].astype(np.float32) for j, name in enumerate(names)}
        data = ray.data.from_arrow(pa.table(columns | {LABEL: y}))
        trainer = XGBoostTrainer(
            _boost,
            train_loop_config={"params": own, "rounds": rounds, "names": names},
            datasets={"train": data.repartition(self.workers * BLOCKS_PER_WORKER)},
            scaling_config=ray.train.ScalingConfig(num_workers=self.workers, resources_per_worker={"CPU": 1}),
            run_config=ray.train.RunConfig(
                name=f"booster-{uuid4().hex}",  # a name that was used would be resumed
                storage_path=self.storage,
                failure_config=ray.train.FailureConfig(max_failures=1),
                checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1),
            ),
        )
        with _quick_reports():
            result = trainer.fit()
        return RayTrainReportCallback.get_model(result.checkpoint)


class _Checkpoints(RayTrainReportCallback):
    """Without a report each round, which would wait for Ray Train each time; nobody asks for them."""

    def _report_metrics(self, report_dict: dict[str, Any]) -> None: ...


class _Batches(xgb.DataIter):
    """A worker's rows as XGBoost asks for them, more than once; one batch at a time is in memory."""

    def __init__(self, rows: ray.data.DataIterator, names: list[str]) -> None:
        super().__init__()
        self._rows, self._names = rows, names
        self.reset()

    def reset(self) -> None:
        self._batches = iter(self._rows.iter_batches(batch_format="numpy", batch_size=BATCH))

    def next(self, input_data: Callable[..., None]) -> bool:
        batch = next(self._batches, None)
        if batch is None:
            return False
        x = np.stack([batch[name] for name in self._names], axis=1)
        input_data(data=x, label=batch[LABEL], feature_names=self._names)
        return True


def _boost(config: dict[str, Any]) -> None:
    """What each worker runs; after a failure from the last checkpoint on."""
    matrix = xgb.QuantileDMatrix(_Batches(ray.train.get_dataset_shard("train"), config["names"]))
    held = ray.train.get_checkpoint()
    start = None if held is None else RayTrainReportCallback.get_model(held)
    left = config["rounds"] - (0 if start is None else start.num_boosted_rounds())
    checkpoints = _Checkpoints(frequency=CHECKPOINT_EVERY, checkpoint_at_end=True)
    xgb.train(config["params"], matrix, left, xgb_model=start, callbacks=[checkpoints])


@contextmanager
def _quick_reports() -> Iterator[None]:
    given = os.environ.get(POLL_ENV)
    os.environ[POLL_ENV] = given or POLL_S
    try:
        yield
    finally:
        if given is None:
            del os.environ[POLL_ENV]
