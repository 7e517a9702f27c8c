"""``kolray serve`` and ``kolray score``."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kolray.cli import accounts as accounts_cli
from kolray.cli.accounts import show_counterfactual
from kolray.cli.options import FIELD_COLUMN
from kolray.cli.top import TOKEN, open_client
from kolray.errors import InvalidInputError
from kolray.settings import Settings, load_settings

if TYPE_CHECKING:
    from kolray.serving.contracts import ScoreAnswer


def serve() -> None:
    """Run the HTTP API and the dashboard on Ray Serve until Ctrl-C."""
    settings = load_settings()
    if settings.serving.haproxy:  # Ray reads it when it is imported
        from kolray.local.cluster import HAPROXY_ENV

        os.environ.update({name: value for name, value in HAPROXY_ENV.items() if name not in os.environ})
    from kolray.local.ports import choose_port
    from kolray.observability.endpoint import forget_dead
    from kolray.serving.deployments import run_serving, stop_serving

    if settings.serving.port == 0:
        part = settings.serving.model_copy(update={"port": choose_port("serving")})
        settings = settings.model_copy(update={"serving": part})
    print(f"serving at {run_serving(settings)}  (Ctrl-C to stop)")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        stop_serving()
        forget_dead(Path(settings.metric_targets), "serving")


def score(
    kol_id: str | None = typer.Argument(None, help="the KOL; none with --accounts"),
    accounts: Path | None = accounts_cli.ACCOUNTS,
    maps: list[str] = FIELD_COLUMN,
    as_of: datetime | None = typer.Option(None, help="as it was known then (UTC); of a table: when it was made"),
    explain: bool = typer.Option(False, help="with the contributions of the features"),
    as_json: bool = typer.Option(False, "--json", help="the API's answer as JSON"),
    url: str | None = typer.Option(None, "--url", envvar="KOLRAY_URL", help="ask this API instead of the stores"),
    token: str | None = TOKEN,
) -> None:
    """Trust score of a KOL, computed here from the stores the API uses, or by an API; or of a table's accounts."""
    settings = load_settings()
    if accounts is not None:
        table = accounts_cli.Reader(maps, None, as_of)
        accounts_cli.show_scores(
            accounts_cli.score_accounts(settings, table, accounts, explain=explain), as_json=as_json
        )
        return
    if kol_id is None:
        raise InvalidInputError("name a KOL, or a table with --accounts FILE")
    at = as_of if as_of is None or as_of.tzinfo else as_of.replace(tzinfo=UTC)
    if url is not None:
        with open_client(url, token) as client:
            answer = client.score(kol_id, at, explain=explain)
    else:
        answer = _score_here(settings, kol_id, at, explain=explain)
    if as_json:
        print(answer.model_dump_json(indent=2))
    else:
        _show(answer)


def _score_here(settings: Settings, kol_id: str, as_of: datetime | None, *, explain: bool) -> ScoreAnswer:
    from kolray.models.champions import Champions
    from kolray.models.registry import ModelRegistry
    from kolray.serving.build import open_graph

    champions = Champions(ModelRegistry.of(settings))
    champions.refresh()
    return open_graph(settings, champions).score(kol_id, as_of, explain=explain)


def _show(answer: ScoreAnswer) -> None:
    low, high = answer.trust_interval
    print(f"{answer.kol_id}: trust {answer.trust_score:.1f} (95 % interval {low:.1f}–{high:.1f}), {answer.model}")
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
