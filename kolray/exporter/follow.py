"""What ``kolray lake bronze --follow`` said last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kolray.observability.catalog import filled
from kolray.observability.metric import Family


def follow_metrics(read: Callable[[], dict[str, Any] | None]) -> Iterator[Family]:
    """Of this home; where nobody ever followed, that nobody does."""
    told = read() or {"state": "ended", "rows": {}}
    yield filled("kolray_follow_up", [((), float(told["state"] == "running"))])
    yield filled("kolray_follow_gone", [((), float(told["state"] == "gone"))])
    yield filled("kolray_follow_rows_total", [((table,), float(rows)) for table, rows in told["rows"].items()])
