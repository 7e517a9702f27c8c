"""``kolray lake forget``."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer
from rich.console import Console

from kolray.cli import lake
from kolray.settings import load_settings


def forget(
    kol_id: str = typer.Argument(help="the KOL, as its events name it"),
    wait: float = typer.Option(600, min=0, help="seconds to wait for jobs that work in the lake"),
    yes: bool = typer.Option(False, "--yes", help="do not ask"),
    as_json: bool = lake.AS_JSON,
) -> None:
    """Erase a KOL from lake, checkpoints, stores and caches, for good, and keep it out; exit 1 if anything is left."""
    from kolray.models.forget import SCAN
    from kolray.models.forget import forget as run

    if not yes and sys.stdin.isatty():
        typer.confirm("This cannot be undone, and older versions of the lake's tables go. Erase it?", abort=True)
    steps: dict[str, Any] = {}
    with Console(stderr=True).status("forget …") as status:
        for step in run(load_settings(), kol_id, wait, started=lambda name: status.update(f"{name} …")):
            steps[step.name] = {"seconds": step.seconds, "before": step.before, **step.detail}
    found = steps[SCAN]["found"]
    if as_json:
        print(json.dumps(steps))
    else:
        _show(steps)
    if found:
        raise typer.Exit(1)


def _show(steps: dict[str, Any]) -> None:
    for name, rows in steps["count"]["rows"].items():
        print(f"{name:<22} {rows:>12,} rows")
    print(f"{'metrics store':<22} {steps['stores']['metrics_rows']:>12,} rows")
    print(f"{'Redis':<22} {steps['stores']['redis_keys']:>12,} keys")
    print(f"{'checkpoints':<22} {steps['checkpoints']['snapshots']:>12,} snapshots")
    scan = steps["scan"]
    if scan["found"]:
        print(f"still found in {scan['found']:,} places, run it again: {', '.join(scan['places'])}")
    else:
        print(f"erased: a scan finds nothing of it. The receipt is the run {steps['deny']['receipt']!r} in ops.steps")


def register(_: typer.Typer) -> None:
    """Adds it to ``kolray lake``."""
    lake.app.command()(forget)
