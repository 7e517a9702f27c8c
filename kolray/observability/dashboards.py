"""The dashboards, as data: rows of panels, each with its queries. ``grafana.py`` turns them into Grafana's JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["short", "s", "ms", "bytes", "percentunit", "reqps", "ops", "dateTimeFromNow", "none"]


@dataclass(frozen=True)
class Panel:
    """One picture: legend → query. ``$every`` is Grafana's own interval, at least four scrapes."""

    title: str
    queries: dict[str, str]
    unit: Unit = "short"
    kind: Literal["timeseries", "stat", "heatmap"] = "timeseries"
    """A heatmap takes the buckets of one histogram, each with all below it, as Prometheus counts them."""


@dataclass(frozen=True)
class Dashboard:
    """One page; panels stand two in a row."""

    uid: str
    title: str
    panels: tuple[Panel, ...]


RATE = "[$__rate_interval]"


def _p(quantile: str, metric: str, by: str = "", where: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({quantile}, sum by ({labels}) (rate({metric}_bucket{where}{RATE})))"


def _percentiles(metric: str, by: str = "", where: str = "") -> dict[str, str]:
    name = f" {{{{{by}}}}}" if by else ""
    return {f"P{q[2:]}{name}": _p(q, metric, by, where) for q in ("0.50", "0.95", "0.99")}


def _rates(by: str, **metrics: str) -> dict[str, str]:
    return {legend: f"sum by ({by}) (rate({metric}{RATE}))" for legend, metric in metrics.items()}


STREAM = Dashboard("kolray-stream", "kolray: stream", (
    Panel("Running", {"stream": "kolray_stream_up", "shards": "sum(kolray_stream_shard_up)"}, "none", "stat"),
    Panel("Lag", {"all": "sum(kolray_stream_lag_records)", "{{partition}}": "kolray_stream_lag_records"}),
    Panel("Events a second", {"all": f"sum(rate(kolray_stream_events_total{RATE}))",
                              "{{partition}}": f"rate(kolray_stream_events_total{RATE})"}, "ops"),
    Panel("Watermark behind", {"{{partition}}": "kolray_stream_watermark_delay_seconds"}, "s"),
    Panel("Age of the last checkpoint", {"shard {{shard}}": "kolray_stream_checkpoint_age_seconds"}, "s"),
    Panel("Checkpoints took", {**_percentiles("kolray_stream_checkpoint_seconds"),
                               "last, shard {{shard}}": "kolray_stream_checkpoint_duration_seconds"}, "s"),
    Panel("Writes to the stores took", _percentiles("kolray_stream_sink_write_seconds"), "s"),
    Panel("Writes tried again", {"shard {{shard}}": f"rate(kolray_stream_sink_retries_total{RATE})"}, "ops"),
    Panel("Left out", {"dead letters": f"sum(rate(kolray_stream_dead_letters_total{RATE}))",
                       "late": f"sum(rate(kolray_stream_late_total{RATE}))",
                       "duplicates": f"sum(rate(kolray_stream_duplicates_total{RATE}))",
                       "of erased KOLs": f"sum(rate(kolray_stream_denied_total{RATE}))"}, "ops"),
    Panel("Windows and alerts", {"windows": f"sum(rate(kolray_stream_windows_total{RATE}))",
                                 "alerts": f"sum(rate(kolray_stream_alerts_total{RATE}))"}, "ops"),
    Panel("State", {"{{partition}}": "kolray_stream_state_bytes"}, "bytes"),
    Panel("Shards by node", {"{{node}}": "count by (node) (kolray_stream_shard_info)"}, "none"),
    Panel("Restarts", {"shard {{shard}}": "kolray_stream_restarts_total"}, "none"),
    Panel("Trust scores beside the stream", {"made": f"sum(rate(kolray_stream_scores_total{RATE}))",
                                             "failed": f"sum(rate(kolray_stream_scores_failed_total{RATE}))"}, "ops"),
    Panel("Trust scores the stream made", {"{{le}}": "sum by (le) (increase(kolray_stream_score_points_bucket[1h]))"},
          kind="heatmap"),
    Panel("KOLs waiting for their score", {"shard {{shard}}": "kolray_stream_scores_waiting_kols"}),
    Panel("Longest wait for a score", {"shard {{shard}}": "kolray_stream_scores_oldest_seconds"}, "s"),
    Panel("Batches of scores took", _percentiles("kolray_stream_scores_seconds"), "s"),
    Panel("Alerts to webhooks", _rates("webhook, outcome", **{
        "{{webhook}} {{outcome}}": "kolray_webhook_deliveries_total"}), "ops"),
    Panel("Alerts that webhooks have not got", {"{{webhook}} waiting": "kolray_webhook_waiting_alerts",
                                                "{{webhook}} dead": "kolray_webhook_dead_alerts"}),
    Panel("Oldest alert that waits for a webhook", {"{{webhook}}": "kolray_webhook_oldest_seconds"}, "s"),
    Panel("Age of a shard's status", {"shard {{shard}}": "kolray_stream_status_age_seconds"}, "s"),
))  # fmt: skip
API = Dashboard("kolray-api", "kolray: API", (
    Panel("Requests a second", _rates("route", **{"{{route}}": "kolray_http_request_seconds_count"}), "reqps"),
    Panel("Answers by status", _rates("status", **{"{{status}}": "kolray_http_request_seconds_count"}), "reqps"),
    Panel("Time to answer", _percentiles("kolray_http_request_seconds", where='{route!~"/live/.*"}'), "s"),
    Panel("P95 by route", {"{{route}}": _p("0.95", "kolray_http_request_seconds", "route")}, "s"),
    Panel("Errors", {"share of 5xx": f'sum(rate(kolray_http_request_seconds_count{{status=~"5.."}}{RATE}) or vector(0))'
                     f" / sum(rate(kolray_http_request_seconds_count{RATE}))"}, "percentunit"),
    Panel("Answers from the cache", {"share": f'sum(rate(kolray_http_cache_total{{outcome="hit"}}{RATE}))'
                                     f" / sum(rate(kolray_http_cache_total{RATE}))"}, "percentunit"),
    Panel("KOLs scored in batches", _rates("outcome", **{"{{outcome}}": "kolray_batch_kols_total"}), "ops"),
    Panel("Features by source", _rates("source, outcome", **{"{{source}} {{outcome}}": "kolray_lookup_total"}), "ops"),
    Panel("Sources left alone", {"{{source}}": "max by (source) (kolray_lookup_breaker_open)"}, "none"),
    Panel("Replicas", {"up": 'sum(up{job="kolray-serving"})'}, "none", "stat"),
))  # fmt: skip
MODELS = Dashboard("kolray-models", "kolray: models", (
    Panel("Version in use", {"{{model}}": "max by (model) (kolray_model_version)"}, "none", "stat"),
    Panel("Trust scores", {"{{le}}": "sum by (le) (increase(kolray_trust_score_points_bucket[1h]))"}, kind="heatmap"),
    Panel("Interactions expected in 24 h", _percentiles("kolray_success_forecast_interactions")),
    Panel("Trust scores by model", _percentiles("kolray_trust_score_points", "model"), "none"),
    Panel("Drift (PSI since training)", {"{{model}} {{name}}": "kolray_model_psi"}, "none"),
    Panel("Measures beyond their limits", {"{{model}} {{kind}}": "kolray_model_drifted_measures"}, "none"),
    Panel("AUC", {"{{model}} {{name}}": "kolray_model_auc_ratio"}, "none"),
    Panel("Forecasts of the day before, judged", {"{{model}} {{name}}": "kolray_forecast_figure"}, "none"),
    Panel("Last measured", {"{{model}}": "kolray_model_measured_timestamp_seconds * 1000"}, "dateTimeFromNow", "stat"),
    Panel("Canary", {"share of the KOLs": "max(kolray_canary_percent) / 100"}, "percentunit", "stat"),
    Panel("Challenger against champion", _percentiles("kolray_shadow_difference"), "none"),
    Panel("Challenger's failures", {"failed": "sum(kolray_challenger_failed_total)",
                                    "not compared": "sum(kolray_shadow_skipped_total)"}, "none"),
))  # fmt: skip
LAKE = Dashboard("kolray-lake", "kolray: lake", (
    Panel("Data files", {"{{table}}": "kolray_lake_files"}),
    Panel("Bytes", {"{{table}}": "kolray_lake_bytes"}, "bytes"),
    Panel("Bytes a file", {"{{table}}": "kolray_lake_bytes / (kolray_lake_files > 0)"}, "bytes"),
    Panel("Rows", {"{{table}}": "kolray_lake_rows"}),
    Panel("Version", {"{{table}}": "kolray_lake_version"}, "none"),
    Panel("Age of the newest file", {"{{table}}": "time() - kolray_lake_commit_timestamp_seconds"}, "s"),
    Panel("Continuous bronze", {"runs": "kolray_follow_up", "was killed": "kolray_follow_gone"}, "none", "stat"),
    Panel("Rows of continuous bronze",
          {"rows": f"sum(rate(kolray_follow_rows_total{RATE})) or vector(0)"}, "ops"),
    Panel("Quarantined", {"rows": 'kolray_lake_rows{table="silver.quarantine"}'}),
    Panel("Time of the last run", {"{{run}}": "kolray_run_last_seconds"}, "s"),
    Panel("Last success", {"{{run}}": "time() - kolray_run_success_timestamp_seconds"}, "s"),
    Panel("Runs", {"{{run}} {{outcome}}": "kolray_run_total"}, "none"),
    Panel("Rows by run", {"{{run}} {{what}}": f"rate(kolray_run_rows_total{RATE})"}, "ops"),
    Panel("Share of the time", {"{{run}}": f"rate(kolray_run_seconds_total{RATE})"}, "percentunit"),
))  # fmt: skip
SOURCES = Dashboard("kolray-sources", "kolray: sources", (
    Panel("Quota left", {"{{platform}}": "kolray_quota_left_units / kolray_quota_units"}, "percentunit"),
    Panel("Until the quota's reset", {"{{platform}}": "kolray_quota_reset_timestamp_seconds - time()"}, "s"),
    Panel("Accounts polled", {"{{platform}}": "kolray_poll_accounts"}, "none"),
    Panel("Since an account was polled", {"{{platform}}": "time() - kolray_poll_newest_timestamp_seconds"}, "s"),
    Panel("Not yet in Kafka", {"{{platform}}": "kolray_poll_pending_events"}),
    Panel("Dead letters not replayed", {"{{source}}": "kolray_dead_letters_waiting"}),
    Panel("Age of the oldest dead letter", {
        "{{source}}": "time() - kolray_dead_letters_oldest_timestamp_seconds"}, "s"),
    Panel("Hits of tracked pages", _rates("outcome", **{"{{outcome}}": "kolray_tracking_hits_total"}), "ops"),
    Panel("Hits acknowledged by Kafka", {"sent": f"sum(rate(kolray_tracking_sent_total{RATE}))",
                                         "taken over": f"sum(rate(kolray_tracking_taken_over_total{RATE}))"}, "ops"),
    Panel("Hits waiting for Kafka", {"{{instance}}": "kolray_tracking_waiting_hits"}),
    Panel("Oldest hit that waits", {"{{instance}}": "kolray_tracking_oldest_seconds"}, "s"),
    Panel("Room for hits", {"{{instance}}": "kolray_tracking_waiting_bytes / kolray_tracking_room_bytes"},
          "percentunit"),
    Panel("Polls and files", {"{{run}} {{outcome}}": 'kolray_run_total{run=~"ingest.*"}'}, "none"),
    Panel("Events and dead letters",
          {"{{run}} {{what}}": f'rate(kolray_run_rows_total{{run=~"ingest.*"}}{RATE})'}, "ops"),
))  # fmt: skip
OBJECTS = 'ray_object_store_memory{Location=~"MMAP_.*"}'
RAY = Dashboard("kolray-ray", "kolray: Ray", (
    Panel("Nodes", {"answer": "count(ray_node_cpu_count)"}, "none", "stat"),
    Panel("CPU", {"{{ip}}": "ray_node_cpu_utilization / 100"}, "percentunit"),
    Panel("CPUs given to tasks and actors", {
        "{{NodeAddress}}": 'sum by (NodeAddress) (ray_resources{Name="CPU",State="USED"})'}, "none"),
    Panel("Memory", {"{{ip}}": "ray_node_mem_used_host / ray_node_mem_total_host"}, "percentunit"),
    Panel("Object store", {
        "{{NodeAddress}}": f"sum by (NodeAddress) ({OBJECTS})"
        ' / sum by (NodeAddress) (ray_resources{Name="object_store_memory"})'}, "percentunit"),
    Panel("Objects spilled to disk", {
        "{{NodeAddress}}": 'sum by (NodeAddress) (ray_object_store_memory{Location="SPILLED"})'}, "bytes"),
    Panel("Memory of actors and Ray's own processes", {"{{Component}}": "sum by (Component) (ray_component_rss_bytes)"},
          "bytes"),
    Panel("Disk", {"{{ip}}": "ray_node_disk_usage / (ray_node_disk_usage + ray_node_disk_free)"}, "percentunit"),
))  # fmt: skip
"""Of what Ray's own nodes tell; there only where a cluster is, or a Ray with its dashboard."""
DASHBOARDS = (STREAM, API, MODELS, LAKE, SOURCES, RAY)
