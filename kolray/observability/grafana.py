"""Dashboards as Grafana reads them.

Grafana's schema is wide, ours is narrow: two kinds of panels whose defaults are good. So this is written by hand.
"""

from __future__ import annotations

from typing import Any

from kolray.observability.dashboards import Dashboard, Panel

SOURCE = {"type": "prometheus", "uid": "kolray-prometheus"}
WIDTH, HEIGHT = 12, 8


def dashboard_json(dashboard: Dashboard) -> dict[str, Any]:
    """One provisioned dashboard."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["kolray"],
        "timezone": "browser",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "links": [{"type": "dashboards", "tags": ["kolray"], "title": "kolray", "asDropdown": False}],
        "panels": [_panel(number, panel) for number, panel in enumerate(dashboard.panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    place = {"x": number % 2 * WIDTH, "y": number // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT}
    form = "heatmap" if panel.kind == "heatmap" else "time_series"
    targets = [
        {"refId": chr(ord("A") + at), "expr": query, "legendFormat": legend, "format": form, "datasource": SOURCE}
        for at, (legend, query) in enumerate(panel.queries.items())
    ]
    options: dict[str, Any] = {"legend": {"displayMode": "list", "placement": "bottom"}}
    if panel.kind == "stat":
        options = {"reduceOptions": {"calcs": ["lastNotNull"]}}
    elif panel.kind == "heatmap":
        options = {"calculate": False}  # the buckets are there; by their format Grafana takes those below out
    return {
        "id": number + 1,
        "type": panel.kind,
        "title": panel.title,
        "gridPos": place,
        "datasource": SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": options,
    }


def provisioning(prometheus: str) -> dict[str, dict[str, Any]]:
    """File name → what makes Grafana find Prometheus and the dashboards when it starts.

    Args:
        prometheus: URL at which Grafana reaches it, or ``${NAME}`` of a variable of its environment. Grafana takes
            all of the braces for a name: a default within them (``:-``) would leave no URL at all.
    """
    source = {
        "name": "kolray Prometheus", "uid": SOURCE["uid"], "type": "prometheus", "access": "proxy",
        "url": prometheus, "isDefault": True,
    }  # fmt: skip
    folder = {"name": "kolray", "folder": "kolray", "type": "file", "options": {"path": "/etc/grafana/dashboards"}}
    return {
        "datasources/prometheus.yml": {"apiVersion": 1, "datasources": [source]},
        "dashboards/kolray.yml": {"apiVersion": 1, "providers": [folder]},
    }
