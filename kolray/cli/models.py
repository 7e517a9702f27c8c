"""``kolray models``: train, evaluate and promote the trust, success and sentiment models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from kolray.cli import ablate, backtest, campaigns, drift, forecast, reproduce, sentiment, tune, worlds
from kolray.cli import accounts as accounts_cli
from kolray.cli.options import FIELD_COLUMN, pairs
from kolray.errors import InvalidInputError
from kolray.settings import Settings, load_settings

app = typer.Typer(help="Train, evaluate and promote the trust, success and sentiment models.", no_args_is_help=True)
KIND = typer.Argument(help="trust, success or sentiment")
JSON = typer.Option(False, "--json", help="print JSON for machines")
DATA = typer.Option(None, "--data", help="sentiment: a labelled file (text, label)")
TEST = typer.Option(None, "--test", help="judge on this file instead of parts of the first")
SEED = typer.Option(7, help="folds and boosters are exact per seed")


@app.command()
def train(
    kind: str = KIND,
    seed: int = SEED,
    data: Path = DATA,
    accounts: Path | None = accounts_cli.ACCOUNTS,
    test: Path = TEST,
    base: str = sentiment.BASE,
    maps: list[str] = FIELD_COLUMN,
    drop: list[str] = accounts_cli.DROP,
    as_of: datetime | None = accounts_cli.AS_OF,
    as_json: bool = JSON,
) -> None:
    """Train on the lake or a file, register as challenger, and promote if it wins on its untouched fold."""
    from kolray.models.lifecycle import submit
    from kolray.models.lifecycle import train as fit
    from kolray.observability.runs import Runs

    settings = load_settings()
    with Runs(settings.home).record(f"models train {kind}"), _working(f"training {kind}"):
        if kind == "sentiment":
            labelled = sentiment.read(data, test, pairs(maps))
            submission = sentiment.train(settings, _registry(settings), *labelled, seed, base)
        elif accounts is not None:
            reader = accounts_cli.reader(kind, maps, drop, as_of)
            submission = accounts_cli.train_accounts(settings, reader, accounts, seed)
        else:
            registry = _registry(settings)
            own = {"prophets": _prophets(settings, kind)}
            trained = fit(_kind(kind), settings.lake_root, seed, registry.kept_params(kind), **own)
            submission = submit(registry, _kind(kind), trained)
    if as_json:
        print(json.dumps(asdict(submission)))
        return
    print(f"{kind} {submission.version} is {'champion' if submission.promoted else 'challenger'}: {submission.reason}")
    _show(submission.report)


@app.command()
def evaluate(
    kind: str = KIND,
    seed: int = SEED,
    champion: bool = typer.Option(False, "--champion", help="judge the registered champion on the same fold or table"),
    data: Path = DATA,
    accounts: Path | None = accounts_cli.ACCOUNTS,
    world: str | None = worlds.WORLD,
    test: Path = TEST,
    base: str = sentiment.BASE,
    maps: list[str] = FIELD_COLUMN,
    drop: list[str] = accounts_cli.DROP,
    as_of: datetime | None = accounts_cli.AS_OF,
    as_json: bool = JSON,
) -> None:
    """Train without registering and report on the untouched fold (accounts: all folds in turn) beside the baseline."""
    settings = load_settings()
    if world is not None:
        found = worlds.evaluate_world(settings, kind, world, seed)
        print(json.dumps(found)) if as_json else worlds.show_world(found)
        return
    if accounts is not None:
        reader = accounts_cli.reader(kind, maps, drop, as_of)
        figures = accounts_cli.evaluate_accounts(settings, reader, accounts, test, seed=seed, champion=champion)
        print(json.dumps(figures)) if as_json else accounts_cli.show_figures(figures)
        return
    with _working(f"evaluating {kind}"):
        if kind == "sentiment":
            labelled = sentiment.read(data, test, pairs(maps))
            judged = _registry(settings).load(kind) if champion else None
            report = sentiment.evaluate(settings, *labelled, seed, judged, base)
        else:
            report = _evaluate_on_lake(settings, _kind(kind), seed, champion=champion)
    if as_json:
        print(json.dumps(report))
        return
    _show(report)
    if "champion_loss" in report:
        print(f"loss {report['loss']:.4f}, champion {report['champion']} {report['champion_loss']:.4f}")


def _evaluate_on_lake(settings: Settings, kind: Any, seed: int, *, champion: bool) -> dict[str, Any]:
    from kolray.models.lifecycle import train as fit

    registry = _registry(settings)
    own = {"prophets": _prophets(settings, kind)}
    trained = fit(kind, settings.lake_root, seed, registry.kept_params(kind), **own)
    report: dict[str, Any] = trained.report.to_dict() | {"loss": trained.loss}
    if champion:
        loaded = registry.load(kind)
        report |= {"champion": loaded.label, "champion_loss": trained.loss_of(loaded.model)}
    return report


@app.command()
def promote(
    kind: str = typer.Argument(help="trust, trust-accounts, success or sentiment"),
    version: int = typer.Option(None, help="which version; default: the newest challenger"),
) -> None:
    """Make a challenger champion; refused when it did not win on its untouched fold."""
    from kolray.models.lifecycle import Registered
    from kolray.models.lifecycle import promote as make_champion

    if kind not in get_args(Registered):
        raise InvalidInputError(f"no model {kind!r}: choose {' or '.join(get_args(Registered))}")
    reason = make_champion(_registry(load_settings()), kind, version)  # type: ignore[arg-type]
    print(f"{kind} has a new champion: {reason}")


def _prophets(settings: Settings, kind: str) -> Any:
    if kind != "success" or not settings.models.prophet_series:
        return None
    from kolray.models.success.prophet_ray import prophets_of  # here: it imports Ray

    return prophets_of(settings.models)


def _kind(kind: str) -> Any:
    from kolray.models.lifecycle import KINDS

    if kind not in KINDS:
        raise InvalidInputError(f"no model {kind!r}: choose {' or '.join(KINDS)}")
    return kind


def _registry(settings: Settings) -> Any:
    from kolray.models.registry import ModelRegistry

    return ModelRegistry.of(settings)


@contextmanager
def _working(what: str) -> Iterator[None]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(what)
        yield


def _show(report: dict[str, Any]) -> None:
    if "confusion" in report:
        sentiment.show(report)
        return
    table = Table("untouched fold", "model", "baseline")
    for name, value in report["test"].items():
        base = report["baseline"].get(name)
        table.add_row(name, f"{value:.4f}", "" if base is None else f"{base:.4f}")
    Console().print(table)


def register(root: typer.Typer) -> None:
    """Adds ``kolray models``."""
    backtest.register(app)
    tune.register(app)
    ablate.register(app)
    drift.register(app)
    forecast.register(app)
    campaigns.register(app)
    reproduce.register(app)
    root.add_typer(app, name="models")
