"""``kolray models train|evaluate sentiment --data FILE``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from kolray.errors import InvalidInputError

if TYPE_CHECKING:
    import polars as pl

    from kolray.models.lifecycle import Submission
    from kolray.models.registry import LoadedModel, ModelRegistry
    from kolray.models.sentiment.labelled import Labelled
    from kolray.settings import Settings

BASE = typer.Option(None, "--base", help="sentiment: fine-tune this transformer, a folder or a hub's name, on Ray")


def read(data: Path | None, test: Path | None, mapping: Mapping[str, str]) -> tuple[Labelled, Labelled | None]:
    """The file to train on and, where one is given, the one to judge on."""
    from kolray.models.sentiment.labelled import read_labelled

    if data is None:
        raise InvalidInputError("sentiment learns from a labelled file: name it with --data FILE (text, label)")
    first, *second = read_labelled([data] if test is None else [data, test], mapping)
    return first, second[0] if second else None


def train(
    settings: Settings, registry: ModelRegistry, data: Labelled, test: Labelled | None, seed: int, base: str | None
) -> Submission:
    """Trains, or fine-tunes ``base``, registers as challenger, and promotes if it wins."""
    from kolray.models.lifecycle import submit
    from kolray.models.sentiment.trained import train_sentiment

    return submit(registry, "sentiment", train_sentiment(data, test, seed, _fine_tuning(settings, base)))


def evaluate(
    settings: Settings,
    data: Labelled,
    test: Labelled | None,
    seed: int,
    champion: LoadedModel | None = None,
    base: str | None = None,
) -> dict[str, Any]:
    """The report on a model trained for it, or on the champion, without registering anything."""
    from kolray.models.sentiment.judge import judge
    from kolray.models.sentiment.trained import evaluate_sentiment, train_sentiment

    if base is not None:
        return train_sentiment(data, test, seed, _fine_tuning(settings, base)).report.to_dict()
    if champion is None:
        return evaluate_sentiment(data, test, seed).to_dict()
    report = judge(champion.model, data, test or data, "the champion on the whole file")
    return report.to_dict() | {"champion": champion.label}


def _fine_tuning(settings: Settings, base: str | None) -> Callable[[pl.DataFrame, int], Any] | None:
    """On Ray, with its runs where the models' runs are kept."""
    if base is None:
        return None
    from kolray.local.cluster import join_ray
    from kolray.models.sentiment.phobert_ray import fit_on_ray

    join_ray()
    return fit_on_ray(base, settings.model_runs)


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
