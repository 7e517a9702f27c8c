"""Hits until Kafka has them: kept on disk before an answer, sent again after failures, taken over from the dead."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from kolray.errors import ServiceUnavailableError
from kolray.events import SCHEMAS
from kolray.serving.tracking.collected import TrackingCollector
from kolray.serving.tracking.journal import Journal, read_segment
from kolray.serving.tracking.outbox import Outbox
from kolray.serving.tracking.tracker import Tracker
from kolray.testing.clock import FakeClock

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ROOM = 1 << 20


def row(number: int) -> dict[str, Any]:
    return {
        "event_id": f"e{number}", "kol_id": "k", "campaign_id": "c", "event_type": "click", "event_time": NOW,
        "value": None, "currency": None, "visitor": "v", "consent": True, "url": "",
    }  # fmt: skip


class Broker:
    """Takes events unless it is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away, self.ids, self.tried = away, list[str](), threading.Event()

    def __call__(self, events: pl.DataFrame) -> None:
        self.tried.set()
        if self.away:
            raise ServiceUnavailableError("Kafka", "nowhere", "it is away")
        assert events.schema == pl.Schema(SCHEMAS["web"])
        self.ids += events["event_id"].to_list()


def test_hits_are_sent_and_leave_the_disk(tmp_path: Path) -> None:
    broker = Broker()
    outbox = Outbox(Journal(tmp_path, ROOM), broker)
    waiting = [outbox.put([row(n)]) for n in range(5)]
    for sent in waiting:
        sent.result(10)
    outbox.close()
    assert sorted(broker.ids) == [f"e{n}" for n in range(5)]
    assert [segment.stat().st_size for segment in tmp_path.rglob("*.hits")] == [0], "only the open one is left"


def test_what_a_broker_did_not_take_is_kept_and_taken_over(tmp_path: Path) -> None:
    broker = Broker(away=True)
    outbox = Outbox(Journal(tmp_path, ROOM), broker)
    waiting = outbox.put([row(1), row(2)])
    assert broker.tried.wait(10)
    outbox.put([row(3)])
    assert (outbox.waiting.hits, outbox.journal.held_bytes > 0, outbox.counts["sent"]) == (3, True, 0)
    outbox.close()
    assert not waiting.done()
    kept = [one["event_id"] for segment in sorted(tmp_path.rglob("*.hits")) for one in read_segment(segment)]
    assert sorted(kept) == ["e1", "e2", "e3"]
    back = Broker()
    following = Outbox(Journal(tmp_path, ROOM), back)
    following.put([row(4)]).result(10)
    following.close()
    assert sorted(back.ids) == ["e1", "e2", "e3", "e4"]
    assert (following.counts["sent"], following.counts["taken_over"]) == (4, 3)
    assert following.waiting == (0, None)
    assert following.journal.held_bytes == 0


def test_a_broker_that_comes_back_gets_everything(tmp_path: Path) -> None:
    broker = Broker(away=True)
    outbox = Outbox(Journal(tmp_path, ROOM), broker)
    waiting = outbox.put([row(1)])
    assert broker.tried.wait(10)
    broker.away = False
    waiting.result(20)
    outbox.close()
    assert broker.ids == ["e1"]


def test_beyond_the_room_nothing_is_taken(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 600)
    journal.append([row(1)])
    with pytest.raises(ServiceUnavailableError, match="room for hits is full"):
        journal.append([row(n) for n in range(9)])
    segment = journal.rotate().path
    assert [one["event_id"] for one in read_segment(segment)] == ["e1"]
    journal.done(segment)
    journal.append([row(2)])
    journal.close()


def test_a_scrape_tells_what_waits_and_what_was_refused(tmp_path: Path) -> None:
    clock, broker = FakeClock(), Broker(away=True)
    outbox = Outbox(Journal(tmp_path, 600), broker, clock)
    outbox.put([row(1)])
    with pytest.raises(ServiceUnavailableError):
        outbox.put([row(n) for n in range(9)])
    clock.advance(90)
    registry = CollectorRegistry()
    registry.register(TrackingCollector(Tracker(outbox, b"salt", clock)))
    lines = generate_latest(registry).decode().splitlines()
    assert 'kolray_tracking_hits_total{outcome="no_room"} 9.0' in lines
    assert "kolray_tracking_waiting_hits 1.0" in lines
    assert "kolray_tracking_oldest_seconds 90.0" in lines
    assert "kolray_tracking_room_bytes 600.0" in lines
    outbox.close()


def test_a_torn_line_is_none_and_the_living_are_left_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ROOM)
    journal.append([row(1)])
    other = Journal(tmp_path, ROOM)
    assert list(other.orphans()) == []
    segment = journal.rotate().path
    segment.write_bytes(segment.read_bytes() + b'{"event_id": "e2", "eve')
    journal.close()
    [(_, rows)] = [(path, found) for path, found in other.orphans() if found]
    assert [one["event_id"] for one in rows] == ["e1"]
    assert len([folder for folder in tmp_path.iterdir() if folder.is_dir()]) == 1, "the dead one's folder is gone"
    other.close()


def test_a_home_folder_that_is_gone_ends_no_thread(tmp_path: Path) -> None:
    root = tmp_path / "tracking"
    outbox = Outbox(Journal(root, ROOM), Broker())
    outbox.put([row(1)]).result(10)
    root.rename(tmp_path / "elsewhere")  # at once, as the thread may be deleting in it
    outbox.put([row(2)])
    outbox.close()
    assert not outbox.alive
