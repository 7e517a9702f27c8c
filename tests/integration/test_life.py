"""One event's life on both profiles: nothing lost, nothing doubled, also when a shard is killed on the way."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import ray

from kolray.connectors.generator import WorldConfig, build_world
from kolray.demo.topics import count_records
from kolray.events import ALERTS_TOPIC, DLQ_TOPIC, LATE_TOPIC
from kolray.lake.bronze_pipeline import run_bronze
from kolray.lake.gold_pipeline import backfill_gold, run_gold
from kolray.lake.gold_plan import DAILY, WEEKLY
from kolray.lake.silver_pipeline import run_silver
from kolray.lake.sql import query
from kolray.lake.tables import LakeTables
from kolray.lake.verify import verify
from kolray.lake.world import send_world
from kolray.models.forget import forget
from kolray.models.sentiment import default_classifier
from kolray.settings import Settings
from kolray.stores.metrics import MetricsStore
from kolray.stores.open import open_feature_store, open_metrics_store
from kolray.stream.actors import Supervisor
from kolray.stream.denied import FOLDER
from kolray.stream.status import totals

pytestmark = pytest.mark.usefixtures("cluster")


def _run_with_kills(settings: Settings, kills: int) -> dict[str, int]:
    """Streams to the end while shards are killed as a crash would."""
    quick = settings.stream.model_copy(update={"checkpoint_interval_s": 0.3})
    part = settings.kafka.model_copy(update={"fetch_bytes": 65_536})
    settings = settings.model_copy(update={"stream": quick, "kafka": part})
    supervisor = Supervisor(settings, until_end=True, classifier=default_classifier)

    def kill() -> None:
        for number in range(kills):
            time.sleep(2.5)
            supervisor.kill(number % 2)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    try:
        results = supervisor.run()
    finally:
        killer.join()
        supervisor.close()
    return totals(results) | {"restarts": supervisor.restarts}


@pytest.mark.parametrize("profile", [pytest.param("embedded"), pytest.param("local", marks=pytest.mark.local)])
def test_every_event_ends_once_and_every_window_is_right(profile: str, settings_of: Callable[[str], Settings]) -> None:
    settings = settings_of(profile)
    end = datetime.now(UTC) - timedelta(hours=6)
    sent = send_world(settings, build_world(WorldConfig(n_kols=150, hours=24, seed=3, end=end)))
    counts = _run_with_kills(settings, kills=2)
    assert counts["restarts"] >= 1
    assert sent == counts["events"] + counts["rejected"]
    assert counts["events"] == counts["counted"] + counts["duplicates"] + counts["late"]
    assert count_records(settings.kafka, DLQ_TOPIC) == counts["rejected"] > 0
    assert count_records(settings.kafka, LATE_TOPIC) == counts["late"]
    assert count_records(settings.kafka, ALERTS_TOPIC) == counts["alerts"]
    store = open_metrics_store(settings)
    assert store.alerts(end - timedelta(days=9), None, 10_000).height == counts["alerts"]
    _check_lake(settings, sent, counts)
    verdict = verify(LakeTables(settings.lake_root), store, settings.stream.windows, default_classifier())
    assert verdict.differences.is_empty(), verdict.differences.head(10)
    assert verdict.windows > 5_000
    assert open_feature_store(settings.redis).get_live("kol_000001")
    if profile == "local":
        _check_erasure(settings, store)
    store.close()


def _check_erasure(settings: Settings, store: MetricsStore) -> None:
    """From Cassandra too; test_forget has the other profile. Other tests of these servers may use the KOL again."""
    gone = "kol_000149"
    steps = {step.name: step.detail for step in forget(settings, gone, started=lambda _: None)}
    assert steps["scan"]["found"] == 0, steps["scan"]
    assert steps["stores"]["metrics_rows"] > 100
    assert steps["checkpoints"]["snapshots"] > 0
    assert store.windows(gone, "1h", datetime.now(UTC) - timedelta(days=9), datetime.now(UTC)).is_empty()
    verdict = verify(LakeTables(settings.lake_root), store, settings.stream.windows, default_classifier())
    assert verdict.differences.is_empty(), verdict.differences.head(10)
    shutil.rmtree(Path(settings.lake_root, FOLDER))


def _check_lake(settings: Settings, sent: int, counts: dict[str, int]) -> None:
    bronze = run_bronze(settings)
    assert bronze["bronze.social"] + bronze["bronze.web"] == counts["events"]
    for table, count in (("dead_letters", "rejected"), ("late_events", "late"), ("alerts", "alerts")):
        assert bronze.get(f"bronze.{table}", 0) == counts[count]
    late = 'SELECT count(DISTINCT (topic, partition, "offset")) AS n, min(epoch(watermark - event_time)) AS by_s '
    [row] = query(settings.lake_root, late + "FROM bronze.late_events").to_dicts()
    assert row["n"] == counts["late"] > 0
    assert row["by_s"] >= settings.stream.allowed_lateness_s
    assert run_bronze(settings) == {}
    silver = run_silver(settings, default_classifier())
    assert silver["silver.social"] + silver["silver.web"] == counts["events"] - counts["duplicates"]
    assert run_silver(settings, default_classifier()) == {}
    gold = run_gold(settings)
    assert gold["gold.features"] == 150
    social = LakeTables(settings.lake_root).scan("silver.social")
    assert social.select(pl.col("event_id").is_duplicated().any()).collect().item() is False
    [row] = query(settings.lake_root, "SELECT sum(events) AS events FROM gold.kpi_hourly").to_dicts()
    assert int(row["events"]) == silver["silver.social"]
    assert run_gold(settings).keys() == {"gold.features"}
    again = backfill_gold(settings, date(2000, 1, 1), date(2100, 1, 1))
    assert again.keys() == gold.keys()
    assert {name: again[name] for name in (*DAILY, WEEKLY)} == {name: gold[name] for name in (*DAILY, WEEKLY)}


def test_a_shard_that_cannot_start_says_why(embedded: Settings) -> None:
    wrong = embedded.model_copy(update={"kafka": embedded.kafka.model_copy(update={"bootstrap": "127.0.0.1:9"})})
    with pytest.raises(Exception, match="kolray up"):
        Supervisor(wrong, until_end=True).run()
    assert ray.is_initialized()
