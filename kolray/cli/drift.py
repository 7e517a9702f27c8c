"""``kolray models drift``: what moved since the champions were trained."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from kolray.errors import NotFoundError
from kolray.settings import load_settings

NAMES = {"auc": "AUC, {}", "forecast": "forecasts served, {}", "score": "PSI of scores", "feature": "PSI, {}"}
MOST = typer.Option(10, min=1, help="features to show, those that moved the farthest")


@dataclass(frozen=True)
class Looked:
    """One model's newest look: its measures as rows of ``ops.drift``."""

    model: str
    at: datetime
    measures: list[dict[str, object]]


def drift(
    measure: bool = typer.Option(False, "--measure", help="look now, as the night does, with its alerts"),
    most: int = MOST,
    as_json: bool = typer.Option(False, "--json", help="print JSON for machines"),
) -> None:
    """How far features and scores moved since training, and the AUC to expect now: of the newest night, or now."""
    from kolray.clock import SystemClock
    from kolray.lake.tables import LakeTables
    from kolray.models.watch import NAME, watch_models

    settings = load_settings()
    if measure:
        with Console(stderr=True).status("measuring …"):
            told = watch_models(settings, SystemClock())
        if "skipped" in told:
            raise NotFoundError(told["skipped"])
    looks = _newest(LakeTables(settings.lake_root).scan(NAME).collect())
    if not looks:
        raise NotFoundError("no model was looked at yet: train one, then `kolray models drift --measure`")
    if as_json:
        print(json.dumps([asdict(look) for look in looks], default=str))
        return
    for look in looks:
        _show(look, most)


def _newest(rows: pl.DataFrame) -> list[Looked]:
    newest = rows.filter(pl.col("at") == pl.col("at").max().over(pl.col("model").str.split(":").list.first()))
    ordered = newest.sort("model", "kind", "value", descending=[False, False, True])
    return [
        Looked(str(model), part["at"][0], part.drop("model", "at", "dt").to_dicts())
        for (model,), part in ordered.group_by("model", maintain_order=True)
    ]


def _show(look: Looked, most: int) -> None:
    table = Table("what", "now", "at training", "p", "", title=f"{look.model}, {look.at:%Y-%m-%d %H:%M} UTC")
    features = [row for row in look.measures if row["kind"] == "feature"]
    for row in [row for row in look.measures if row["kind"] != "feature"] + features[:most]:
        name = NAMES[str(row["kind"])].format(row["name"])
        numbers = (_number(row[key]) for key in ("value", "before", "p_value"))
        table.add_row(name, *numbers, "moved" if row["drifted"] else "")
    Console().print(table)


def _number(value: object) -> str:
    return "" if value is None else f"{value:.4f}"


def register(models: typer.Typer) -> None:
    """Adds ``drift`` to ``kolray models``."""
    models.command()(drift)
