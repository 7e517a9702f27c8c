"""``kolray serve``, ``kolray score`` and ``kolray tokens``."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from kolray.cli import accounts as accounts_cli
from kolray.cli.accounts import show_counterfactual
from kolray.cli.options import FIELD_COLUMN
from kolray.errors import InvalidInputError
from kolray.settings import Settings, load_settings

tokens = typer.Typer(no_args_is_help=True, help="Create, list and revoke API tokens.")


def serve() -> None:
    """Run the HTTP API and the dashboard on Ray Serve until Ctrl-C."""
    from kolray.local.ports import choose_port
    from kolray.serving.deployments import run_serving, stop_serving

    settings = load_settings()
    if settings.serving.port == 0:
        part = settings.serving.model_copy(update={"port": choose_port("serving")})
        settings = settings.model_copy(update={"serving": part})
    print(f"serving at {run_serving(settings)}  (Ctrl-C to stop)")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        stop_serving()


def score(
    kol_id: str | None = typer.Argument(None, help="the KOL; none with --accounts"),
    accounts: Path | None = accounts_cli.ACCOUNTS,
    maps: list[str] = FIELD_COLUMN,
    as_of: datetime | None = accounts_cli.AS_OF,
    explain: bool = typer.Option(False, help="with the contributions of the features"),
    as_json: bool = typer.Option(False, "--json", help="the API's answer as JSON"),
) -> None:
    """Trust score of one KOL, computed here from the same stores the API uses; or of every account of a table."""
    settings = load_settings()
    if accounts is not None:
        table = accounts_cli.Reader(maps, None, as_of)
        accounts_cli.show_scores(
            accounts_cli.score_accounts(settings, table, accounts, explain=explain), as_json=as_json
        )
        return
    if kol_id is None:
        raise InvalidInputError("name a KOL, or a table with --accounts FILE")
    _score_kol(settings, kol_id, explain=explain, as_json=as_json)


def _score_kol(settings: Settings, kol_id: str, *, explain: bool, as_json: bool) -> None:
    from kolray.models.champions import Champions
    from kolray.models.registry import ModelRegistry
    from kolray.serving.build import open_graph

    champions = Champions(ModelRegistry.of(settings))
    champions.refresh()
    graph = open_graph(settings, champions)
    answer = graph.score(kol_id, explain=explain)
    if as_json:
        print(answer.model_dump_json(indent=2))
        return
    low, high = answer.trust_interval
    print(f"{kol_id}: trust {answer.trust_score:.1f} (95 % interval {low:.1f}–{high:.1f}), {answer.model}")
    print(f"features from {answer.features.source}, {answer.features.age_s:,.0f} s old")
    if answer.thin_data:
        print("too few of its features are known: do not rely on the interval")
    if answer.fake_share is not None:
        share = answer.fake_share
        print(f"fake followers {share.share:.0%} (95 % interval {share.lower:.0%}–{share.upper:.0%})")
    if answer.counterfactual is not None:
        show_counterfactual(answer.counterfactual)
    for part in (answer.contributions or [])[:12]:
        print(f"  {part.contribution:+.3f}  {part.feature} = {part.value}")


@tokens.command()
def create(
    name: str = typer.Argument(help="who or what uses it"),
    scopes: list[str] = typer.Option(["read", "score"], "--scope", help="read, score or admin; may be repeated"),
    rate: int | None = typer.Option(None, min=1, help="requests a minute; default: KOLRAY_SERVING__RATE_PER_MINUTE"),
) -> None:
    """Create a token; its text is shown this once."""
    from kolray.serving.tokens import TokenFile

    settings = load_settings()
    limit = rate or settings.serving.rate_per_minute
    print(TokenFile(settings.tokens_file).create(name, tuple(scopes), limit))


@tokens.command("list")
def list_tokens(as_json: bool = typer.Option(False, "--json", help="as JSON")) -> None:
    """Show the tokens, never their texts."""
    from kolray.serving.tokens import TokenFile

    held = TokenFile(load_settings().tokens_file).all()
    if as_json:
        rows = [
            {"name": t.name, "scopes": t.scopes, "rate": t.rate_per_minute, "created_at": t.created_at} for t in held
        ]
        print(json.dumps(rows))
        return
    table = Table("name", "scopes", "per minute", "created")
    for token in held:
        table.add_row(token.name, ", ".join(token.scopes), str(token.rate_per_minute), token.created_at)
    Console().print(table)


@tokens.command()
def revoke(name: str) -> None:
    """End a token at once."""
    from kolray.serving.tokens import TokenFile

    TokenFile(load_settings().tokens_file).revoke(name)
    print(f"{name} is revoked")


def register(root: typer.Typer) -> None:
    """Adds the three."""
    root.command()(serve)
    root.command()(score)
    root.add_typer(tokens, name="tokens")
