"""The tables of ``kolray status``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from kolray.local import ServiceStatus

COLUMNS = (
    "partition", "shard", "state", "lag", "behind", "checkpoint", "took", "events", "late", "dead letters",
    "duplicates", "state size", "restarts",
)  # fmt: skip


def show_status(services: Sequence[ServiceStatus], stream: dict[str, Any] | None) -> None:
    """Servers, then the stream's partitions with the shard each belongs to, then why shards were started again."""
    console = Console()
    if services:
        table = Table("service", "address", "pid", "state")
        for service in services:
            table.add_row(service.name, service.address, str(service.pid), "running" if service.running else "gone")
        console.print(table)
    if stream is None:
        console.print("no stream has run here; start it with `kolray stream`")
        return
    table = Table(*COLUMNS, title=f"stream: {stream['state']}, {stream['restarts']} restarts")
    for shard in stream["shards"]:
        for number, part in shard["partitions"].items():
            table.add_row(*_row(number, shard, part))
        if not shard["partitions"]:
            table.add_row("", str(shard["shard"]), shard["state"], *[""] * 9, str(shard["restarts"]))
    console.print(table)
    for shard in stream["shards"]:
        if shard["reason"]:
            console.print(f"shard {shard['shard']} was started again: {shard['reason']}")


def _row(number: str, shard: dict[str, Any], part: dict[str, Any]) -> list[str]:
    counts = [_count(part[name]) for name in ("events", "late", "rejected", "duplicates")]
    return [
        number,
        str(shard["shard"]),
        shard["state"],
        _count(part["lag"]),
        _seconds(part["watermark_delay_s"]),
        _seconds(shard["checkpoint_age_s"]),
        _seconds(shard["checkpoint_took_s"]),
        *counts,
        f"{part['state_bytes'] / 1024:,.0f} KiB",
        str(shard["restarts"]),
    ]


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _seconds(value: float | None) -> str:
    return "?" if value is None else f"{value:,.1f} s"
