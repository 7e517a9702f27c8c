"""``kolray webhooks``."""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from kolray.cli.options import parse_time
from kolray.clock import SystemClock
from kolray.errors import InvalidInputError
from kolray.redaction import redacted
from kolray.settings import load_settings

if TYPE_CHECKING:
    from kolray.serving.webhooks.endpoints import Endpoints

app = typer.Typer(no_args_is_help=True, help="Send alerts to servers of yours: add, list, test and replay webhooks.")
NAME = typer.Argument(help="the webhook")
AS_JSON = typer.Option(False, "--json", help="as JSON")


def _held() -> Endpoints:
    from kolray.serving.webhooks.endpoints import Endpoints

    return Endpoints.of(load_settings())


@app.command()
def add(
    name: str = typer.Argument(help="lower-case letters, digits and dashes"),
    url: str = typer.Argument(help="where alerts are posted to"),
    rules: list[str] = typer.Option([], "--rule", help="a pattern whose alerts it wants; may be repeated; none: all"),
) -> None:
    """Add a webhook; the secret that signs its requests is shown this once. It gets the alerts raised from now on."""
    print(_held().add(name, url, tuple(rules)).secret)


@app.command("list")
def list_webhooks(as_json: bool = AS_JSON) -> None:
    """Show the webhooks and how many alerts each did not take, never their secrets."""
    held = _held()
    rows = [(e.name, redacted(e.url), e.rules, e.created_at, len(held.dead(e.name))) for e in held.all()]
    if as_json:
        print(json.dumps([dict(zip(("name", "url", "rules", "created_at", "dead"), row, strict=True)) for row in rows]))
        return
    table = Table("name", "address", "rules", "created", "dead")
    for name, url, rules, created, dead_ones in rows:
        table.add_row(name, url, ", ".join(rules) or "all", created, str(dead_ones))
    Console().print(table)


@app.command()
def remove(name: str = NAME) -> None:
    """End a webhook, and forget the alerts it did not take."""
    _held().remove(name)
    print(f"{name} is removed")


@app.command("test")
def send_test(name: str = NAME) -> None:
    """Send one signed request of the type ``kolray.test``, once."""
    from kolray.serving.webhooks.sending import Sender

    settings = load_settings()
    data = {"message": "kolray says hello", "at": SystemClock().now().isoformat()}
    Sender(settings.serving).send(_held().get(name), "kolray.test", f"test-{uuid.uuid4().hex}", data)
    print(f"{name} took it")


@app.command()
def dead(name: str = NAME, as_json: bool = AS_JSON) -> None:
    """Show the alerts a webhook did not take, and why."""
    rows = _held().dead(name)
    if as_json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    table = Table("alert", "raised", "given up", "tries", "reason")
    for row in rows:
        table.add_row(row.alert_id, row.at, row.given_up_at, str(row.tries), row.reason)
    Console().print(table)


@app.command()
def replay(
    name: str = NAME,
    since: str | None = typer.Option(None, help="send the alerts since this time again; none: those it did not take"),
) -> None:
    """Send alerts again, under the ids they had; ends with 1 where one was not taken."""
    from kolray.serving.webhooks import delivery
    from kolray.stores.open import open_metrics_store

    settings, held = load_settings(), _held()
    made, store = delivery.deliverer(settings, held.get(name), held), open_metrics_store(settings)
    start = parse_time(since)
    sent = delivery.replay_dead(made, held, store) if start is None else delivery.replay(made, store, start)
    with Console(stderr=True).status(f"alerts to {name} …"):
        taken = list(sent)
    print(f"{sum(taken)} of {len(taken)} alerts were taken")
    if not all(taken):
        raise typer.Exit(1)


@app.command()
def deliver() -> None:
    """Send alerts to the webhooks until Ctrl-C, beside ``kolray serve``; one such process is enough."""
    from prometheus_client import CollectorRegistry, generate_latest

    from kolray.observability.endpoint import Endpoint, announce
    from kolray.observability.logs import job_settings
    from kolray.serving.webhooks.delivery import counted, deliver_all

    settings, stop, registry = job_settings(), threading.Event(), CollectorRegistry()
    if not _held().all():
        raise InvalidInputError("there are no webhooks: `kolray webhooks add NAME URL` makes one")
    counts, address = counted(registry), Endpoint(partial(generate_latest, registry), settings.observe.host).address
    announce(Path(settings.metric_targets), "webhooks", address)
    print(f"delivering alerts, metrics at http://{address}/metrics  (Ctrl-C to stop)", flush=True)
    try:
        deliver_all(settings, stop, counts=counts)
    except KeyboardInterrupt:
        stop.set()


def register(root: typer.Typer) -> None:
    """Adds ``kolray webhooks``."""
    root.add_typer(app, name="webhooks")
