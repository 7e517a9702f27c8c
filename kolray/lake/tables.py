"""The lake's tables: names, folders, columns, and how they are read."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from kolray.clock import to_ms
from kolray.errors import NotFoundError
from kolray.events import RAW_TOPICS, SOCIAL_SCHEMA, TIME, WEB_SCHEMA, Columns
from kolray.features import FEATURE_SCHEMA
from kolray.features.window_metrics import FOLLOWERS, RATIOS, SUMS, VELOCITY, VISITORS, WEB_RATIOS, WEB_SUMS
from kolray.lake.places import is_table, open_table, scan_table, storage_options, tables_under
from kolray.lake.quality import COUNTED
from kolray.settings import Place
from kolray.stores.metrics import ALERT_SCHEMA, SCORE_SCHEMA

_PLACE: Columns = {"topic": pl.String, "partition": pl.Int32, "offset": pl.Int64}
_KAFKA: Columns = {**_PLACE, "kafka_time": TIME, "schema_id": pl.Int32, "ingest_time": TIME, "dt": pl.Date}
_REFINED: Columns = {"available_at": TIME, **_PLACE, "dt": pl.Date}
_KPI: Columns = {"kol_id": pl.String, "platform": pl.String}
_SUMS: Columns = dict.fromkeys(SUMS, pl.Int64)
_METRICS: Columns = {**_SUMS, **dict.fromkeys(FOLLOWERS, pl.Int64), **dict.fromkeys(RATIOS, pl.Float64)}
_TRACKED: Columns = {
    **dict.fromkeys(WEB_SUMS, pl.Int64),
    VISITORS: pl.Int64,
    "value": pl.Float64,
    "currency": pl.String,
    **dict.fromkeys(WEB_RATIOS, pl.Float64),
}

TABLES: dict[str, Columns] = {
    "bronze.social": {**SOCIAL_SCHEMA, **_KAFKA},
    "bronze.web": {**WEB_SCHEMA, **_KAFKA},
    "bronze.dead_letters": {
        **_PLACE, "reason": pl.String, "key": pl.Binary, "value": pl.Binary, "at": TIME,
        "dlq_partition": pl.Int32, "dlq_offset": pl.Int64, "dt": pl.Date,
    },
    "bronze.late_events": {
        **_PLACE, "event_id": pl.String, "kol_id": pl.String, "event_time": TIME, "watermark": TIME,
        "late_partition": pl.Int32, "late_offset": pl.Int64, "dt": pl.Date,
    },
    "bronze.alerts": {**ALERT_SCHEMA, "alert_partition": pl.Int32, "alert_offset": pl.Int64, "dt": pl.Date},
    "silver.social": {**SOCIAL_SCHEMA, "sentiment": pl.Int8, "spam": pl.Float32, **_REFINED},
    "silver.web": {**WEB_SCHEMA, **_REFINED},
    "silver.quarantine": {
        **_PLACE, "kind": pl.String, "event_id": pl.String, "kol_id": pl.String, "event_time": TIME, "kafka_time": TIME,
        "reason": pl.String, "rules": pl.String, "bronze_version": pl.Int64, "dt": pl.Date,
    },
    "silver.quality": {"at": TIME, "bronze_version": pl.Int64, **COUNTED, "dt": pl.Date},
    "gold.kpi_hourly": {**_KPI, "hour": TIME, **_METRICS, "dt": pl.Date},
    "gold.kpi_daily": {**_KPI, **_METRICS, "posts": pl.Int64, "dt": pl.Date},
    "gold.kpi_weekly": {**_KPI, **_METRICS, "dt": pl.Date},
    "gold.platform_daily": {
        "platform": pl.String, "kols": pl.Int64, **_SUMS,
        **{ratio: pl.Float64 for ratio in RATIOS if ratio != VELOCITY}, "dt": pl.Date,
    },
    "gold.campaign_hourly": {"campaign_id": pl.String, "kol_id": pl.String, "hour": TIME, **_TRACKED, "dt": pl.Date},
    "gold.campaign_daily": {"campaign_id": pl.String, "kol_id": pl.String, **_TRACKED, "dt": pl.Date},
    "gold.scores": {**SCORE_SCHEMA, "dt": pl.Date},
    "gold.features": {**FEATURE_SCHEMA, "dt": pl.Date},
    "gold.forecasts": {
        "kol_id": pl.String, "metric": pl.String, "origin": TIME, "at": TIME,
        "value": pl.Float32, "lower": pl.Float32, "upper": pl.Float32, "model": pl.String, "dt": pl.Date,
    },
    "gold.campaign_outlook": {
        "campaign_id": pl.String, "kol_id": pl.String, "metric": pl.String, "state": pl.String,
        **dict.fromkeys(("as_of", "start", "end", "until"), TIME),
        **dict.fromkeys(("actual", "day", "day_lower", "day_upper", "total", "total_lower", "total_upper"), pl.Float64),
        **dict.fromkeys(("lift", "lift_lower", "lift_upper"), pl.Float64), "lift_hours": pl.Int64,
        "lift_why_not": pl.String, "budget": pl.Float64, "spent": pl.Float64,
        **dict.fromkeys(("currency", "paid_in", "troubles"), pl.String), "dt": pl.Date,
    },
    "gold.campaign_forecasts": {
        "campaign_id": pl.String, "kol_id": pl.String, "metric": pl.String, "as_of": TIME, "at": TIME,
        "value": pl.Float64, "lower": pl.Float64, "upper": pl.Float64, "dt": pl.Date,
    },
    "ops.steps": {
        "run": pl.String, "step": pl.String, "ok": pl.Boolean, "started_at": TIME, "seconds": pl.Float64,
        "detail": pl.String, "dt": pl.Date,
    },
    "ops.replays": {"dlq_partition": pl.Int32, "dlq_offset": pl.Int64, "at": TIME, "dt": pl.Date},
    "ops.drift": {
        "at": TIME, "model": pl.String, "kind": pl.String, "name": pl.String, "value": pl.Float64,
        "before": pl.Float64, "p_value": pl.Float64, "drifted": pl.Boolean, "kols": pl.Int64, "dt": pl.Date,
    },
}  # fmt: skip
"""Table → columns. All are partitioned by ``dt``: ingest day in bronze, day of the event time elsewhere
(the week's Monday in ``gold.kpi_weekly``, the day of ``as_of`` in ``gold.features``, of ``origin`` in
``gold.forecasts``, of the Kafka time in quarantine, since an event's own may be what is wrong, and of the run in
``silver.quality``)."""

PLACE = list(_PLACE)
"""Where in Kafka a row comes from."""
_AS_READ = pl.Datetime("us", "UTC")
BRONZE_OF_TOPIC = {topic: f"bronze.{kind}" for kind, topic in RAW_TOPICS.items()}


Root = Place | str
"""Where a lake is: of a text alone, keys of a bucket are the usual ``AWS_*`` variables."""


def place_of(root: Root) -> Place:
    """Where it is from any folder that a process works in."""
    place = root if isinstance(root, Place) else Place(root)
    return place if place.remote else Place(str(Path(place).absolute()))


class LakeTables:
    """The Delta tables under one root; ``options`` are those of Delta and Polars for its store."""

    def __init__(self, root: Root) -> None:
        self.root = place_of(root)
        self.options = storage_options(self.root)

    def path(self, name: str) -> Place:
        """Folder of ``layer.table``."""
        return self.root.join(*name.split("."))

    def exists(self, name: str) -> bool:
        """Whether the table was ever written."""
        return is_table(self.path(name))

    def table(self, name: str, version: int | None = None) -> DeltaTable:
        """Its Delta handle, at the newest or a given version.

        Raises:
            NotFoundError: nothing was written there yet.
            DeltaError: it has no such version, or no longer.
        """
        try:
            table = open_table(self.path(name))
        except TableNotFoundError as error:
            layer = name.partition(".")[0]
            raise NotFoundError(f"the lake at {self.root} has no table {name}; run `kolray lake {layer}`") from error
        if version is not None:
            table.load_as_version(version)
        return table

    def scan(self, name: str, version: int | None = None) -> pl.LazyFrame:
        """Its rows, at the newest or a given version: ``read_schema``, then ``added_columns``. Null where an older
        version did not write a column; an empty frame where nothing was written yet.

        Raises:
            NotFoundError: it has no such version, or no longer.
        """
        declared = read_schema(name)
        if not self.exists(name):
            return pl.LazyFrame(schema=declared)
        rows = scan_table(self.path(name), version)
        try:
            held = rows.collect_schema()
        except DeltaError as error:
            if version is None:
                raise
            raise NotFoundError(
                f"{name} has no version {version}, or no longer: maintenance and erasures take old ones"
            ) from error
        return rows.with_columns(pl.lit(None, dtype).alias(c) for c, dtype in declared.items() if c not in held)

    def added_columns(self, name: str) -> Columns:
        """Columns it has beyond the declared ones: fields that newer writers' schemas brought."""
        if not self.exists(name):
            return {}
        held = scan_table(self.path(name)).collect_schema()
        found = {column: dtype for column, dtype in held.items() if column not in TABLES[name]}
        return {column: TIME if dtype == _AS_READ else dtype for column, dtype in found.items()}

    def files(self, name: str, version: int | None = None) -> list[str]:
        """Paths of the data files of the newest or a given version."""
        return data_files(self.table(name, version))

    def version_at(self, name: str, at: datetime) -> int | None:
        """The version that was the newest at a time; none where the table did not exist yet, or its log is gone."""
        table = self.table(name)
        if table.history()[-1]["timestamp"] > to_ms(at):
            return None  # asked for such a time, Delta answers with the first version there is
        table.load_as_version(at)
        return table.version()

    def find(self, name: str) -> DeltaTable | None:
        """Its Delta handle, if anything was written there yet."""
        try:
            return self.table(name)
        except NotFoundError:
            return None

    def source(self, reader: str, name: str) -> str:
        """See ``source_of``."""
        return source_of(reader, name, self.table(name))

    def transaction(self, name: str, app_id: str) -> int | None:
        """The version of an application's last transaction on a table."""
        return transaction_of(self.find(name), app_id)

    def versions(self, *names: str) -> dict[str, int]:
        """The newest version of each table that exists."""
        return {name: self.table(name).version() for name in names if self.exists(name)}

    def names(self) -> list[str]:
        """Tables that exist, as ``layer.table``."""
        return tables_under(self.root)


def source_of(reader: str, name: str, table: DeltaTable) -> str:
    """Names a table among the transactions of one made from it; the version is the one of it that was read.

    It holds the table's own id: one that was made anew under the same name is another source, read from its start.
    """
    return f"{reader}/{name}@{table.metadata().id}"


def transaction_of(table: DeltaTable | None, app_id: str) -> int | None:
    """The version of an application's last transaction in what a handle has loaded."""
    return None if table is None else table.transaction_version(app_id)


def data_files(table: DeltaTable) -> list[str]:
    """Paths of the data files of the version that a handle has loaded."""
    return [unquote(uri) for uri in table.file_uris()]


def read_schema(name: str) -> pl.Schema:
    """Columns as they are read: Delta keeps times in microseconds."""
    read = {column: _AS_READ if dtype == TIME else dtype for column, dtype in TABLES[name].items()}
    return pl.Schema(read)


def arrow_ready(frame: pl.DataFrame, name: str, extra: Columns | None = None) -> pl.DataFrame:
    """The declared columns of a table and further ones, in their order and types."""
    schema = TABLES[name] | (extra or {})
    return frame.select(*schema).cast(pl.Schema(schema))
