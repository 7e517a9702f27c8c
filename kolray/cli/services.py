"""``kolray up``, ``down``, ``status`` and ``init``."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer
from rich.console import Console

from kolray import local
from kolray.cli.show_status import show_status
from kolray.settings import load_settings


def up(
    profile: str = typer.Option("embedded", help="embedded (Python only) or local (Kafka, Cassandra, Redis)"),
) -> None:
    """Start the servers of a profile and the metrics' exporter on loopback, make topics and schemas.

    They run until `kolray down`. Without the exporter: KOLRAY_OBSERVE__EXPORTER=false.
    """
    home = load_settings().home
    with Console(stderr=True).status(f"starting the {profile} profile …"):
        local.up(profile, home)
    init()
    settings = load_settings()
    if settings.observe.exporter:
        with Console(stderr=True).status("starting the exporter …"):
            local.start_exporter(home, settings.observe)
    for service in local.status(home):
        print(f"{service.name} on {service.address}")
    if not settings.kafka.transactions:
        print("note: this broker's transactions do not isolate readers; alerts are de-duplicated by identity instead")


def down() -> None:
    """Stop the servers that `kolray up` started here."""
    stopped = local.down(load_settings().home)
    print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running here")


def status(
    as_json: bool = typer.Option(False, "--json", help="as JSON"),
    as_prometheus: bool = typer.Option(False, "--prometheus", help="the stream's metrics as Prometheus text"),
) -> None:
    """Show the servers of this home folder and the stream's shards; exits 1 when one of them is gone."""
    from kolray.stream.metrics import prometheus
    from kolray.stream.status import StatusFile

    home = load_settings().home
    services, stream = local.status(home), StatusFile(home).read()
    if as_prometheus:
        print(prometheus(stream), end="")
    elif as_json:
        print(json.dumps({"services": [asdict(service) for service in services], "stream": stream}))
    elif not services and stream is None:
        print("nothing is running here; start with `kolray up`")
    else:
        show_status(services, stream)
    if any(not service.running for service in services) or (stream or {}).get("state") == "gone":
        raise typer.Exit(1)


def init() -> None:
    """Make topics, and Cassandra or SQLite schemas with their migrations, on the servers the settings name."""
    from kolray.stores.open import open_metrics_store
    from kolray.stream.topics import ensure_topics

    settings = load_settings()
    made = ensure_topics(settings.kafka)
    store = open_metrics_store(settings)
    applied = store.migrate()
    store.close()
    print(f"topics made: {', '.join(made) or 'none, all there'}")
    print(f"migrations applied: {', '.join(applied) or 'none, up to date'}")


def register(root: typer.Typer) -> None:
    """Adds the four."""
    for command in (up, down, status, init):
        root.command()(command)
