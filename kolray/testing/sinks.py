"""A row writer that keeps what it is given."""

from __future__ import annotations

import polars as pl

from kolray.stores.metrics import Version


class ListSink:
    """``kolray.stream.sinks.RowWriter`` in lists: every hand-over in order, with its version."""

    def __init__(self) -> None:
        self.window_rows: list[tuple[pl.DataFrame, Version]] = []
        self.alert_rows: list[tuple[pl.DataFrame, Version]] = []
        self.refreshes = 0
        self.flushes = 0
        self.closed = False

    def windows(self, rows: pl.DataFrame, version: Version) -> None:
        """Keeps window or pane rows; an empty hand-over is kept out, as the real writer ignores it."""
        if rows.height:
            self.window_rows.append((rows, version))

    def alerts(self, rows: pl.DataFrame, version: Version) -> None:
        """Keeps alert rows."""
        if rows.height:
            self.alert_rows.append((rows, version))

    def refresh_live(self) -> None:
        """Counts the call."""
        self.refreshes += 1

    def flush(self) -> None:
        """Counts the call; what is in a list is durable enough for a test."""
        self.flushes += 1

    def close(self) -> None:
        """Notes that the owner let go."""
        self.closed = True
