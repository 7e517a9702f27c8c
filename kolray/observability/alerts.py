"""The alert rules, as data: what is wrong, for how long, and how bad. Each has a page in ``docs/runbooks``.

``critical`` wakes somebody up: data or answers are missing now. ``warning`` waits for the morning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Rule:
    """One alert: ``expr`` holds for ``for_s`` seconds. ``about`` may name labels as Prometheus' templates do."""

    name: str
    severity: Literal["critical", "warning"]
    expr: str
    for_s: int
    about: str

    @property
    def runbook(self) -> str:
        """Its page's file name."""
        return f"{self.name}.md"


SCORE_ROUTES = 'route!="/healthz"'
STREAM_RULES = (
    Rule("KolrayStreamDown", "critical", 'kolray_stream_state{state="gone"} == 1', 15,
         "the stream was killed or no longer writes its status"),
    Rule("KolrayShardDown", "critical", "kolray_stream_shard_up == 0 and on () kolray_stream_up == 1", 30,
         "shard {{ $labels.shard }} does not run; its partitions are not counted"),
    Rule("KolrayShardRestarts", "warning", "increase(kolray_stream_restarts_total[10m]) > 3", 0,
         "shard {{ $labels.shard }} was started again {{ $value | humanize }} times in ten minutes"),
    Rule("KolrayShardBlocked", "critical", "kolray_stream_status_age_seconds > 60 and on () kolray_stream_up == 1", 30,
         "the loop of shard {{ $labels.shard }} has waited for {{ $value | humanizeDuration }}, as for a store"),
    Rule("KolrayStreamLag", "critical", "sum(kolray_stream_lag_records) > 10000 and on () kolray_stream_up == 1", 30,
         "{{ $value | humanize }} records of the raw topics are still to be read"),
    Rule("KolrayWatermarkDelayed", "warning",
         "max(kolray_stream_watermark_delay_seconds) > 900 and on () kolray_stream_up == 1", 300,
         "windows close {{ $value | humanizeDuration }} after their events"),
    Rule("KolrayCheckpointStale", "critical",
         "kolray_stream_checkpoint_age_seconds > 300 and on () kolray_stream_up == 1", 30,
         "shard {{ $labels.shard }} made its last checkpoint {{ $value | humanizeDuration }} ago"),
    Rule("KolrayDeadLetters", "warning",
         "sum(increase(kolray_stream_dead_letters_total[5m])) > 0.01 * "
         "(sum(increase(kolray_stream_events_total[5m])) + sum(increase(kolray_stream_dead_letters_total[5m])))", 15,
         "more than 1 % of the records cannot be used"),
    Rule("KolrayLateEvents", "warning",
         "sum(increase(kolray_stream_late_total[15m])) > 0.05 * sum(increase(kolray_stream_events_total[15m]))", 300,
         "more than 5 % of the events come later than allowed and are not in their windows"),
    Rule("KolrayScoresBehind", "warning",
         "max(kolray_stream_scores_oldest_seconds) > 600 and on () kolray_stream_up == 1", 120,
         "KOLs whose windows closed have waited {{ $value | humanizeDuration }} for their score"),
)  # fmt: skip
SERVING_RULES = (
    Rule("KolrayApiErrors", "critical",
         'sum(rate(kolray_http_request_seconds_count{status=~"5.."}[2m])) '
         "> 0.05 * sum(rate(kolray_http_request_seconds_count[2m]))", 15,
         "more than 5 % of the requests are answered by 5xx"),
    Rule("KolrayApiSlow", "warning",
         "histogram_quantile(0.95, sum by (le) "
         f'(rate(kolray_http_request_seconds_bucket{{{SCORE_ROUTES}, route!~"/live/.*"}}[5m]))) > 0.25', 300,
         "the slowest twentieth of the answers takes more than {{ $value | humanizeDuration }}"),
    Rule("KolrayReplicaDown", "critical", 'up{job="kolray-serving"} == 0', 30,
         "the replica at {{ $labels.instance }} does not answer"),
    Rule("KolrayNoReplica", "critical",
         # Once it fires it holds itself up until there is a replica, however long that takes.
         'absent(up{job="kolray-serving"}) and on () (count_over_time(up{job="kolray-serving"}[1h]) > 0 '
         'or ALERTS{alertname="KolrayNoReplica", alertstate="firing"})', 30,
         "no replica has been announced any more"),
    Rule("KolrayLookupBreaker", "critical", "max by (source) (kolray_lookup_breaker_open) == 1", 30,
         "features are not asked of {{ $labels.source }}: it keeps failing"),
    Rule("KolrayChallengerFails", "warning", "increase(kolray_challenger_failed_total[10m]) > 0", 0,
         "the challenger failed {{ $value | humanize }} times; the champion answered"),
)  # fmt: skip
TRACKING_RULES = (
    Rule(
        "KolrayTrackingStuck",
        "critical",
        "max(kolray_tracking_oldest_seconds) > 120",
        30,
        "hits of tracked pages have waited {{ $value | humanizeDuration }} for Kafka",
    ),
    Rule(
        "KolrayTrackingFull",
        "critical",
        "kolray_tracking_waiting_bytes > 0.8 * kolray_tracking_room_bytes "
        'or increase(kolray_tracking_hits_total{outcome="no_room"}[5m]) > 0',
        0,
        "the room for hits at {{ $labels.instance }} is full or nearly so; then they are refused",
    ),
)
WEBHOOK_RULES = (
    Rule("KolrayAlertsUndelivered", "critical", "kolray_webhook_oldest_seconds > 900", 30,
         "alerts to the webhook {{ $labels.webhook }} have waited {{ $value | humanizeDuration }}"),
    Rule("KolrayWebhookDead", "warning", "kolray_webhook_dead_alerts > 0", 0,
         "the webhook {{ $labels.webhook }} did not take {{ $value | humanize }} alerts"),
)  # fmt: skip
JOB_RULES = (
    Rule("KolrayDrift", "warning", "max by (model, kind) (kolray_model_drifted_measures) > 0", 0,
         "{{ $value }} measures ({{ $labels.kind }}) of the {{ $labels.model }} champion are beyond their limits"),
    Rule("KolrayQuotaLow", "warning", "kolray_quota_left_units < 0.1 * kolray_quota_units", 0,
         "{{ $value | humanize }} units of {{ $labels.platform }}'s quota are left until its reset"),
    Rule("KolrayPollPending", "warning", "kolray_poll_pending_events > 0", 900,
         "{{ $value | humanize }} events read from {{ $labels.platform }} do not reach Kafka"),
    Rule("KolrayDeadLettersWaiting", "warning", "sum(kolray_dead_letters_waiting) > 1000", 3600,
         "{{ $value | humanize }} dead letters wait to be mended and replayed"),
    Rule("KolrayRunFailed", "warning", "kolray_run_last_failed == 1", 0, "the last run of {{ $labels.run }} failed"),
    Rule("KolrayNightlyMissing", "warning",
         'time() - kolray_run_success_timestamp_seconds{run="nightly"} > 26 * 3600', 0,
         "the night's work last succeeded {{ $value | humanizeDuration }} ago"),
    Rule("KolrayFollowDown", "critical", "kolray_follow_gone == 1", 15,
         "`kolray lake bronze --follow` was killed or gave up: bronze stands still"),
    Rule("KolrayFollowStalled", "critical",
         'time() - max(kolray_lake_commit_timestamp_seconds{table=~"bronze.(social|web)"}) > 600 '
         "and on () kolray_follow_up == 1 and on () sum(increase(kolray_stream_events_total[10m])) > 0", 30,
         "events come, but bronze has got none for {{ $value | humanizeDuration }}"),
    Rule("KolraySmallFiles", "warning",
         "kolray_lake_files > 1000 and kolray_lake_bytes / kolray_lake_files < 8 * 1024 * 1024", 900,
         "{{ $labels.table }} has {{ $value | humanize }} small files"),
    Rule("KolrayQuarantine", "warning",
         'delta(kolray_lake_rows{table="silver.quarantine"}[1h]) > ignoring (table) '
         '0.01 * sum without (table) (delta(kolray_lake_rows{table=~"silver.(social|web)"}[1h]) > 0)', 0,
         "{{ $value | humanize }} rows were quarantined within an hour, more than 1 % of what silver gained"),
)  # fmt: skip
_HOST = '"host", "$1", "instance", "(.*):[0-9]+"'
RAY_SEEN = f'label_replace(count_over_time(up{{job="ray"}}[10m]), {_HOST})'
RAY_ANSWERS = f'label_replace(up{{job="ray"}} == 1, {_HOST})'
WATCHING_RULES = (
    Rule("KolrayExporterDown", "critical", 'up{job="kolray"} == 0', 30,
         "`kolray observe export` does not answer: of stream, jobs and lake nothing is known"),
    Rule("KolrayExportFailed", "warning", "kolray_export_failed == 1", 120,
         "the exporter cannot read {{ $labels.part }}"),
    # Ray takes a dead node out of its list within seconds: what was there before tells that one is missing. By machine,
    # as a node that is started again has another port.
    Rule("KolrayRayNodeDown", "critical",
         f"count by (host) ({RAY_SEEN}) unless on (host) ({RAY_ANSWERS})", 30,
         "the Ray node at {{ $labels.host }} does not answer, or is no longer there"),
)  # fmt: skip
GROUPS = {
    "stream": STREAM_RULES, "serving": SERVING_RULES, "tracking": TRACKING_RULES, "webhooks": WEBHOOK_RULES,
    "jobs": JOB_RULES, "watching": WATCHING_RULES,
}  # fmt: skip
RULES = tuple(rule for rules in GROUPS.values() for rule in rules)
