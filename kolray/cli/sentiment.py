"""``kolray models train|evaluate sentiment --data FILE``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from kolray.errors import InvalidInputError

if TYPE_CHECKING:
    from kolray.models.lifecycle import Submission
    from kolray.models.registry import LoadedModel, ModelRegistry
    from kolray.models.sentiment.labelled import Labelled


def read(data: Path | None, test: Path | None, mapping: Mapping[str, str]) -> tuple[Labelled, Labelled | None]:
    """The file to train on and, where one is given, the one to judge on."""
    from kolray.models.sentiment.labelled import read_labelled

    if data is None:
        raise InvalidInputError("sentiment learns from a labelled file: name it with --data FILE (text, label)")
    first, *second = read_labelled([data] if test is None else [data, test], mapping)
    return first, second[0] if second else None


def train(registry: ModelRegistry, data: Labelled, test: Labelled | None, seed: int) -> Submission:
    """Trains, registers as challenger, and promotes if it wins."""
    from kolray.models.lifecycle import submit
    from kolray.models.sentiment.trained import train_sentiment

    return submit(registry, "sentiment", train_sentiment(data, test, seed))


def evaluate(data: Labelled, test: Labelled | None, seed: int, champion: LoadedModel | None) -> dict[str, Any]:
    """The report on a model trained for it, or on the champion, without registering anything."""
    from kolray.models.sentiment.judge import judge
    from kolray.models.sentiment.trained import evaluate_sentiment

    if champion is None:
        return evaluate_sentiment(data, test, seed).to_dict()
    report = judge(champion.model, data, test or data, "the champion on the whole file")
    return report.to_dict() | {"champion": champion.label}


def show(report: dict[str, Any]) -> None:
    """The figures as a table, with the confusion below."""
    table = Table(f"{report['split']}, {report['n']:,} texts", "model", "most frequent label")
    for name in ("accuracy", "macro_f1", "weighted_f1", "no_diacritics_accuracy"):
        base = report.get(f"baseline_{name}")
        table.add_row(name, f"{report[name]:.4f}", "" if base is None else f"{base:.4f}")
    table.add_row("comments_per_s", f"{report['comments_per_s']:,.0f}", "")
    confusion = Table("true \\ judged", *next(iter(report["confusion"].values())))
    for label, judged in report["confusion"].items():
        confusion.add_row(label, *map(str, judged.values()))
    Console().print(table, confusion)
