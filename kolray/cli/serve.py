"""``kolray serve`` and ``kolray score``."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import typer

from kolray.cli import accounts as accounts_cli
from kolray.cli.accounts import show_counterfactual
from kolray.cli.options import FIELD_COLUMN
from kolray.errors import InvalidInputError
from kolray.settings import Settings, load_settings


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


def register(root: typer.Typer) -> None:
    """Adds the two."""
    root.command()(serve)
    root.command()(score)
