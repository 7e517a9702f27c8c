"""``kolray models tune``: the search for better parameters."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Table

from kolray.errors import InvalidInputError
from kolray.settings import load_settings


def tune(
    kind: str = typer.Argument("trust", help="trust or success"),
    trials: int = typer.Option(30, min=1, help="how many sets of parameters to try; the first is the defaults"),
    seed: int = typer.Option(7, help="as in training: the same parts"),
    resume: bool = typer.Option(False, "--resume", help="go on with the search that was killed"),
    as_json: bool = typer.Option(False, "--json", help="print JSON for machines"),
) -> None:
    """Search the booster's parameters on the training data; kept if they beat the defaults on what is untouched."""
    from kolray.models.lifecycle import KINDS
    from kolray.models.tuning import tune as search

    if kind not in KINDS:
        raise InvalidInputError(f"no search for {kind!r}: choose {' or '.join(KINDS)}")
    with Console(stderr=True).status(f"tuning {kind}: trials are runs of the experiment kolray-tuning in MLflow"):
        report, submission = search(load_settings(), kind, trials, seed, resume=resume)
    if as_json:
        print(json.dumps(report.to_dict() | {"submission": submission and asdict(submission)}))
        return
    print(f"{report.n_trials} trials; {report.reason}")
    table = Table("untouched", *report.test)
    for name in report.test["tuned"]:
        table.add_row(name, *(f"{own[name]:.4f}" for own in report.test.values()))
    Console().print(table)
    if submission is not None:
        print(f"{kind} {submission.version} is {'champion' if submission.promoted else 'challenger'}")


def register(models: typer.Typer) -> None:
    """Adds ``tune`` to ``kolray models``."""
    models.command()(tune)
