"""``kolray ingest``: events and reference data of the user's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from kolray.cli import polls
from kolray.cli.options import COUNTS_AS_JSON, FIELD_COLUMN, pairs
from kolray.errors import InvalidInputError
from kolray.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Bring in events and reference data.")
FIELD_VALUE = typer.Option(None, "--set", help="FIELD=VALUE for every row; {stem} is the file's name")


@app.command("file")
def ingest_file(
    files: list[Path] = typer.Argument(help="JSON Lines, CSV or Parquet; merged by event time"),
    maps: list[str] = FIELD_COLUMN,
    sets: list[str] = FIELD_VALUE,
    kind: str = typer.Option("social", help="social or web"),
    dry: bool = typer.Option(False, "--dry-run", help="send nothing; show what is wrong and the first bad rows"),
    as_json: bool = COUNTS_AS_JSON,
) -> None:
    """Send the rows of files as events; a bad row goes to the dead letters with file, line and reason.

    Stopped on the way, the same command goes on where it was.
    """
    from kolray.connectors.files import read_files
    from kolray.connectors.send import dry_run, send_file_events
    from kolray.stream.build import broker_identity
    from kolray.stream.denied import open_deny_list

    if kind not in ("social", "web"):
        raise InvalidInputError(f"--kind {kind}: use social or web")
    events = read_files(files, kind, pairs(maps), pairs(sets))  # type: ignore[arg-type]
    if dry:
        _show_dry_run(dry_run(events), as_json)
        return
    settings = load_settings()
    log = json.dumps(broker_identity(settings.kafka), sort_keys=True)
    sent = send_file_events(settings, events, open_deny_list(settings).allowed, show=not as_json, log=log)
    before = f"; {sent['resumed']:,} of them by the run that was stopped" if "resumed" in sent else ""
    told = f"{sent['sent']:,} events sent, {sent['dead_letters']:,} dead-lettered{before}"
    print(json.dumps(sent) if as_json else told)


def _show_dry_run(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(found))
        return
    print(f"{found['valid']:,} of {found['read']:,} rows are valid, {found['dead_letters']:,} would be dead-lettered")
    for reason, n in found["reasons"].items():
        print(f"  {n:,} {reason}")
    for error in found["errors"]:
        print(f"{error['file']}:{error['line']}: {error['reason']}: {error['row']}")


def _reference(name: str, file: Path) -> None:
    import polars as pl

    from kolray.connectors.files import load_table
    from kolray.lake.reference import upsert_reference
    from kolray.stream.denied import open_deny_list

    settings, frame = load_settings(), load_table(file)
    allowed: pl.DataFrame = open_deny_list(settings).allowed(frame)
    changed = upsert_reference(settings.lake_root, name, allowed)
    denied = frame.height - allowed.height
    print(f"{frame.height:,} rows read, {changed:,} new or changed" + (f", {denied:,} denied" if denied else ""))


@app.command()
def kols(file: Path) -> None:
    """Who the KOLs are: kol_id, platform, category, tier, language."""
    _reference("kols", file)


@app.command()
def campaigns(file: Path) -> None:
    """Campaigns: campaign_id, kol_id, start, end, budget, currency, category, phases."""
    _reference("campaigns", file)


@app.command()
def labels(file: Path) -> None:
    """Judgements about accounts: kol_id, label (1 = fraud), source, at, and fake_share (0–1) where it was counted."""
    _reference("labels", file)


def register(root: typer.Typer) -> None:
    """Adds ``kolray ingest``."""
    polls.register(app)
    root.add_typer(app, name="ingest")
