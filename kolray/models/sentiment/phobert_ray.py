"""[ray] Transformers on many processes: fine-tuning by a ``TorchTrainer``, inference by an actor pool of Ray Data."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import ray
import ray.data
import ray.train
from ray.train import Checkpoint, CheckpointConfig, DataConfig, FailureConfig, RunConfig, ScalingConfig

from kolray.models.sentiment.judge import text_folds
from kolray.models.sentiment.phobert import TransformerClassifier
from kolray.models.sentiment.phobert_fit import FineTuner, FineTuning, Progress, load_tuned

DEV_PARTS = 10
_SCORE = "dev_macro_f1"


def fine_tune_on_ray(
    source: str,
    train: pl.DataFrame,
    dev: pl.DataFrame,
    how: FineTuning,
    storage: str,
    name: str,
    *,
    workers: int = 1,
    gpu: bool = False,
    max_failures: int = 2,
) -> tuple[TransformerClassifier, Progress]:
    """Fine-tunes a model from a folder or a hub's name. Ray must be initialised.

    A run of the same ``storage`` and ``name`` that was killed, driver and all, goes on from its last epoch; a worker
    that dies is replaced, ``max_failures`` times at most.

    Args:
        train, dev: ``text`` and ``label``; early stopping and the choice of the epoch look at ``dev``.
        workers: processes that share the training part; each has a CPU, or a GPU with ``gpu``.

    Returns:
        the model of the best epoch, and how all epochs went.
    """
    from ray.train.torch import TorchTrainer

    labels = sorted(train["label"].unique().to_list())
    result = TorchTrainer(
        _loop,
        train_loop_config={"source": source, "labels": labels, "how": vars(how)},
        datasets={"train": ray.data.from_arrow(train.to_arrow()), "dev": ray.data.from_arrow(dev.to_arrow())},
        dataset_config=DataConfig(datasets_to_split=["train"]),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpu),
        run_config=RunConfig(
            name=name,
            storage_path=storage,
            failure_config=FailureConfig(max_failures=max_failures),
            checkpoint_config=CheckpointConfig(num_to_keep=2, checkpoint_score_attribute=_SCORE),
        ),
    ).fit()
    best, _ = max(result.best_checkpoints, key=lambda pair: pair[1][_SCORE])
    with best.as_directory() as folder:
        tuned = load_tuned(Path(folder))
    with result.checkpoint.as_directory() as folder:
        return tuned, Progress.read(Path(folder))


def fit_on_ray(source: str, storage: str, how: FineTuning | None = None) -> Callable[[pl.DataFrame, int], Any]:
    """Fine-tuning as a function of texts with labels and a seed: one in ten of them is its dev part.

    The run's name follows from all of that, so that the same call after a kill goes on.
    """

    def fit(frame: pl.DataFrame, seed: int) -> TransformerClassifier:
        chosen = replace(how or FineTuning(), seed=seed)
        held = pl.Series(text_folds(frame, DEV_PARTS, seed) == 0)
        asked = f"{source} {chosen} {frame.hash_rows(seed=0).sum()}"
        name = f"sentiment-{hashlib.sha256(asked.encode()).hexdigest()[:12]}"
        tuned, _ = fine_tune_on_ray(source, frame.filter(~held), frame.filter(held), chosen, storage, name)
        return tuned

    return fit


def _loop(config: dict[str, Any]) -> None:
    """What each worker runs."""
    import torch
    from ray.train.torch import prepare_model

    how = FineTuning(**config["how"])
    torch.manual_seed(how.seed)  # of a new head's weights
    classifier = TransformerClassifier.load(config["source"], config["labels"])
    train, dev = (_rows(name) for name in ("train", "dev"))
    tuner = FineTuner(classifier, train, dev, how, prepare_model)
    held = ray.train.get_checkpoint()
    if held:
        with held.as_directory() as folder:
            tuner.restore(Path(folder))
    while not tuner.progress.ended(tuner.how):
        metrics = tuner.run_epoch()
        with tempfile.TemporaryDirectory() as folder:
            first = ray.train.get_context().get_world_rank() == 0
            if first:
                tuner.save(Path(folder))
            ray.train.report(metrics, checkpoint=Checkpoint.from_directory(folder) if first else None)


def _rows(name: str) -> pl.DataFrame:
    """This worker's part of a data set, in memory: labelled texts are few."""
    parts = ray.train.get_dataset_shard(name).iter_batches(batch_format="pyarrow", batch_size=None)
    return pl.concat([pl.DataFrame(pl.from_arrow(part)) for part in parts])


def classify_dataset(
    texts: ray.data.Dataset, source: str | Path, *, column: str = "text", actors: int = 1, batch: int = 256
) -> ray.data.Dataset:
    """Adds ``sentiment`` (-1, 0, 1) to a data set, by a pool of actors that each hold the model once."""
    return texts.map_batches(
        _Judge,
        fn_constructor_args=(str(source), column),
        batch_format="pyarrow",
        batch_size=batch,
        compute=ray.data.ActorPoolStrategy(size=actors),
    )


class _Judge:
    def __init__(self, source: str, column: str) -> None:
        self._classifier, self._column = TransformerClassifier.load(source), column

    def __call__(self, batch: pa.Table) -> pa.Table:
        texts = pl.Series(pl.from_arrow(batch[self._column].combine_chunks()))
        return batch.append_column("sentiment", self._classifier.classify(texts).to_arrow())
