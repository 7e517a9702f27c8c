"""What tracked pages sent and what of it waits for Kafka, asked for when the replica is scraped."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.registry import Collector

from kolray.clock import to_ms
from kolray.observability.catalog import filled
from kolray.observability.metric import Family
from kolray.serving.tracking.tracker import Tracker

TAKEN = ("accepted", "bot", "repeat", "refused")


class TrackingCollector(Collector):
    """Of this replica: nothing of it costs a hit anything."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def collect(self) -> Iterator[Family]:
        taken, outbox = self._tracker.counts, self._tracker.outbox
        hits = {name: taken[name] for name in TAKEN} | {"no_room": outbox.counts["no_room"]}
        yield filled("kolray_tracking_hits_total", [((name,), float(count)) for name, count in hits.items()])
        yield filled("kolray_tracking_sent_total", [((), float(outbox.counts["sent"]))])
        yield filled("kolray_tracking_taken_over_total", [((), float(outbox.counts["taken_over"]))])
        waiting = outbox.waiting
        yield filled("kolray_tracking_waiting_hits", [((), float(waiting.hits))])
        yield filled("kolray_tracking_waiting_bytes", [((), float(outbox.journal.held_bytes))])
        yield filled("kolray_tracking_room_bytes", [((), float(outbox.journal.limit_bytes))])
        now_s = to_ms(self._tracker.clock.now()) / 1000
        age_s = 0.0 if waiting.since_s is None else max(0.0, now_s - waiting.since_s)
        yield filled("kolray_tracking_oldest_seconds", [((), age_s)])
