"""``kolray models ablate``: what each part of the trust model is worth."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from kolray.cli.accounts import ACCOUNTS, Reader, counted, reader
from kolray.cli.options import FIELD_COLUMN
from kolray.cli.worlds import WORLD
from kolray.errors import InvalidInputError
from kolray.settings import Settings, load_settings


def ablate(
    kind: str = typer.Argument("trust", help="trust"),
    version: int = typer.Option(None, help="a version trained on the lake; default: the newest"),
    accounts: Path = ACCOUNTS,
    world: str = WORLD,
    maps: list[str] = FIELD_COLUMN,
    seed: int = typer.Option(7, help="of a table or world; a version has its own"),
    as_json: bool = typer.Option(False, "--json", help="print JSON for machines"),
) -> None:
    """Train anew without each member and each group of features, and compare on the untouched fold.

    Of a version the same data, seed and parameters are used, and its model card in MLflow gains the table.
    """
    from kolray.models.ablation import ablate_version
    from kolray.models.registry import ModelRegistry

    if kind != "trust":
        raise InvalidInputError(f"no parts of {kind!r} are known: choose trust")
    settings = load_settings()
    given: tuple[Path | None, str | None] = accounts, world
    with counted("trainings") as on_part:
        if any(given):
            whole, rows = _of_table(settings, reader(kind, maps, None, None), *given, seed, on_part)
        else:
            registry = ModelRegistry.of(settings)
            whole, rows = ablate_version(registry, settings.lake_root, version, on_part)
    if as_json:
        print(json.dumps({"whole": whole, "without": rows}))
        return
    figures = "AUC {auc:.4f}, log-loss {log_loss:.4f}, ECE {ece:.4f}".format(**whole)
    table = Table("without", "features", "AUC", "log-loss", "ECE", title=f"the whole: {figures}")
    for row in rows:
        changes = (f"{row[key]:.4f} ({row[f'{key}_change']:+.4f})" for key in ("auc", "log_loss", "ece"))
        table.add_row(row["without"], str(row["features"] or ""), *changes)
    Console().print(table)


def _of_table(
    settings: Settings,
    tables: Reader,
    accounts: Path | None,
    world: str | None,
    seed: int,
    on_part: Callable[[int, int], None],
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    from kolray.models.trust.ablation import ablate as without_parts
    from kolray.models.trust.accounts import learnable
    from kolray.models.trust.worlds import world_table

    if world is not None:
        features, labels = world_table(world, settings.home)
    elif accounts is not None:
        features, labels = learnable(tables.labelled(accounts).table)
    whole, rows = without_parts(features, labels, seed, on_part=on_part)
    return whole.report.test, [row.to_dict() for row in rows]


def register(models: typer.Typer) -> None:
    """Adds ``ablate`` to ``kolray models``."""
    models.command()(ablate)
