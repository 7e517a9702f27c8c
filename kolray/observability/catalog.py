"""Every metric of kolray: the one definition that processes, alert rules, dashboards and ``docs/metrics.md`` share.

Names are promises to users: one may be added, none is renamed without a line in the changelog.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kolray.observability.metric import Family, Metric, MetricKind, Part

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Of requests: close together where the promised P95 of 50 ms lies."""
LONGER = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Of writes and checkpoints, which wait for servers and disks."""
POINTS = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0)
INTERACTIONS = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7)
DIFFERENCE = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)

Row = tuple[str, MetricKind, str, tuple[str, ...]]
STREAM: tuple[Row, ...] = (
    ("kolray_stream_up", "gauge", "1 while a stream of this home runs", ()),
    ("kolray_stream_state", "gauge", "1 for what the stream is: running, ended (bounded run) or gone", ("state",)),
    ("kolray_stream_shard_up", "gauge", "1 while a shard runs; 0: starting, waiting or ended", ("shard",)),
    ("kolray_stream_shard_info", "gauge", "1, with the node that a shard runs on, or ran", ("shard", "node")),
    ("kolray_stream_restarts_total", "counter", "Starts of a shard beyond its first", ("shard",)),
    ("kolray_stream_status_age_seconds", "gauge", "Time since a shard's loop last came round", ("shard",)),
    ("kolray_stream_checkpoint_age_seconds", "gauge", "Time since a shard's last full checkpoint", ("shard",)),
    ("kolray_stream_checkpoint_duration_seconds", "gauge", "Time a shard's last checkpoint took", ("shard",)),
    ("kolray_stream_checkpoint_seconds", "histogram", "Time checkpoints took, early ones for alerts too", ("shard",)),
    ("kolray_stream_sink_write_seconds", "histogram", "Time of a batch of rows to the stores, tries included",
     ("shard",)),
    ("kolray_stream_sink_retries_total", "counter", "Writes tried again because a store was away", ("shard",)),
    ("kolray_stream_lag_records", "gauge", "Offsets of both topics still to be read", ("partition",)),
    ("kolray_stream_watermark_delay_seconds", "gauge", "How far event time is behind", ("partition",)),
    ("kolray_stream_state_bytes", "gauge", "Panes, visitors and duplicate filter", ("partition",)),
    ("kolray_stream_events_total", "counter", "Valid events read", ("partition",)),
    ("kolray_stream_duplicates_total", "counter", "Events seen before", ("partition",)),
    ("kolray_stream_late_total", "counter", "Events later than allowed", ("partition",)),
    ("kolray_stream_dead_letters_total", "counter", "Records that could not be used", ("partition",)),
    ("kolray_stream_denied_total", "counter", "Records of erased KOLs, dropped", ("partition",)),
    ("kolray_stream_windows_total", "counter", "Windows closed", ("partition",)),
    ("kolray_stream_alerts_total", "counter", "Alerts raised about KOLs", ("partition",)),
    ("kolray_stream_scores_total", "counter", "Trust scores made in batches when windows closed", ("shard",)),
    ("kolray_stream_scores_failed_total", "counter", "Batches that could not be scored, or wait for a store",
     ("shard",)),
    ("kolray_stream_scores_seconds", "histogram", "Time of a batch, features, model and stores together", ("shard",)),
    ("kolray_stream_score_points", "histogram", "Trust scores made beside the stream, 0-100", ("shard",)),
    ("kolray_stream_scores_waiting_kols", "gauge", "KOLs whose windows closed and who are not scored yet", ("shard",)),
    ("kolray_stream_scores_oldest_seconds", "gauge", "How long the batch that waits longest has; 0: none", ("shard",)),
)  # fmt: skip
SERVING: tuple[Row, ...] = (
    ("kolray_http_request_seconds", "histogram", "Time to answer", ("route", "status")),
    ("kolray_http_cache_total", "counter", "Answers by cache: hit or miss", ("outcome",)),
    ("kolray_batch_kols_total", "counter", "KOLs of `POST /kol/score/batch`: scored or unknown", ("outcome",)),
    ("kolray_lookup_total", "counter", "Lookups of features: found, unknown or failed", ("source", "outcome")),
    ("kolray_lookup_breaker_open", "gauge", "1 while a failed source of features is left alone", ("source",)),
    ("kolray_trust_score_points", "histogram", "Trust scores as they were made, 0-100", ("model",)),
    ("kolray_success_forecast_interactions", "histogram", "Interactions expected in 24 h, as scores told them", ()),
    ("kolray_model_version", "gauge", "Version of the loaded champion", ("model",)),
    ("kolray_canary_percent", "gauge", "Share of the KOLs that the challenger scores", ()),
    ("kolray_shadow_difference", "histogram", "Trust points between challenger and champion", ()),
    ("kolray_shadow_skipped_total", "counter", "Comparisons left out", ()),
    ("kolray_challenger_failed_total", "counter", "Scores the champion gave instead", ()),
)
TRACKING: tuple[Row, ...] = (
    (
        "kolray_tracking_hits_total",
        "counter",
        "Hits of tracked pages: accepted, bot, repeat, refused (unreadable) or no_room (answered by 503)",
        ("outcome",),
    ),
    ("kolray_tracking_sent_total", "counter", "Hits that Kafka acknowledged", ()),
    ("kolray_tracking_taken_over_total", "counter", "Of these, hits that a dead process left on disk", ()),
    ("kolray_tracking_waiting_hits", "gauge", "Hits that Kafka does not have yet", ()),
    ("kolray_tracking_waiting_bytes", "gauge", "Room on disk that hits of this replica take until Kafka has them", ()),
    ("kolray_tracking_room_bytes", "gauge", "Room that they may take (KOLRAY_TRACKING__BUFFER_MB)", ()),
    ("kolray_tracking_oldest_seconds", "gauge", "Age of the oldest hit that Kafka does not have; 0: none", ()),
)
WEBHOOKS: tuple[Row, ...] = (
    ("kolray_webhook_deliveries_total", "counter", "Alerts a webhook took, or that were given up: taken or dead",
     ("webhook", "outcome")),
    ("kolray_webhook_waiting_alerts", "gauge", "Alerts not sent to a webhook yet (exporter)", ("webhook",)),
    ("kolray_webhook_oldest_seconds", "gauge", "Age of the oldest of them; 0: none (exporter)", ("webhook",)),
    ("kolray_webhook_dead_alerts", "gauge", "Alerts given up and not replayed (exporter)", ("webhook",)),
)  # fmt: skip
MODELS: tuple[Row, ...] = (
    ("kolray_model_psi", "gauge", "Population stability index since training; name: feature or score",
     ("model", "kind", "name")),
    ("kolray_model_drifted_measures", "gauge", "Measures beyond their limit: feature, score, auc, forecast",
     ("model", "kind")),
    ("kolray_model_auc_ratio", "gauge", "AUC: estimated now, or of the untouched fold (0-1)", ("model", "name")),
    ("kolray_forecast_figure", "gauge", "Of served forecasts: rmsle, naive_rmsle, coverage_90", ("model", "name")),
    ("kolray_model_measured_timestamp_seconds", "gauge", "When the night last measured a champion", ("model",)),
)  # fmt: skip
LAKE: tuple[Row, ...] = (
    ("kolray_lake_files", "gauge", "Data files of a table", ("table",)),
    ("kolray_lake_bytes", "gauge", "Bytes of those files", ("table",)),
    ("kolray_lake_rows", "gauge", "Rows of a table, as its log counts them", ("table",)),
    ("kolray_lake_version", "gauge", "Delta version of a table", ("table",)),
    ("kolray_lake_commit_timestamp_seconds", "gauge", "Time of a table's newest file", ("table",)),
    ("kolray_follow_up", "gauge", "1 while `kolray lake bronze --follow` of this home runs", ()),
    ("kolray_follow_gone", "gauge", "1 where it was killed, or ended by an error", ()),
    ("kolray_follow_rows_total", "counter", "Rows that it added", ("table",)),
)
SOURCES: tuple[Row, ...] = (
    ("kolray_quota_units", "gauge", "Units a platform grants in a period", ("platform",)),
    ("kolray_quota_left_units", "gauge", "Units left in this period", ("platform",)),
    ("kolray_quota_reset_timestamp_seconds", "gauge", "When the next period begins", ("platform",)),
    ("kolray_poll_accounts", "gauge", "Accounts polled so far", ("platform",)),
    ("kolray_poll_pending_events", "gauge", "Events read from a platform and not yet in Kafka", ("platform",)),
    ("kolray_poll_newest_timestamp_seconds", "gauge", "When an account was last polled to its end", ("platform",)),
    (
        "kolray_dead_letters_waiting",
        "gauge",
        "Records of events.dlq that were not replayed; source: a topic, or files",
        ("source",),
    ),
    ("kolray_dead_letters_oldest_timestamp_seconds", "gauge", "When the oldest of them came", ("source",)),
)
RUNS: tuple[Row, ...] = (
    ("kolray_run_total", "counter", "Runs that ended: ok or failed", ("run", "outcome")),
    ("kolray_run_seconds_total", "counter", "Time of all runs", ("run",)),
    ("kolray_run_last_seconds", "gauge", "Time of the last run", ("run",)),
    ("kolray_run_last_failed", "gauge", "1 if the last run failed", ("run",)),
    ("kolray_run_last_timestamp_seconds", "gauge", "When the last run ended", ("run",)),
    ("kolray_run_success_timestamp_seconds", "gauge", "When a run last succeeded", ("run",)),
    ("kolray_run_rows_total", "counter", "What runs counted: rows of a table, events, dead letters", ("run", "what")),
)
EXPORTER: tuple[Row, ...] = (
    ("kolray_build_info", "gauge", "1, with the version of kolray", ("version",)),
    ("kolray_export_failed", "gauge", "1 if a part could not be read for this scrape", ("part",)),
)
BUCKETS = {
    "kolray_stream_checkpoint_seconds": LONGER,
    "kolray_stream_sink_write_seconds": LONGER,
    "kolray_stream_scores_seconds": LONGER,
    "kolray_stream_score_points": POINTS,
    "kolray_http_request_seconds": SECONDS,
    "kolray_trust_score_points": POINTS,
    "kolray_success_forecast_interactions": INTERACTIONS,
    "kolray_shadow_difference": DIFFERENCE,
}


def _all() -> Iterator[Metric]:
    parts: dict[Part, tuple[Row, ...]] = {
        "stream": STREAM, "serving": SERVING, "tracking": TRACKING, "webhooks": WEBHOOKS, "models": MODELS,
        "lake": LAKE, "sources": SOURCES, "runs": RUNS, "exporter": EXPORTER,
    }  # fmt: skip
    for part, rows in parts.items():
        for name, kind, about, labels in rows:
            yield Metric(name, kind, part, about, labels, BUCKETS.get(name, ()))


CATALOG: dict[str, Metric] = {metric.name: metric for metric in _all()}


def filled(name: str, rows: Sequence[tuple[tuple[str, ...], float | None]]) -> Family:
    """A counter or gauge with its (label values, value) pairs; what is None is not known and left out."""
    family = CATALOG[name].family()
    for labels, value in rows:
        if value is not None:
            family.add_metric(labels, value)  # type: ignore[call-arg, arg-type]  # a histogram is not among them
    return family
