"""After the chaos: what the topics, the stores and the lake hold, against the stream's work done once as a batch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import polars as pl

from kolray.clock import EPOCH
from kolray.events import ALERTS_TOPIC, DLQ_TOPIC, LATE_TOPIC, RAW_TOPICS, Kind
from kolray.features.window_metrics import METRICS
from kolray.lake.tables import LakeTables
from kolray.lake.verify import KEYS, recomputed, verify
from kolray.models.sentiment import default_classifier
from kolray.schemas.registry import open_registry
from kolray.schemas.wire import decode_value, schema_id_of
from kolray.settings import Settings
from kolray.stores.features import FeatureStore
from kolray.stores.metrics import WINDOW_SCHEMA, MetricsStore
from kolray.stores.open import open_feature_store, open_metrics_store
from kolray.stream.decode import BatchDecoder
from kolray.stream.fetch import BatchFetcher
from kolray.stream.values import records_of
from kolray.stream.windows import WindowSpec


@dataclass(frozen=True)
class Comparison:
    """All but ``events``, ``windows`` and ``alerts`` must be 0.

    ``lost``: windows, events, dead letters and late events that are missing. ``duplicates``: those there are too many
    of, and windows that counted something twice. ``stale``: windows, and newest rows in Redis, that hold older values.
    """

    events: int
    windows: int
    alerts: int
    lost: int
    duplicates: int
    stale: int
    alerts_missing: int
    alerts_twice: int
    verify_differences: int

    @property
    def right(self) -> bool:
        """Whether nothing is lost, doubled, stale or different."""
        wrong = (self.lost, self.duplicates, self.stale, self.alerts_missing, self.alerts_twice)
        return not any(wrong) and self.verify_differences == 0


def compare(settings: Settings, sent: int, counts: dict[str, int]) -> Comparison:
    """Compares everything.

    Args:
        sent: records produced to the raw topics.
        counts: the stream's counters at the end of input.
    """
    classifier = default_classifier()
    late = _places(settings, LATE_TOPIC)
    events = {kind: _counted(settings, kind, late) for kind in RAW_TOPICS}
    want = recomputed(events, [WindowSpec.parse(text) for text in settings.stream.windows], classifier)
    store, live = open_metrics_store(settings), open_feature_store(settings.redis)
    try:
        got = pl.concat([pl.DataFrame(schema=WINDOW_SCHEMA), *store.scan_windows()]).filter(pl.col("window") != "pane")
        lost, twice, stale = _windows(want, got)
        for there, expected in (
            (counts["events"] + counts["rejected"], sent),
            (_places(settings, DLQ_TOPIC).height, counts["rejected"]),
            (late.height, counts["late"]),
        ):
            lost += max(0, expected - there)
            twice += max(0, there - expected)
        missing, alerts_twice, alerts = _alerts(settings, store, counts)
        verdict = verify(LakeTables(settings.lake_root), store, settings.stream.windows, classifier)
        return Comparison(
            events=counts["events"],
            windows=got.height,
            alerts=alerts,
            lost=lost,
            duplicates=twice,
            stale=stale + _stale_live(got, live),
            alerts_missing=missing,
            alerts_twice=alerts_twice,
            verify_differences=verdict.differences.height,
        )
    finally:
        store.close()
        live.close()


def _windows(want: pl.DataFrame, got: pl.DataFrame) -> tuple[int, int, int]:
    """Windows that are missing, that hold too much (or should not be), that hold something else."""
    lost = want.join(got, on=KEYS, how="anti").height
    extra = got.join(want, on=KEYS, how="anti").height
    both = want.join(got, on=KEYS, suffix="_got")
    unequal = both.filter(pl.any_horizontal(pl.col(m).ne_missing(pl.col(f"{m}_got")) for m in METRICS))
    more = unequal.filter(pl.col("events_got") > pl.col("events")).height
    return lost, extra + more, unequal.height - more


def _stale_live(got: pl.DataFrame, live: FeatureStore) -> int:
    """(KOL, window) pairs whose newest row is not what Redis holds."""
    newest = got.sort("window_start").unique(["kol_id", "window"], keep="last")
    held = {kol_id: {row["window"]: row for row in live.get_live(kol_id)} for kol_id in newest["kol_id"].unique()}
    rows = (row for row in newest.to_dicts() if held[row["kol_id"]].get(row["window"], {}) != _without_kol(row))
    return sum(1 for _ in rows)


def _without_kol(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "kol_id"}


def _alerts(settings: Settings, store: MetricsStore, counts: dict[str, int]) -> tuple[int, int, int]:
    """Alerts missing in the topic or the store, those published twice, and how many there are."""
    published = [row["alert_id"] for row in _outputs(settings, ALERTS_TOPIC)]
    kept = set(store.alerts(EPOCH + timedelta(days=1), None, 1_000_000)["alert_id"])
    ids = set(published)
    missing = len(kept ^ ids) + max(0, counts["alerts"] - len(ids))
    return missing, len(published) - len(ids), len(ids)


def _counted(settings: Settings, kind: Kind, late: pl.DataFrame) -> pl.DataFrame:
    """The valid events of a raw topic that were to be counted, once each."""
    decoder = BatchDecoder(open_registry(settings.registry.url), settings.stream.far_future_s)
    frames = []
    starts = {(RAW_TOPICS[kind], p): 0 for p in range(settings.kafka.partitions)}
    fetcher = BatchFetcher(settings.kafka, starts, committed_only=True)
    try:
        while not fetcher.caught_up():
            frames.append(decoder.decode(kind, fetcher.poll(1.0)).frame)
    finally:
        fetcher.close()
    places = ["topic", "partition", "offset"]
    events = pl.concat(frames).sort("partition", "offset")
    first = events.unique(["partition", "event_id"], keep="first", maintain_order=True)
    return first.join(late, on=places, how="anti")


def _places(settings: Settings, topic: str) -> pl.DataFrame:
    """Topic, partition and offset that a side output names, one row a record."""
    schema = {"topic": pl.String, "partition": pl.Int32, "offset": pl.Int64}
    rows = [{name: row[name] for name in schema} for row in _outputs(settings, topic)]
    return pl.DataFrame(rows, schema=schema)


def _outputs(settings: Settings, topic: str) -> list[dict[str, Any]]:
    """Committed records of an output topic."""
    registry = open_registry(settings.registry.url)
    starts = {(topic, p): 0 for p in range(settings.kafka.partitions)}
    fetcher = BatchFetcher(settings.kafka, starts, committed_only=True)
    rows = []
    try:
        while not fetcher.caught_up():
            for batch in fetcher.poll(1.0):
                values = records_of(batch)["value"].to_list()
                rows += [decode_value(value, registry.schema(schema_id_of(value))) for value in values]
    finally:
        fetcher.close()
    return rows
