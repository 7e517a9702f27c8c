"""Fine-tuning of a ``TransformerClassifier``: AdamW, warm-up, early stop on the macro F1 of a dev part. Plain PyTorch.

Rates and batch as in PhoBERT's paper and Devlin et al. 2019: 2e-5 with linear decay, 32 texts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kolray.models.sentiment.phobert import TransformerClassifier

_STATE, _MODEL = "training.pt", "model"


@dataclass(frozen=True)
class FineTuning:
    """``rate``: the highest learning rate, reached after ``warm_up`` of all steps; ``batch``: texts a step and worker.

    Training ends after ``epochs``, or earlier: after ``patience`` epochs without a better dev macro F1.
    """

    epochs: int = 6
    batch: int = 32
    rate: float = 2e-5
    warm_up: float = 0.1
    weight_decay: float = 0.01
    patience: int = 2
    seed: int = 7


@dataclass
class Progress:
    """Epochs done: the mean ``losses`` of training, the macro F1 on dev, and epochs since the best one."""

    losses: list[float] = field(default_factory=list)
    dev_macro_f1: list[float] = field(default_factory=list)
    stale: int = 0

    @property
    def epoch(self) -> int:
        return len(self.losses)

    @classmethod
    def read(cls, folder: Path) -> Progress:
        """Of what ``FineTuner.save`` wrote."""
        import torch

        return cls(**torch.load(folder / _STATE, weights_only=True)["progress"])

    def ended(self, how: FineTuning) -> bool:
        return self.epoch >= how.epochs or self.stale >= how.patience


class FineTuner:
    """Trains epoch by epoch, and goes on where a saved one stood.

    Args:
        wrap: what makes the model one of several workers' (``ray.train.torch.prepare_model``).
    """

    def __init__(
        self,
        classifier: TransformerClassifier,
        train: pl.DataFrame,
        dev: pl.DataFrame,
        how: FineTuning,
        wrap: Callable[[Any], Any] = lambda model: model,
    ) -> None:
        import torch

        self.classifier, self.how, self.progress = classifier, how, Progress()
        self._dev = dev
        self._encoded = classifier.encode(train["text"].to_list())
        places = {label: place for place, label in enumerate(classifier.labels)}
        self._targets = [places[label] for label in train["label"].to_list()]
        self._model = wrap(classifier.model)
        self._optimizer = torch.optim.AdamW(self._model.parameters(), lr=how.rate, weight_decay=how.weight_decay)
        steps = max(how.epochs * -(-len(self._targets) // how.batch), 1)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: min((step + 1) / max(how.warm_up * steps, 1), 1 - step / (steps + 1))
        )

    def run_epoch(self) -> dict[str, float]:
        """One pass over the training part; ``epoch, loss`` (mean cross-entropy) and ``dev_macro_f1``."""
        import torch

        seed = self.how.seed + self.progress.epoch
        torch.manual_seed(seed)  # dropout draws alike whether an epoch follows another or a restart
        self._model.train()
        order = np.random.default_rng(seed).permutation(len(self._targets))
        losses = [self._step(order[i : i + self.how.batch].tolist()) for i in range(0, len(order), self.how.batch)]
        self._model.eval()
        f1 = dev_macro_f1(self.classifier, self._dev)
        done = self.progress
        done.stale = 0 if f1 > max(done.dev_macro_f1, default=-1.0) else done.stale + 1
        done.losses.append(float(np.mean(losses)))
        done.dev_macro_f1.append(f1)
        return {"epoch": done.epoch, "loss": done.losses[-1], "dev_macro_f1": f1}

    def _step(self, rows: list[int]) -> float:
        import torch

        batch = self.classifier.pad([self._encoded[row] for row in rows])
        target = torch.tensor([self._targets[row] for row in rows], device=self.classifier.model.device)
        self._optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(self._model(**batch).logits, target)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self._schedule.step()
        return float(loss.detach())

    def save(self, folder: Path) -> None:
        """The model under ``model``, and beside it what training needs to go on."""
        import torch

        self.classifier.save(folder / _MODEL)
        state = {"optimizer": self._optimizer.state_dict(), "schedule": self._schedule.state_dict()}
        torch.save(state | {"progress": vars(self.progress)}, folder / _STATE)

    def restore(self, folder: Path) -> None:
        """Goes on where ``save`` stood."""
        import torch

        saved = TransformerClassifier.load(folder / _MODEL, segment=self.classifier.segment)
        self.classifier.model.load_state_dict(saved.model.state_dict())
        state = torch.load(folder / _STATE, weights_only=True)
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self.progress = Progress.read(folder)


def load_tuned(folder: Path) -> TransformerClassifier:
    """The model of what ``FineTuner.save`` wrote."""
    return TransformerClassifier.load(folder / _MODEL)


def dev_macro_f1(classifier: TransformerClassifier, dev: pl.DataFrame) -> float:
    """Over the labels that occur in ``dev``."""
    from sklearn.metrics import f1_score

    labels = dev["label"].unique().sort().to_list()
    return float(
        f1_score(dev["label"], classifier.classify(dev["text"]), labels=labels, average="macro", zero_division=0)
    )
