"""All patterns over the KOLs of one partition: a pure machine. Closed windows in, alerts out, state as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import polars as pl

from kolray.events import Columns, conform
from kolray.features.window_metrics import ratio_exprs
from kolray.stream.patterns.alerts import matched_alerts, no_alerts, overdue_alerts
from kolray.stream.patterns.columns import BASE, at, state_columns
from kolray.stream.patterns.declare import RETENTION_MS, Pattern
from kolray.stream.patterns.reading import RULES
from kolray.stream.patterns.sequence import START, follow, overdue
from kolray.stream.patterns.steps import match_step


class Patterns:
    """Patterns over closed windows, oldest window first. A corrected row does not come here: it alerts nobody again.

    The state is one table a window kind: a row a KOL, the columns of ``state_columns`` for each pattern.
    """

    def __init__(self, rules: Iterable[Pattern] = RULES, retention_ms: int = RETENTION_MS) -> None:
        self._retention_ms = retention_ms
        self._tables: dict[str, pl.DataFrame] = {}
        self.beat: Callable[[], None] = _quiet
        """Called at every window: months of them may close at once."""
        self.replace(tuple(rules))

    def replace(self, rules: tuple[Pattern, ...]) -> None:
        """New rules from the next closed window on. One defined as before keeps its state, others begin anew."""
        self.rules = rules
        self._of: dict[str, list[Pattern]] = {}
        for rule in rules:
            self._of.setdefault(rule.window, []).append(rule)
        self._tables = {kind: _conform(self._tables.get(kind), self._schema(kind)) for kind in sorted(self._of)}

    @staticmethod
    def none() -> pl.DataFrame:
        """No alerts."""
        return no_alerts()

    def snapshot(self) -> dict[str, pl.DataFrame]:
        """State to keep in a checkpoint: window kind → table."""
        return dict(self._tables)

    def restore(self, snapshot: dict[str, pl.DataFrame]) -> None:
        """Takes over ``snapshot()``; patterns that did not exist then, or were defined otherwise, start empty."""
        self._tables = {kind: _conform(snapshot.get(kind), self._schema(kind)) for kind in self._tables}

    def on_closed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Alerts (``ALERT_SCHEMA``) raised by final rows of any window kinds."""
        alerts = [no_alerts()]
        for kind in self._tables:
            mine = rows.filter(pl.col("window") == kind)
            if mine.height:
                mine = mine.with_columns(ratio_exprs()).with_columns(pl.col("window_start").dt.epoch("ms").alias(START))
                by_start = mine.partition_by(START, as_dict=True)
                for (start_ms,) in sorted(by_start):
                    self.beat()
                    alerts += self._on_window(kind, start_ms, by_start[start_ms,])
        return pl.concat(alerts)

    def _on_window(self, kind: str, start_ms: int, rows: pl.DataFrame) -> list[pl.DataFrame]:
        table, alerts = self._tables[kind], []
        for pattern in self._of[kind]:
            if pattern.awaits_absence:
                fired, table = overdue(table, pattern, start_ms)
                alerts.append(overdue_alerts(pattern, fired))
        table = table.filter(pl.col("seen_ms") >= start_ms - self._retention_ms)
        rows = rows.join(table, on="kol_id", how="left")
        for pattern in self._of[kind]:
            for place in range(len(pattern.steps)):
                rows = match_step(rows, pattern, place)
            if len(pattern.steps) > 1:
                rows = follow(rows, pattern)
                fires = pl.col("fires")
            else:
                fires = pl.col(at(pattern, 0, "match"))
            alerts.append(matched_alerts(pattern, rows.filter(fires)))
        moved = rows.with_columns(
            seen_ms=pl.col(START), followers_before=pl.coalesce("followers_last", "followers_before")
        )
        kept = table.join(rows, on="kol_id", how="anti")
        self._tables[kind] = pl.concat([kept, moved.select(table.columns)])
        return [found for found in alerts if found.height]

    def _schema(self, kind: str) -> Columns:
        columns = dict(BASE)
        for pattern in self._of[kind]:
            columns |= state_columns(pattern)
        return columns


def _conform(table: pl.DataFrame | None, schema: Columns) -> pl.DataFrame:
    """The columns of a schema: those a table has, the others null."""
    if table is None:
        return pl.DataFrame(schema=schema)
    return table.select(conform(schema, table.columns))


def _quiet() -> None:
    """Nobody watches."""
