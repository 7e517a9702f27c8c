"""``kolray observe``: metrics, and what watches them."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import typer

from kolray.errors import ServiceUnavailableError
from kolray.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Metrics, alert rules and dashboards.")


@app.command()
def export(
    port: int | None = typer.Option(None, help="port; none: KOLRAY_OBSERVE__PORT"),
    keep_s: float = typer.Option(30, "--keep", help="seconds for which what lake and drift told is told again"),
    once: bool = typer.Option(False, "--once", help="print the metrics and end"),
) -> None:
    """Serve the metrics of stream, jobs, lake, polls and models of this home for Prometheus until Ctrl-C."""
    from prometheus_client import generate_latest

    from kolray.exporter.build import build_registry
    from kolray.observability.endpoint import Endpoint

    settings = load_settings()
    registry = build_registry(settings, keep_s=keep_s)
    if once:
        print(generate_latest(registry).decode(), end="")
        return
    host, wanted = settings.observe.host, settings.observe.port if port is None else port
    try:
        endpoint = Endpoint(partial(generate_latest, registry), host, wanted)
    except OSError as error:
        advice = f"another process has the port; choose one with --port ({error})"
        raise ServiceUnavailableError("the exporter", f"{host}:{wanted}", advice) from error
    print(f"metrics at http://{endpoint.address}/metrics  (Ctrl-C to stop)", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        endpoint.close()


@app.command()
def names() -> None:
    """Print every metric with its labels: the table of docs/metrics.md."""
    from kolray.observability.reference import markdown

    print(markdown(), end="")


@app.command()
def alerts() -> None:
    """Print every alert with its severity and what it says: the table of docs/runbooks/index.md."""
    from kolray.observability.reference import alerts_table

    print(alerts_table(), end="")


@app.command()
def config(
    out: Path = typer.Option(Path("ops"), help="folder that gets prometheus/ and grafana/"),
    every_s: float = typer.Option(15, "--every", help="seconds between scrapes"),
    pace: float = typer.Option(1, help="what all durations of the alert rules are multiplied by; for drills"),
    targets: str | None = typer.Option(None, help="folder of the replicas' announcements; none: of the settings"),
    prometheus: str = typer.Option("http://127.0.0.1:9090", help="URL of Prometheus as Grafana sees it, or '${NAME}'"),
) -> None:
    """Write Prometheus' scrape configuration and alert rules and Grafana's dashboards, for this home."""
    from kolray.local import exporter_address
    from kolray.observability.config import Watched, write_config

    settings = load_settings()
    exporter = exporter_address(settings.home) or f"127.0.0.1:{settings.observe.port}"
    folder = targets or settings.metric_targets
    links = settings.observe.runbooks
    watched = Watched(exporter, folder, every_s=every_s, pace=pace, runbooks=links, prometheus=prometheus)
    for file in write_config(out, watched):
        print(file)


def register(root: typer.Typer) -> None:
    """Adds the group."""
    root.add_typer(app, name="observe")
