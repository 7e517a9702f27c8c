"""``--world NAME`` of ``kolray models evaluate trust``: trust on a frozen generated world."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from kolray.cli.accounts import counted, show_beside
from kolray.errors import InvalidInputError
from kolray.settings import Settings

WORLD = typer.Option(None, help="trust: a frozen generated world (easy, standard, hard, large, large_hard)")
FIGURES = ("auc", "pr_auc", "accuracy", "f1", "brier", "ece")


def evaluate_world(settings: Settings, kind: str, name: str, seed: int) -> dict[str, Any]:
    """``world`` and the figures of ``world_report.judge_world``.

    Raises:
        InvalidInputError: another model than trust, no such world, or the generator makes another one now.
    """
    from kolray.features import FEATURE_NAMES
    from kolray.models.trust.world_report import judge_world
    from kolray.models.trust.worlds import world_table

    if kind != "trust":
        raise InvalidInputError(f"--world is for trust, not {kind}")
    features, truth = world_table(name, settings.home)
    with counted("folds") as on_fold:
        return {"world": name} | judge_world(features, truth, FEATURE_NAMES, seed, on_fold)


def show_world(report: dict[str, Any]) -> None:
    """Model beside the shallow tree and the forest, then by platform, tier and type."""
    console = Console()
    table = Table(f"world {report['world']}, {report['n']:,} KOLs", "model", "best feature")
    for name in FIGURES:
        base = report.get(f"baseline_{name}")
        table.add_row(name, f"{report[name]:.4f}", "" if base is None else f"{base:.4f}")
    table.add_row("AUC of a tree of depth 3", f"{report['tree_auc']:.4f}", "")
    table.add_row("AUC of the forest alone", f"{report['forest_auc']:.4f}", "")
    console.print(table)
    show_beside(report)
    groups = Table("platform or tier", "KOLs", "AUC", "ECE", "by chance", "fake share covered")
    for name, found in (report["by_platform"] | report["by_tier"]).items():
        groups.add_row(
            name, f"{found['n']:,}", *(f"{found[key]:.4f}" for key in ("auc", "ece", "ece_by_chance", "coverage"))
        )
    console.print(groups)
    types = Table("type of fraud", "AUC", "AUC when never seen")
    for name, auc in report["by_type"].items():
        types.add_row(name, f"{auc:.4f}", f"{report['leave_one_out'][name]:.4f}")
    console.print(types)
