"""What the demo saw, what must hold, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass
class DemoReport:
    """Filled stage by stage; ``failures`` is what ``make demo ONCE=1`` turns into its exit code."""

    produced: int = 0
    file_rejected: int = 0
    stream: dict[str, int] = field(default_factory=dict)
    dead_letters_held: int = 0
    alerts_held: int = 0
    lake: dict[str, int] = field(default_factory=dict)
    windows_checked: int = 0
    differences: int = -1
    trust: dict[str, float] = field(default_factory=dict)
    success: dict[str, float] = field(default_factory=dict)
    requests: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory_gb: float = 0.0
    url: str = ""
    token: str = ""
    mlflow: str = ""
    transactions: bool = False

    def failures(self) -> list[str]:
        """Every promise that does not hold, as a sentence."""
        s = self.stream
        dead = s.get("rejected", 0) + self.file_rejected
        checks = [
            (self.produced == s.get("events", 0) + s.get("rejected", 0), "events in ≠ accepted + dead-lettered"),
            (s.get("events", 0) == s.get("counted", 0) + s.get("duplicates", 0) + s.get("late", 0),
             "accepted ≠ counted + duplicates + late"),
            (self.dead_letters_held == dead, f"events.dlq holds {self.dead_letters_held} records, not {dead}"),
            (self.alerts_held == s.get("alerts", 0), f"alerts.stream holds {self.alerts_held}, not {s.get('alerts')}"),
            (s.get("windows", 0) > 0, "no window was closed"),
            (self.differences == 0 and self.windows_checked > 0, f"verify found {self.differences} differences"),
            (self.trust.get("auc", 0) > self.trust.get("baseline_auc", 1), "trust does not beat its baseline"),
            (self.success.get("smape", 1) < self.success.get("baseline_smape", 0),
             "the success model does not beat the seasonal naive"),
            (self.requests.get("failed", 1) == 0, f"{self.requests.get('failed', 'all')} requests failed"),
        ]  # fmt: skip
        return [text for holds, text in checks if not holds]


def show(report: DemoReport, console: Console) -> None:
    """The summary a newcomer reads."""
    table = Table(title="What happened", show_header=False, title_style="bold", min_width=72)
    for name, value in _lines(report):
        table.add_row(name, value)
    console.print(table)
    for failure in report.failures():
        console.print(f"[red]not so:[/red] {failure}")
    if not report.transactions:
        console.print(
            "[dim]The embedded broker's transactions do not isolate readers: alerts and dead letters were published "
            "without them and are de-duplicated by identity after a crash. `kolray up --profile local` has them.[/dim]"
        )


def _lines(r: DemoReport) -> list[tuple[str, str]]:
    s = r.stream

    def n(key: str) -> str:
        return f"{s.get(key, 0):,}"

    return [
        ("events in", f"{r.produced:,} = {s.get('events', 0):,} accepted + {s.get('rejected', 0):,} dead-lettered"),
        ("accepted", f"{n('counted')} counted + {n('duplicates')} duplicates + {n('late')} late"),
        ("windows", f"{n('windows')} closed, {n('corrected')} corrected by allowed late events"),
        ("alerts", f"{n('alerts')} raised, {r.alerts_held:,} in alerts.stream"),
        ("lake", ", ".join(f"{value:,} {name}" for name, value in r.lake.items())),
        ("verify", f"{r.differences} differences in {r.windows_checked:,} windows recomputed from bronze"),
        ("trust model", _beside(r.trust, "auc", "AUC", "best single feature")),
        ("success model", _beside(r.success, "smape", "sMAPE", "seasonal naive")),
        ("500 requests", f"p50 {r.requests.get('p50_ms', 0):.1f} ms, p95 {r.requests.get('p95_ms', 0):.1f} ms"),
        ("time", f"{sum(r.seconds.values()):.0f} s, peak memory {r.peak_memory_gb:.1f} GB"),
        ("dashboard", r.url),
        ("models", f"mlflow ui --backend-store-uri {r.mlflow}"),
    ]


def _beside(figures: dict[str, Any], key: str, name: str, baseline: str) -> str:
    return f"{name} {figures.get(key, float('nan')):.3f}, {baseline} {figures.get(f'baseline_{key}', float('nan')):.3f}"


def curl_line(report: DemoReport, kol_id: str) -> str:
    """A request that works as it stands."""
    return (
        f"curl -s {report.url}/kol/score -H 'Authorization: Bearer {report.token}' "
        f"-H 'Content-Type: application/json' -d '{{\"kol_id\": \"{kol_id}\"}}'"
    )
