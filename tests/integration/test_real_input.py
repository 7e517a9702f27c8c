"""Real public data through the whole path: files and recorded responses, compared value by value."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from kolray.connectors.files import read_files
from kolray.connectors.poll_run import poll_platform
from kolray.connectors.recordings import RecordedYoutube
from kolray.connectors.send import send_file_events
from kolray.models.sentiment import default_classifier
from kolray.serving.build import build
from kolray.serving.tokens import Tokens
from kolray.settings import Settings
from kolray.stores.open import open_metrics_store
from kolray.stream.actors import run_stream

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.realdata]


def _client(settings: Settings) -> TestClient:
    token = Tokens.of(settings).create("test", ("read",), 100_000)
    return TestClient(build(settings), headers={"Authorization": f"Bearer {token}"})


def _all_windows(client: TestClient, kol_id: str, window: str) -> pl.DataFrame:
    """Every row, page by page."""
    rows, start = [], "2015-01-01T00:00:00Z"
    while start:
        query = {"window": window, "from": start, "to": "2016-01-01T00:00:00Z"}
        answer = client.get(f"/kol/{kol_id}/metrics", params=query)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        rows += body["windows"]
        start = body["next"]
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.col("window_start").str.to_datetime("%+", time_zone="UTC")
    )


def test_window_sums_over_the_api_equal_the_csv(embedded: Settings, data: Path) -> None:
    files = sorted((data / "nab_twitter_volume").glob("*.csv"))
    assert len(files) == 10
    events = read_files(
        files,
        "social",
        {"event_time": "timestamp", "likes": "value"},
        {"kol_id": "{stem}", "platform": "twitter", "event_type": "engagement"},
    )
    sent = send_file_events(embedded, events)
    counts = run_stream(embedded, default_classifier, until_end=True)
    assert sent == {"read": 158_631, "sent": 158_631, "dead_letters": 0, "denied": 0}
    assert counts["counted"] == 158_631
    client = _client(embedded)
    for file in files:
        csv = pl.read_csv(file, try_parse_dates=True).with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))
        for window, every in (("5m", "5m"), ("15m", "15m"), ("1h", "1h")):
            want = csv.group_by(window_start=pl.col("timestamp").dt.truncate(every)).agg(pl.col("value").sum())
            got = _all_windows(client, file.stem, window).select("window_start", "likes")
            both = want.join(got, on="window_start", how="full", coalesce=True)
            assert both.filter(pl.col("value").ne_missing(pl.col("likes"))).is_empty(), (file.stem, window)


def test_recorded_youtube_channels_arrive_profile_by_profile(embedded: Settings, data: Path) -> None:
    folder = data / "youtube_api"
    counts = poll_platform(embedded, "youtube", [], folder)
    recorded = RecordedYoutube(folder).channels
    assert counts["profile"] == len(recorded) > 0
    assert poll_platform(embedded, "youtube", [], folder) == {}
    run_stream(embedded, default_classifier, until_end=True)
    store = open_metrics_store(embedded)
    for channel, item in recorded.items():
        rows = store.windows(channel, "5m", datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
        hidden = item["statistics"].get("hiddenSubscriberCount", False)
        want = None if hidden else int(item["statistics"]["subscriberCount"])
        assert rows["followers_last"].drop_nulls().to_list() == ([] if want is None else [want])
