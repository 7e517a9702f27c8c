"""The tables of ``docs/metrics.md``, made of the catalog."""

from __future__ import annotations

from kolray.observability.catalog import CATALOG
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
    """One table a part."""
    lines: list[str] = []
    for part, heading in HEADINGS.items():
        lines += [f"## {heading}", "", "| metric | kind | labels | meaning |", "|---|---|---|---|"]
        for metric in CATALOG.values():
            if metric.part == part:
                labels = ", ".join(f"`{label}`" for label in metric.labels)
                lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.about} |")
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"
