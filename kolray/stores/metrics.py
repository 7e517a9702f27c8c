"""The metrics store's contract: window rows, scores and alerts, each an upsert on its identity.

Implementations: ``sqlite.py`` (embedded) and ``cassandra.py``; ``kolray.testing.MemoryStore`` for unit tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import polars as pl

from kolray.events import TIME, Columns
from kolray.features.window_metrics import METRICS

WINDOW_SCHEMA: Columns = {
    "kol_id": pl.String,
    "window": pl.String,
    "window_start": TIME,
    "final": pl.Boolean,
    **dict.fromkeys(METRICS, pl.Int64),
}
"""Identity: ``(kol_id, window, window_start)``. ``window`` is ``5m``, ``15m``, ``15m/5m``, ``1h`` or ``pane``.

Rows written before ``unique_visitors`` existed have null there until the stream writes them again."""

ALERT_SCHEMA: Columns = {
    "alert_id": pl.String,
    "rule": pl.String,
    "kol_id": pl.String,
    "window": pl.String,
    "window_start": TIME,
    "severity": pl.String,
    "evidence": pl.String,
    "at": TIME,
}
"""Identity: ``alert_id``, a hash of (rule, kol_id, window_start). ``evidence`` is a JSON object."""

SCORE_SCHEMA: Columns = {
    "kol_id": pl.String,
    "model": pl.String,
    "as_of": TIME,
    "trust_score": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "probability": pl.Float64,
    "scored_at": TIME,
    "runtime_ms": pl.Float64,
    "features": pl.String,
}
"""Identity: ``(kol_id, model, as_of)``. ``model`` is ``name:version``, ``as_of`` the time its features describe.

``runtime_ms``: what the model took for the batch, over its KOLs. ``features``: those used, as a JSON object. The last
three are null in rows of older versions.
"""
SCORE_RECORD = ("scored_at", "runtime_ms", "features")


def without(schema: Columns, *later: str) -> Columns:
    """A schema as it was before these columns came: a migration once applied must not change."""
    return {name: dtype for name, dtype in schema.items() if name not in later}


class Version(NamedTuple):
    """Orders writes of one row: the epoch of the partition's owner, then its clock in microseconds.

    ``at_us`` is wall time that the writer never lets run back. A store keeps the row with the larger version;
    Cassandra keeps the larger ``at_us``.
    """

    epoch: int
    at_us: int


class AlertPlace(NamedTuple):
    """Where an alert stands among the others."""

    at: datetime
    alert_id: str


class MetricsStore(Protocol):
    """Where the stream writes and the API reads.

    Every ``upsert_*`` returns when the rows are durable, may be repeated, and never lets an older version win. It
    raises ``ServiceUnavailableError`` when the server does not answer; the caller retries the same rows.
    """

    def migrate(self) -> list[str]:
        """Make or upgrade the schema; returns the names of the migrations applied now (none: up to date)."""
        ...

    def upsert_windows(self, rows: pl.DataFrame, version: Version) -> None:
        """``rows`` as ``WINDOW_SCHEMA``."""
        ...

    def upsert_alerts(self, rows: pl.DataFrame, version: Version) -> None:
        """``rows`` as ``ALERT_SCHEMA``."""
        ...

    def upsert_scores(self, rows: pl.DataFrame) -> None:
        """``rows`` as ``SCORE_SCHEMA``."""
        ...

    def windows(
        self, kol_id: str, window: str, start: datetime, end: datetime, columns: Sequence[str] = tuple(WINDOW_SCHEMA)
    ) -> pl.DataFrame:
        """Rows with ``start <= window_start < end``, oldest first: all or some columns of ``WINDOW_SCHEMA``.

        A month of hours with three columns is read in a sixth of the time that all of them take.
        """
        ...

    def scan_windows(self, final_only: bool = True, since: datetime | None = None) -> Iterator[pl.DataFrame]:
        """Every row of every KOL as ``WINDOW_SCHEMA``, in frames of bounded size, in no order.

        Args:
            since: only windows that start then or later; the others are not read.
        """
        ...

    def scores(self, kol_id: str, limit: int = 1) -> pl.DataFrame:
        """The newest scores as ``SCORE_SCHEMA``, newest first."""
        ...

    def scan_scores(self, since: datetime) -> Iterator[pl.DataFrame]:
        """Scores of every KOL with ``scored_at >= since`` as ``SCORE_SCHEMA``, in frames of bounded size."""
        ...

    def alerts(
        self, since: datetime, kol_id: str | None = None, limit: int = 100, before: AlertPlace | None = None
    ) -> pl.DataFrame:
        """Alerts with ``at >= since`` as ``ALERT_SCHEMA``, newest first, of one time the greatest id.

        Args:
            before: those behind this one alone.
        """
        ...

    def forget(self, kol_id: str) -> int:
        """Deletes everything of a KOL, whatever the version of its rows; returns how many rows there were.

        May be repeated. What is still being written meanwhile is not covered.
        """
        ...

    def traces(self, kol_id: str) -> int:
        """How many rows of a KOL there are, wherever they may be."""
        ...

    def ping(self) -> None:
        """Raise ``ServiceUnavailableError`` if the store does not answer."""
        ...

    def close(self) -> None: ...
