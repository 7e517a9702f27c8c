"""``--accounts FILE`` of ``kolray models train|evaluate trust`` and ``kolray score``: trust from a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from kolray.cli.options import pairs
from kolray.errors import InvalidInputError
from kolray.settings import Settings

if TYPE_CHECKING:
    from kolray.connectors.accounts import Accounts

ACCOUNTS = typer.Option(None, help="trust: a table of accounts (CSV, JSON Lines, Parquet) instead of the lake")
DROP = typer.Option(None, "--drop", help="a column to leave out; may be repeated")
AS_OF = typer.Option(None, help="when the table was made: ages count to it; default: the newest creation time")
FIGURES = ("auc", "pr_auc", "accuracy", "f1", "brier", "ece")
SHOWN = 20


class Reader:
    """Reads the account tables of one command by its ``--map``, ``--drop`` and ``--as-of``."""

    def __init__(self, maps: list[str] | None, drop: list[str] | None, as_of: datetime | None) -> None:
        self._mapping, self._drop = pairs(maps), drop or []
        self._as_of = as_of.replace(tzinfo=UTC) if as_of and as_of.tzinfo is None else as_of

    def read(self, file: Path, as_of: datetime | None = None) -> Accounts:
        """``as_of``: the time of an earlier table, for files that do not go beyond it."""
        from kolray.connectors.accounts import read_accounts

        found = read_accounts(file, self._mapping, self._drop, self._as_of)
        if self._as_of is None and as_of is not None and found.as_of is not None and found.as_of < as_of:
            return read_accounts(file, self._mapping, self._drop, as_of)
        return found

    def labelled(self, file: Path, as_of: datetime | None = None) -> Accounts:
        from kolray.connectors.accounts import labelled_accounts

        return labelled_accounts(self.read(file, as_of), file)


def reader(kind: str, maps: list[str] | None, drop: list[str] | None, as_of: datetime | None) -> Reader:
    """Raises: InvalidInputError: tables of accounts for another model than trust."""
    if kind != "trust":
        raise InvalidInputError(f"--accounts is for trust, not {kind}")
    return Reader(maps, drop, as_of)


def evaluate_accounts(
    settings: Settings, reader: Reader, file: Path, test: Path | None, *, seed: int, champion: bool
) -> dict[str, Any]:
    """The figures of ``Judged.metrics`` and ``notes``."""
    from kolray.models.trust import accounts

    if champion:
        loaded = _champion(settings)
        table = reader.labelled(test or file, loaded.model.seen.as_of)
        judged, notes = accounts.evaluate_model(loaded.model, table.table), table.notes
        return judged.metrics() | {"model": loaded.label, "notes": notes}
    train = reader.labelled(file)
    notes = list(train.notes)
    if test is not None:
        judging = reader.labelled(test, train.as_of)
        notes += [f"{test.name}: {note}" for note in judging.notes]
        judged = accounts.evaluate_on_test(train.table, judging.table, seed)
    else:
        with counted("folds") as on_fold:
            judged = accounts.evaluate_accounts(train.table, seed, on_fold)
    return judged.metrics() | {"notes": notes}


def show_figures(report: dict[str, Any]) -> None:
    """Model beside baseline."""
    table = Table(f"{report['n']:,} accounts, {report['folds']} folds x {report['repeats']}", "model", "baseline")
    for name in FIGURES:
        base = report.get(f"baseline_{name}")
        table.add_row(name, f"{report[name]:.4f}", "" if base is None else f"{base:.4f}")
    Console().print(table)
    show_beside(report)
    for note in report["notes"]:
        print(f"note: {note}")


def show_beside(report: dict[str, Any]) -> None:
    """What a score costs and, where it is known, how often the interval of the fake share held."""
    print("one account {row_ms:.2f} ms, 10,000 at once {batch_s:.2f} s".format(**report["speed"]))
    if "fake_share" in report:
        print(
            "fake share: 95 % interval covers {coverage:.1%}, width {width:.3f}, error {mae:.3f}".format(
                **report["fake_share"]
            )
        )


def train_accounts(settings: Settings, reader: Reader, file: Path, seed: int) -> Any:
    """Trains, registers under ``trust-accounts`` and promotes it if it wins."""

    from kolray.models.lifecycle import submit
    from kolray.models.registry import ModelRegistry
    from kolray.models.trust import accounts

    table = reader.labelled(file)
    for note in table.notes:
        Console(stderr=True).print(f"note: {note}")
    trained = accounts.train_accounts(table.table, seed, as_of=table.as_of)
    return submit(ModelRegistry.of(settings), accounts.MODEL, trained)


def score_accounts(settings: Settings, reader: Reader, file: Path, *, explain: bool) -> dict[str, Any]:
    """``model``, ``notes`` and ``scores``: of each account the columns of ``TrustModel.answer``, explained if asked."""
    from kolray.features.accounts import account_features
    from kolray.models.trust.explanation import explain as why

    loaded = _champion(settings)
    read = reader.read(file, loaded.model.seen.as_of)
    features = account_features(read.table)
    scores = loaded.model.answer(features).rename({"kol_id": "account_id"}).to_dicts()
    if explain:
        x = loaded.model.matrix(features)
        reasons = (asdict(why(loaded.model, x[row : row + 1])) for row in range(len(scores)))
        scores = [score | reason for score, reason in zip(scores, reasons, strict=True)]
    return {"model": loaded.label, "notes": read.notes, "scores": scores}


def show_scores(told: dict[str, Any], *, as_json: bool) -> None:
    """A table of the first accounts, or all as JSON."""
    if as_json:
        print(json.dumps(told))
        return
    scores = told["scores"]
    table = Table("account", "trust", "95 % interval", "fake", "", title=f"{told['model']}, {len(scores):,} accounts")
    for row in scores[:SHOWN]:
        interval = f"{row['lower']:.1f}–{row['upper']:.1f}"
        flags = ("yes" if row["fake"] else "no", "little is known" if row["thin"] else "")
        table.add_row(row["account_id"], f"{row['trust_score']:.1f}", interval, *flags)
    Console().print(table)
    if len(scores) > SHOWN:
        print(f"the first {SHOWN}; --json prints all")
    for note in told["notes"]:
        print(f"note: {note}")


def show_counterfactual(told: Any) -> None:
    """One line: what would have to be otherwise for which score."""
    moves = ", ".join(f"{change.feature} {change.value:.4g} → {change.to:.4g}" for change in told.changes)
    short = "" if told.reached else f", short of {told.asked_for:.1f}"
    print(f"with {moves or 'nothing that can be changed'} it would be {told.trust_score:.1f}{short}")


def _champion(settings: Settings) -> Any:
    from kolray.errors import NotFoundError
    from kolray.models.registry import ModelRegistry
    from kolray.models.trust.accounts import MODEL

    registry = ModelRegistry.of(settings)
    if registry.alias_version(MODEL) is None:
        raise NotFoundError(
            "no model of account tables yet: train one with `kolray models train trust --accounts FILE`"
        )
    return registry.load(MODEL)


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar; yields what is to be called with (done, all)."""
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what)
        yield lambda done, total: progress.update(task, completed=done, total=total)
