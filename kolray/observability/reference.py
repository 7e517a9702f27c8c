"""The tables of ``docs/metrics.md`` and ``docs/runbooks/index.md``, made of the catalog and of the alert rules."""

from __future__ import annotations

import re

from kolray.observability.alerts import GROUPS, Rule
from kolray.observability.catalog import CATALOG
from kolray.observability.config import Watched, raises_after_s
from kolray.observability.metric import Part

HEADINGS: dict[Part, str] = {
    "stream": "Stream (from the exporter)",
    "serving": "Serving (each replica's own endpoint, and `/metrics` of the one that answers)",
    "tracking": "Tracked pages (each replica's own endpoint)",
    "webhooks": "Webhooks (`kolray webhooks deliver`'s own endpoint, and the exporter)",
    "models": "Models (from the exporter; what the night measured)",
    "lake": "Lake (from the exporter; read from the tables' logs)",
    "sources": "Sources (from the exporter; read from what polls remember)",
    "runs": "Runs of jobs (from the exporter)",
    "exporter": "The exporter itself",
}


def markdown() -> str:
    """One table a part, and the alerts'."""
    lines: list[str] = []
    for part, heading in HEADINGS.items():
        lines += [f"## {heading}", "", "| metric | kind | labels | meaning |", "|---|---|---|---|"]
        for metric in CATALOG.values():
            if metric.part == part:
                labels = ", ".join(f"`{label}`" for label in metric.labels)
                lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.about} |")
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def alerts_table() -> str:
    """Every alert with its page, in the groups and the order of the rules."""
    lines: list[str] = []
    for group, rules in GROUPS.items():
        lines += [f"## {group.capitalize()}", "", "| alert | severity | raises after | says |", "|---|---|---|---|"]
        lines += [_row(rule) for rule in rules]
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def _row(rule: Rule) -> str:
    after = raises_after_s(rule, Watched())
    return f"| [{rule.name}]({rule.runbook}) | {rule.severity} | {after:g} s | {_said(rule.about)} |"


def _said(about: str) -> str:
    """What an alert says, with words in capitals for what it fills in.

    >>> _said("shard {{ $labels.shard }} waits for {{ $value | humanizeDuration }}, {{ $value }} times")
    'shard SHARD waits for TIME, N times'
    """
    labelled = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: found[1].upper(), about)
    return re.sub(r"\{\{ \$value.*?\}\}", "N", labelled.replace("{{ $value | humanizeDuration }}", "TIME"))
