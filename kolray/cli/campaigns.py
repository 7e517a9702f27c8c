"""``kolray models backtest success --task campaigns``: lifts of campaigns on a world whose truth is known."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from kolray.errors import InvalidInputError
from kolray.settings import load_settings


def backtest_campaigns(world: str | None, *, as_json: bool) -> None:
    """Judges on a frozen generated world and prints.

    Raises:
        InvalidInputError: no world is given, there is none of the name, or the generator makes another one now.
    """
    from kolray.models.success.campaigns.lift_report import judge_lifts
    from kolray.models.success.campaigns.world import campaign_world

    if world is None:
        raise InvalidInputError("say --world NAME: only of a generated world the true lift of campaigns is known")
    known = campaign_world(world, load_settings().home)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("lifts", total=None)
        report = {"world": world, "lift": judge_lifts(known, lambda: progress.advance(bar))}
    print(json.dumps(report)) if as_json else _show_lifts(report)


def _show_lifts(report: dict[str, Any]) -> None:
    for metric, groups in report["lift"].items():
        names = ("campaigns", "RMSE", "alone", "during / before", "spread of truth", "90 % cover", "width")
        table = Table(f"lift of {metric}", *names)
        for group, told in groups.items():
            keys = ("rmse", "alone_rmse", "trivial_rmse", "truth_sd", "coverage_90", "width_90")
            table.add_row(group, f"{told['n']:,.0f}", *(f"{told[key]:.3f}" for key in keys))
        Console().print(table)
