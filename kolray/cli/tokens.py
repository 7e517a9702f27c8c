"""``kolray tokens``."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from kolray.settings import load_settings

if TYPE_CHECKING:
    from kolray.serving.tokens import Tokens

app = typer.Typer(no_args_is_help=True, help="Create, list, rotate and revoke API tokens.")


def _held() -> Tokens:
    from kolray.serving.tokens import Tokens

    return Tokens.of(load_settings())


@app.command()
def create(
    name: str = typer.Argument(help="who or what uses it"),
    scopes: list[str] = typer.Option(["read", "score"], "--scope", help="read, score or admin; may be repeated"),
    rate: int | None = typer.Option(None, min=1, help="requests a minute; default: KOLRAY_SERVING__RATE_PER_MINUTE"),
) -> None:
    """Create a token; its text is shown this once."""
    print(_held().create(name, tuple(scopes), rate or load_settings().serving.rate_per_minute))


@app.command("list")
def list_tokens(as_json: bool = typer.Option(False, "--json", help="as JSON")) -> None:
    """Show the tokens, never their texts."""
    held = sorted(_held().all(), key=lambda token: (token.name, token.created_at))
    if as_json:
        shown = ("name", "scopes", "rate_per_minute", "created_at", "ends_at")
        print(json.dumps([{field: getattr(token, field) for field in shown} for token in held], default=str))
        return
    table = Table("name", "scopes", "per minute", "created", "ends")
    for token in held:
        ends = token.ends_at.isoformat(timespec="seconds") if token.ends_at else ""
        table.add_row(token.name, ", ".join(token.scopes), str(token.rate_per_minute), token.created_at, ends)
    Console().print(table)


@app.command()
def rotate(
    name: str,
    overlap_h: float = typer.Option(0.0, min=0, help="hours the old text still holds; 0: it ends within a second"),
) -> None:
    """Give a token a new text, shown this once; name, scopes and rate stay."""
    print(_held().rotate(name, timedelta(hours=overlap_h)))


@app.command()
def revoke(name: str) -> None:
    """End a token: every replica knows of it within a second."""
    _held().revoke(name)
    print(f"{name} is revoked")


def register(root: typer.Typer) -> None:
    """Adds ``kolray tokens``."""
    root.add_typer(app, name="tokens")
