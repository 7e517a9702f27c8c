"""``kolray dlq``: what was refused, why, and how to send it again."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from kolray.clock import SystemClock
from kolray.errors import SchemaError
from kolray.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Dead letters: listed, shown, mended and replayed.")
TOPIC = typer.Option(None, "--topic", help="only those from a topic, or from file:NAME")
REASON = typer.Option(None, "--reason", help="only those whose reason holds this text")


@app.command("list")
def list_letters(
    topic: str | None = TOPIC,
    reason: str | None = REASON,
    each: bool = typer.Option(False, "--each", help="letter by letter, the newest first, not by reason"),
    limit: int = typer.Option(50, min=1, help="rows at most"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """How many letters there are, by origin and reason."""
    from kolray.connectors.dead_letters import chosen, summary
    from kolray.connectors.dead_letters_run import read_letters

    letters = chosen(read_letters(load_settings()), topic, reason)
    rows = letters.sort("at", descending=True).drop("key", "value") if each else summary(letters)
    if as_json:
        print(rows.head(limit).write_json())
        return
    if rows.is_empty():
        print("no dead letters")
        return
    Console().print(_table(rows.head(limit)))
    if rows.height > limit:
        print(f"and {rows.height - limit:,} more: --limit shows them")


@app.command()
def show(place: str = typer.Argument(help="PARTITION/OFFSET in events.dlq, as `list` says")) -> None:
    """One letter: whence, why, and what it says."""
    from kolray.connectors.dead_letters import chosen, fields_of
    from kolray.connectors.dead_letters_run import read_letters
    from kolray.schemas.registry import open_registry

    settings = load_settings()
    letter = chosen(read_letters(settings), places=[place]).row(0, named=True)
    print(f"{letter['topic']}, partition {letter['partition']}, offset {letter['offset']}, {letter['at']:%F %T} UTC")
    print(f"reason: {letter['reason']}")
    try:
        fields = fields_of(letter["value"], letter["topic"], open_registry(settings.registry.url))
    except SchemaError as error:
        print(f"unreadable ({error}); {len(letter['value'] or b'')} bytes: {(letter['value'] or b'')[:200]!r}")
        return
    print(json.dumps({name: value for name, value in fields.items() if value is not None}, indent=2, default=str))


@app.command()
def replay(
    topic: str | None = TOPIC,
    reason: str | None = REASON,
    places: list[str] = typer.Option(None, "--place", help="PARTITION/OFFSET of one letter; may be repeated"),
    fixes: list[str] = typer.Option(
        None, "--fix", help="FIELD = EXPRESSION in SQL over the event's fields (times: ms since 1970); may be repeated"
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="say what would be sent, send nothing"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Send letters again as events, mended by --fix; those still refused stay where they are.

    An event keeps its id, by which stream and lake count it once, however often it is replayed.
    """
    from kolray.connectors.dead_letters import chosen, mend
    from kolray.connectors.dead_letters_run import read_letters, send_mended
    from kolray.lake.replays import note_replays
    from kolray.lake.tables import LakeTables
    from kolray.schemas.registry import open_registry
    from kolray.stream.denied import open_deny_list

    settings = load_settings()
    letters = chosen(read_letters(settings), topic, reason, places or [])
    mended = mend(letters, fixes or [], open_registry(settings.registry.url))
    valid = sum(frame.height for frame in mended.events.values())
    sent = 0
    if not dry_run:
        sent = send_mended(settings, mended, open_deny_list(settings).allowed)
        places = [place for events in mended.events.values() for place in events["place"]]
        note_replays(LakeTables(settings.lake_root), places, SystemClock().now())
    left = mended.left.group_by("reason").len("letters").sort("letters", descending=True)
    if as_json:
        told = {"letters": letters.height, "valid": valid, "sent": sent, "left": mended.left.height}
        print(json.dumps(told | {"reasons": dict(left.iter_rows())}))
        return
    print(f"{letters.height:,} letters, {valid:,} now valid, {sent:,} sent")
    for why, count in left.iter_rows():
        print(f"still refused: {count:,} {why}")


def _table(rows: pl.DataFrame) -> Table:
    table = Table(box=None, header_style="bold")
    for name in rows.columns:
        table.add_column(name, overflow="fold", justify="right" if rows[name].dtype.is_numeric() else "left")
    for row in rows.iter_rows():
        table.add_row(*(_told(value) for value in row))
    return table


def _told(value: Any) -> str:
    return f"{value:%m-%d %H:%M:%S}" if hasattr(value, "strftime") else f"{value}"


def register(root: typer.Typer) -> None:
    """Adds ``dlq`` to ``kolray``."""
    root.add_typer(app, name="dlq")
