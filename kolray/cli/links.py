"""``kolray links``: addresses that count a campaign's clicks."""

from __future__ import annotations

import typer

from kolray.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Links that count clicks.")


@app.command()
def create(
    kol_id: str = typer.Argument(help="whose click it is"),
    campaign_id: str = typer.Argument(help="for which campaign"),
    target: str = typer.Argument(help="http(s) address it leads to"),
    base: str | None = typer.Option(None, help="how the server is reached from outside, e.g. https://track.example"),
) -> None:
    """Print a link; it holds its target, signed, so it needs no store and leads nowhere else."""
    from kolray.serving.tracking.build import secret_of
    from kolray.serving.tracking.links import Link, Links

    settings = load_settings()
    server = base or f"http://{settings.serving.host}:{settings.serving.port}"
    made = Links(secret_of(settings)).make(Link(target, kol_id, campaign_id))
    print(f"{server.rstrip('/')}/l/{made}")


def register(root: typer.Typer) -> None:
    """Adds ``links`` to ``kolray``."""
    root.add_typer(app, name="links")
