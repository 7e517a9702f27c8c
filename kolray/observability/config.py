"""What Prometheus and Grafana read, made of the definitions: ``kolray observe config``, and the files in ``ops``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kolray.observability.alerts import GROUPS, Rule
from kolray.observability.dashboards import DASHBOARDS
from kolray.observability.grafana import dashboard_json, provisioning
from kolray.settings import ObserveSettings

NOTE = "# Written by `kolray observe config`; change the definitions in kolray/observability instead.\n"
_RANGE = re.compile(r"\[(\d+)([smh])\]")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
LEAST_SCRAPES = 4
"""Scrapes that a range must hold for a rate to survive one that fails."""


@dataclass(frozen=True)
class Watched:
    """What is scraped, how often, and how fast alerts come.

    Args:
        exporter: HOST:PORT of ``kolray observe export``.
        targets: folder in which serving replicas and who delivers to webhooks announce themselves.
        ray: the file in which Ray's head node lists every node's metrics.
        every_s: seconds between scrapes and evaluations.
        pace: factor of every duration in the alert rules, for drills and tests; 1 in production.
        runbooks: address of an alert's page, ``{alert}`` for its name.
        prometheus: Prometheus' URL as Grafana sees it, or ``${NAME}`` of a variable that Grafana is started with.
    """

    exporter: str = "127.0.0.1:9470"
    targets: str = "/var/lib/kolray/metrics/targets"
    ray: str = "/tmp/ray/prom_metrics_service_discovery.json"  # noqa: S108 - where Ray writes it
    every_s: float = 15
    pace: float = 1
    runbooks: str = ObserveSettings().runbooks
    prometheus: str = "${PROMETHEUS_URL}"


def prometheus_config(watched: Watched) -> dict[str, Any]:
    """``prometheus.yml``."""
    every = _text(watched.every_s)
    return {
        "global": {"scrape_interval": every, "evaluation_interval": every, "scrape_timeout": every},
        "rule_files": ["alerts.yml"],
        "scrape_configs": [
            {"job_name": "kolray", "static_configs": [{"targets": [watched.exporter]}]},
            _discovered("kolray-serving", f"{watched.targets}/serving-*.json", every),
            _discovered("kolray-webhooks", f"{watched.targets}/webhooks-*.json", every),
            _discovered("ray", watched.ray, every),
        ],
    }


def _discovered(job: str, files: str, every: str) -> dict[str, Any]:
    return {"job_name": job, "file_sd_configs": [{"files": [files], "refresh_interval": every}]}


def alert_rules(watched: Watched) -> dict[str, Any]:
    """``alerts.yml``."""
    groups = [{"name": f"kolray {name}", "rules": [_rule(r, watched) for r in rules]} for name, rules in GROUPS.items()]
    return {"groups": groups}


def _rule(rule: Rule, watched: Watched) -> dict[str, Any]:
    return {
        "alert": rule.name,
        "expr": paced(rule.expr, watched),
        **({"for": _text(rule.for_s * watched.pace)} if rule.for_s else {}),
        "labels": {"severity": rule.severity},
        "annotations": {"summary": rule.about, "runbook_url": watched.runbooks.replace("{alert}", rule.name)},
    }


def raises_after_s(rule: Rule, watched: Watched) -> float:
    """Seconds from when what a rule's expression says is so until its alert fires, at most: a scrape, an evaluation and
    the rule's own patience. A counter that had no series before takes one scrape more."""
    return 2 * watched.every_s + rule.for_s * watched.pace


def paced(expr: str, watched: Watched) -> str:
    """An expression whose ranges follow the pace, as far as the scrapes allow.

    >>> paced("rate(a[5m]) > 0", Watched(every_s=1, pace=0.05))
    'rate(a[15s]) > 0'
    >>> paced("rate(a[5m]) > 0", Watched())
    'rate(a[5m]) > 0'
    """

    def scale(found: re.Match[str]) -> str:
        seconds = int(found[1]) * _SECONDS[found[2]] * watched.pace
        return f"[{_text(max(seconds, LEAST_SCRAPES * watched.every_s))}]"

    return _RANGE.sub(scale, expr)


def _text(seconds: float) -> str:
    """As Prometheus writes a duration.

    >>> [_text(seconds) for seconds in (0.5, 15, 60, 3600, 90)]
    ['500ms', '15s', '1m', '1h', '90s']
    """
    for unit, size in (("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{round(seconds * 1000)}ms"


def rendered(watched: Watched) -> Iterator[tuple[str, str]]:
    """(path below the folder, text) of every file."""
    yield "prometheus/prometheus.yml", _yaml(prometheus_config(watched))
    yield "prometheus/alerts.yml", _yaml(alert_rules(watched))
    for name, told in provisioning(watched.prometheus).items():
        yield f"grafana/provisioning/{name}", _yaml(told)
    for dashboard in DASHBOARDS:
        yield f"grafana/dashboards/{dashboard.uid}.json", json.dumps(dashboard_json(dashboard), indent=1) + "\n"


def write_config(out: Path, watched: Watched) -> list[Path]:
    """Writes every file below ``out``; returns them."""
    files = []
    for name, text in rendered(watched):
        file = out / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        files.append(file)
    return files


def _yaml(told: dict[str, Any]) -> str:
    return NOTE + yaml.safe_dump(told, sort_keys=False, width=110, allow_unicode=True)
