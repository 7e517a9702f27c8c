"""A metrics store in memory, for tests without a server; it keeps the same contract as the real ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import polars as pl

from kolray.stores.metrics import ALERT_SCHEMA, SCORE_SCHEMA, WINDOW_SCHEMA, AlertPlace, Version

_KEYS = {
    "windows": ["kol_id", "window", "window_start"],
    "alerts": ["alert_id"],
    "scores": ["kol_id", "as_of", "model"],
}
_VERSION = {"epoch": pl.Int64, "at_us": pl.Int64}


class MemoryStore:
    """``MetricsStore`` over polars frames: of two rows with one key the greater version stays."""

    def __init__(self) -> None:
        self._migrated = False
        self._tables = {
            "windows": pl.DataFrame(schema={**WINDOW_SCHEMA, **_VERSION}),
            "alerts": pl.DataFrame(schema={**ALERT_SCHEMA, **_VERSION}),
            "scores": pl.DataFrame(schema={**SCORE_SCHEMA, **_VERSION}),
        }

    def migrate(self) -> list[str]:
        applied, self._migrated = ([] if self._migrated else ["0001-memory"]), True
        return applied

    def upsert_windows(self, rows: pl.DataFrame, version: Version) -> None:
        self._upsert("windows", rows, version)

    def upsert_alerts(self, rows: pl.DataFrame, version: Version) -> None:
        self._upsert("alerts", rows, version)

    def upsert_scores(self, rows: pl.DataFrame) -> None:
        self._upsert("scores", rows, Version(0, 0))

    def _upsert(self, table: str, rows: pl.DataFrame, version: Version) -> None:
        held = self._tables[table]
        stamp = {name: pl.lit(value, pl.Int64) for name, value in version._asdict().items()}
        both = pl.concat([held, rows.with_columns(**stamp).select(held.columns)])
        # the sort is stable: of equal versions the row written last stays
        newest = both.sort("epoch", "at_us", maintain_order=True).unique(_KEYS[table], keep="last", maintain_order=True)
        self._tables[table] = newest

    def windows(
        self, kol_id: str, window: str, start: datetime, end: datetime, columns: Sequence[str] = tuple(WINDOW_SCHEMA)
    ) -> pl.DataFrame:
        rows = self._tables["windows"].filter(
            (pl.col("kol_id") == kol_id)
            & (pl.col("window") == window)
            & (pl.col("window_start") >= start)
            & (pl.col("window_start") < end)
        )
        return rows.sort("window_start").select(columns)

    def scan_windows(self, final_only: bool = True, since: datetime | None = None) -> Iterator[pl.DataFrame]:
        rows = self._tables["windows"].filter("final") if final_only else self._tables["windows"]
        rows = rows if since is None else rows.filter(pl.col("window_start") >= since)
        yield rows.select(*WINDOW_SCHEMA)

    def scores(self, kol_id: str, limit: int = 1) -> pl.DataFrame:
        rows = self._tables["scores"].filter(pl.col("kol_id") == kol_id)
        return rows.sort("as_of", descending=True).head(limit).select(*SCORE_SCHEMA)

    def scan_scores(self, since: datetime) -> Iterator[pl.DataFrame]:
        yield self._tables["scores"].filter(pl.col("scored_at") >= since).select(*SCORE_SCHEMA)

    def alerts(
        self, since: datetime, kol_id: str | None = None, limit: int = 100, before: AlertPlace | None = None
    ) -> pl.DataFrame:
        rows = self._tables["alerts"].filter(pl.col("at") >= since)
        rows = rows if kol_id is None else rows.filter(pl.col("kol_id") == kol_id)
        if before is not None:
            older, behind = pl.col("at") < before.at, pl.col("alert_id") < before.alert_id
            rows = rows.filter(older | ((pl.col("at") == before.at) & behind))
        return rows.sort("at", "alert_id", descending=True).head(limit).select(*ALERT_SCHEMA)

    def forget(self, kol_id: str) -> int:
        rows = self.traces(kol_id)
        self._tables = {name: table.filter(pl.col("kol_id") != kol_id) for name, table in self._tables.items()}
        return rows

    def traces(self, kol_id: str) -> int:
        return sum(table.filter(pl.col("kol_id") == kol_id).height for table in self._tables.values())

    def ping(self) -> None: ...

    def close(self) -> None: ...
