"""``kolray deliver``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import get_args

import typer
from rich.console import Console
from rich.table import Table

from kolray.errors import InvalidInputError, NotFoundError
from kolray.settings import load_settings


def deliver(
    kind: str = typer.Argument(help="trust or success"),
    challenger: int | None = typer.Option(None, help="deliver this version; none: train one now"),
    percent: float = typer.Option(10, min=0.1, max=100, help="part of the KOLs that it answers for, always the same"),
    alpha: float = typer.Option(
        0.05, min=1e-6, max=0.5, help="of deliveries of what is no better, at most this part promotes"
    ),
    margin: float = typer.Option(0, min=0, max=0.2, help="how much worse (loss of 0-1) is still as good; 0: be better"),
    minutes: float = typer.Option(60, min=0.1, help="it is taken back where nothing is decided by then"),
    answers: int = typer.Option(20, min=1, help="least answers of its own before it is promoted"),
    stop: bool = typer.Option(False, "--stop", help="take back the one on trial now"),
    past: bool = typer.Option(False, "--history", help="show every delivery and promotion, and how it ended"),
    as_json: bool = typer.Option(False, "--json", help="as JSON"),
) -> None:
    """Train, validate and register a model, try it on some KOLs, and promote it or take it back by what it proves.

    Needs `kolray serve` with requests coming in. Ends with 1 where it was not promoted.
    """
    from kolray.models import delivery
    from kolray.models.lifecycle import Kind, Registered

    if past and kind in get_args(Registered):  # promoted, if not delivered
        return _show_past(kind, as_json=as_json)
    kinds: tuple[Kind, ...] = get_args(Kind)
    found = next((each for each in kinds if each == kind), None)
    if found is None:
        raise InvalidInputError(f"{kind!r} is not delivered; choose one of {', '.join(kinds)}")
    settings = load_settings()
    if stop:
        ended = delivery.stop(settings, found)
        if ended is None:
            raise NotFoundError(f"no {kind} model is on trial")
        trial, within_s = ended
        print(f"{kind} {trial.challenger} is taken back; {kind} {trial.champion} answers alone after {within_s:.1f} s")
        return None
    plan = delivery.Plan(percent, alpha, margin, minutes, answers)
    with Console(stderr=True).status("delivering …") as status:
        done = delivery.deliver(settings, found, plan, challenger, lambda text: status.update(f"{text} …"))
    if as_json:
        print(json.dumps(asdict(done)))
    else:
        within = "" if done.switched_s is None else f"; all replicas followed within {done.switched_s:.1f} s of it"
        print(f"{kind} {done.version}: {done.outcome.replace('_', ' ')}, {done.reason}{within}")
    if done.outcome != "promoted":
        raise typer.Exit(1)
    return None


def _show_past(kind: str, *, as_json: bool) -> None:
    from kolray.models.audit import history
    from kolray.models.registry import ModelRegistry

    rows = history(ModelRegistry.of(load_settings()), kind)
    if as_json:
        print(json.dumps(rows))
        return
    table = Table()
    for title in ("version", "begun (UTC)", "by", "last step", "at"):
        table.add_column(title, no_wrap=True)
    table.add_column("why")
    for row in rows:
        begun, last = row["begun"][:16].replace("T", " "), row["step"].replace("_", " ")
        table.add_row(str(row["version"]), begun, row["by"], last, row["at"][11:19], row.get("reason", ""))
    Console().print(table)


def register(root: typer.Typer) -> None:
    """Adds ``kolray deliver``."""
    root.command()(deliver)
