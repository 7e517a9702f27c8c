"""Puts the groups of commands together and turns kolray's errors into one clear line."""

from __future__ import annotations

import sys
import traceback

import typer

from kolray import __version__
from kolray.cli import (
    bench,
    deliver,
    dlq,
    features,
    forget,
    generate,
    ingest,
    keep,
    lake,
    links,
    models,
    observe,
    queries,
    schemas,
    serve,
    services,
    settings,
    stream,
    tokens,
    top,
    trino,
    upkeep,
    webhooks,
)
from kolray.errors import KolrayError
from kolray.redaction import redacted

app = typer.Typer(name="kolray", no_args_is_help=True, help="Real-time trust scores and campaign forecasts for KOLs.")


def _show_version(asked: bool) -> None:
    if asked:
        print(f"kolray {__version__}")
        raise typer.Exit


@app.callback()
def _kolray(
    version: bool = typer.Option(False, "--version", help="show the version", is_eager=True, callback=_show_version),
) -> None:
    """Takes the options before any command."""


for group in (
    services,
    generate,
    ingest,
    keep,
    stream,
    lake,
    dlq,
    features,
    queries,
    observe,
    upkeep,
    forget,
    models,
    deliver,
    serve,
    top,
    tokens,
    links,
    webhooks,
    bench,
    schemas,
    settings,
    trino,
):
    group.register(app)


def main() -> None:
    """Entry point of the ``kolray`` command: exits 1 with one line for an error of kolray's own.

    Any other error shows where it came from, without the passwords that libraries put into their messages.
    """
    try:
        app()
    except KolrayError as error:
        print(f"kolray: {error}", file=sys.stderr)
        sys.exit(1)
    except Exception:
        print(redacted(traceback.format_exc()), file=sys.stderr, end="")
        sys.exit(1)
