"""How the stream gets on, as the dashboard and ``/live/stream`` tell it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kolray.serving.dashboard.text import EN
from kolray.serving.progress import paces, recent_rate, stream_now
from kolray.stores.stream_pulse import Beat
from kolray.testing.clock import FakeClock
from kolray.testing.dashboard import FakeDashboardData
from tests.unit.serving.pages import client, tags

NOW = datetime(2026, 3, 12, 9, 30, tzinfo=UTC)


class Held:
    """What Redis would hold."""

    def __init__(self, report: dict[str, Any] | None, beats: list[Beat]) -> None:
        self._report, self._beats = report, beats

    def stream_status(self) -> dict[str, Any] | None:
        return self._report

    def stream_beats(self) -> list[Beat]:
        return self._beats


def report(state: str, ago_s: float = 0.0) -> dict[str, Any]:
    part = {"events": 40, "lag": 7, "rejected": 1, "watermark_delay_s": 12.0}
    shard = {"shard": 0, "checkpoint_age_s": 30.0, "partitions": {"0": part, "1": part | {"lag": None}}}
    old = shard | {"shard": 1, "checkpoint_age_s": 90.0, "partitions": {}}
    return {"state": state, "at": (NOW - timedelta(seconds=ago_s)).timestamp(), "shards": [shard, old]}


@pytest.mark.parametrize(
    ("state", "ago_s", "told"), [("running", 2, "running"), ("running", 11, "gone"), ("ended", 900, "ended")]
)
def test_a_stream_that_fell_silent_is_gone_and_one_that_ended_is_not(state: str, ago_s: float, told: str) -> None:
    beats = [Beat(NOW.timestamp() - 4, 0, 9), Beat(NOW.timestamp() - 2, 80, 7)]
    now = stream_now(Held(report(state, ago_s), beats), FakeClock(NOW))  # type: ignore[arg-type]
    assert now is not None
    assert now.progress.state == told
    assert now.progress.events_per_s == (40.0 if told == "running" else 0.0)
    assert (now.progress.lag, now.progress.behind_s, now.progress.checkpoint_age_s) == (7, 12.0, 90.0)
    assert (now.progress.events, now.progress.dead_letters) == (80, 2)


def test_without_a_stream_nothing_is_told() -> None:
    assert stream_now(Held(None, []), FakeClock(NOW)) is None  # type: ignore[arg-type]


def test_a_count_that_goes_back_is_no_rate() -> None:
    beats = [Beat(0, 100, 0), Beat(1, 400, 5), Beat(2, 50, 9), Beat(3, 150, 2)]
    assert [(pace.events_per_s, pace.lag) for pace in paces(beats)] == [(300, 5), (0, 9), (100, 2)]
    assert recent_rate(beats) == pytest.approx(400 / 3)
    assert recent_rate(beats[:1]) == recent_rate([]) == 0.0


def test_the_overview_shows_it_and_its_part_can_be_asked_for_alone() -> None:
    overview, part = client().get("/"), client().get("/pulse")
    assert part.text.strip() in overview.text
    assert "<html" not in part.text
    assert f"<dt>{EN['stream_lag']}</dt><dd><span>1,840" in part.text
    assert EN["stream_none"] in client(FakeDashboardData(n=0)).get("/").text
    tags(overview)
