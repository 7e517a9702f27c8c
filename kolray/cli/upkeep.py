"""``kolray lake maintain`` and ``kolray lake nightly``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from kolray.cli import lake
from kolray.clock import SystemClock
from kolray.settings import load_settings

if TYPE_CHECKING:
    from kolray.lake.maintenance import Maintained


def maintain(as_json: bool = lake.AS_JSON) -> None:
    """Merge and order files, drop days past retention, delete old files, checkpoint; readers and writers go on."""
    from kolray.lake.maintenance import maintain as run
    from kolray.lake.tables import LakeTables
    from kolray.observability.runs import Runs

    settings = load_settings()
    done = []
    with Runs(settings.home).record("lake maintain"), Console(stderr=True).status("maintain …") as status:
        for table in run(LakeTables(settings.lake_root), settings.lake):
            done.append(table)
            status.update(f"maintain … {table.table} done")
    if as_json:
        print(json.dumps([asdict(table) for table in done]))
    else:
        _show(done)


def _show(done: list[Maintained]) -> None:
    busy = [table for table in done if not table.idle or table.waits]
    for table in busy:
        files = f"{table.files_before:,} → {table.files_after:,} files"
        print(f"{table.table:<20} {files:>18}  {_what(table)}")
    rest = len(done) - len(busy)
    if rest:
        print(f"nothing to do in {rest} {'more ' if busy else ''}tables")


def _what(table: Maintained) -> str:
    """What was done, in words."""
    counts = (
        (table.days_rewritten, "day", "rewritten"),
        (table.days_dropped, "day", "dropped"),
        (table.files_deleted, "old file", "deleted"),
    )
    told = [f"{n:,} {what}{'s' if n > 1 else ''} {verb}" for n, what, verb in counts if n]
    told += ["log checkpointed"] if table.checkpointed else []
    told += [f"{what} wait for the layer that has to read them" for what in table.waits]
    return ", ".join(told)


def nightly(
    night: str | None = typer.Option(None, help="the day it belongs to, e.g. 2026-01-31; default: today, UTC"),
    only: str | None = typer.Option(None, "--step", help="this step alone, e.g. gold, for who calls them one by one"),
    as_json: bool = lake.AS_JSON,
) -> None:
    """Bronze to training, step by step; started again it goes on at the step that failed."""
    from kolray.models.nightly import nightly as run

    day = lake.parse_day(night) if night else SystemClock().now().date()
    results: dict[str, Any] = {}
    with Console(stderr=True).status("nightly …") as status:
        for step in run(load_settings(), day, started=lambda name: status.update(f"{name} …"), only=only):
            results[step.name] = {"seconds": step.seconds, "before": step.before, **step.detail}
            if not as_json:
                when = "before" if step.before else f"{step.seconds:.1f} s"
                print(f"{step.name:<16} {when:>8}  {_told(step.detail)}")
    if as_json:
        print(json.dumps(results))
    elif all(step["before"] for step in results.values()):
        print(f"{only or 'the night'} of {day} was done before")


def _told(detail: dict[str, Any]) -> str:
    """Counts that are not 0, and words."""
    return ", ".join(_part(name, value) for name, value in detail.items() if value) or "nothing new"


def _part(name: str, value: Any) -> str:
    if value is True:
        return name
    return f"{name} {value:,}" if isinstance(value, int) else f"{name}: {value}"


def register(_: typer.Typer) -> None:
    """Adds both to ``kolray lake``."""
    lake.app.command()(maintain)
    lake.app.command()(nightly)
