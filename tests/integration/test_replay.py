"""Read again from the first offset, with empty checkpoints: the tables of Cassandra stay as they were."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kolray.clock import EPOCH
from kolray.connectors.generator import WorldConfig, build_world
from kolray.lake.world import send_world
from kolray.models.sentiment import default_classifier
from kolray.settings import Settings
from kolray.stores.open import open_metrics_store
from kolray.stream.build import Models, build_shard

FETCHES = (4 << 20, 65_536, 300_000, 4 << 20)
"""Bytes a fetch may return: a replay does not read in the pieces of the first time."""


@pytest.fixture
def settings(local_servers: Settings, tmp_path: Path) -> Settings:
    """The shared servers, with a keyspace, a Redis database and a lake of this test's own."""
    host = local_servers.metrics_url.rpartition("/")[0]
    own = local_servers.model_copy(
        update={
            "metrics": local_servers.metrics.model_copy(update={"url": f"{host}/replayed"}),
            "redis": local_servers.redis.model_copy(update={"url": local_servers.redis.url.removesuffix("0") + "5"}),
            "lake": local_servers.lake.model_copy(update={"root": str(tmp_path / "lake")}),
        }
    )
    store = open_metrics_store(own)
    store.migrate()
    store.close()
    return own


def _read_all(settings: Settings, checkpoints: Path, fetch_bytes: int) -> dict[str, int]:
    """Streams from the first offset to the end; returns the counters' sums."""
    stream = settings.stream.model_copy(update={"checkpoints": str(checkpoints)})
    kafka = settings.kafka.model_copy(update={"fetch_bytes": fetch_bytes})
    numbers = list(range(kafka.partitions))
    settings = settings.model_copy(update={"stream": stream, "kafka": kafka})
    shard = build_shard(settings, numbers, Models(default_classifier), until_end=True)
    shard.restore()
    while not shard.finished:
        shard.step()
    counters = pl.DataFrame([asdict(runner.state.counters) for runner in shard.runners.values()])
    shard.close()
    return counters.sum().row(0, named=True)


def _tables(settings: Settings) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every window row and every alert, without versions."""
    store = open_metrics_store(settings)
    windows = pl.concat(store.scan_windows(final_only=False)).sort("kol_id", "window", "window_start")
    alerts = store.alerts(EPOCH + timedelta(days=1), None, 1_000_000).sort("alert_id")
    store.close()
    return windows, alerts


@pytest.mark.local
def test_three_replays_leave_the_tables_identical(settings: Settings, tmp_path: Path) -> None:
    end = datetime.now(UTC) - timedelta(hours=6)
    sent = send_world(settings, build_world(WorldConfig(n_kols=150, hours=24, seed=3, end=end)))
    counts, tables = [], []
    for number, fetch_bytes in enumerate(FETCHES):
        counts.append(_read_all(settings, tmp_path / f"checkpoints-{number}", fetch_bytes))
        tables.append(_tables(settings))
    first, (windows, alerts) = counts[0], tables[0]
    assert first["events"] + first["rejected"] >= sent
    assert windows.height == first["windows"] > 1_000
    assert alerts.height == first["alerts"]
    for again, (windows_again, alerts_again) in zip(counts[1:], tables[1:], strict=True):
        assert again["counted"] == first["counted"]
        assert again["duplicates"] + again["late"] == first["duplicates"] + first["late"]
        assert_frame_equal(windows_again, windows)
        assert_frame_equal(alerts_again, alerts)
