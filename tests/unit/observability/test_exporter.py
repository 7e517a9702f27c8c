"""What is read from a home: every part, and one that fails takes no other with it."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from kolray.clock import from_ms, to_ms
from kolray.connectors.poll_run import quota_of, state_file
from kolray.connectors.quota import Meter
from kolray.connectors.state import PollState
from kolray.errors import ServiceUnavailableError
from kolray.events import TIME
from kolray.exporter.build import build_registry
from kolray.exporter.follow import follow_metrics
from kolray.exporter.letters import waiting
from kolray.exporter.parts import Aside, Parts
from kolray.exporter.topics import SCHEMA
from kolray.exporter.webhooks import waiting as undelivered
from kolray.lake.follow import FOLLOW_FILE
from kolray.lake.tables import TABLES
from kolray.local.ports import choose_port
from kolray.observability.catalog import CATALOG, filled
from kolray.observability.metric import Family
from kolray.serving.webhooks.endpoints import Endpoint
from kolray.settings import KafkaSettings, Settings
from kolray.stream.status import StatusFile
from kolray.testing.clock import FakeClock

NIGHT = datetime(2026, 1, 2, 3, tzinfo=UTC)


def _drift(root: Path, night: datetime, psi: float) -> None:
    rows = [("feature", "like_rate", psi, psi > 0.25), ("auc", "estimated", 0.9, False)]
    frame = pl.DataFrame(rows, schema=["kind", "name", "value", "drifted"], orient="row")
    at = pl.lit(night).cast(pl.Datetime("ms", "UTC"))
    frame.with_columns(at=at, model=pl.lit("trust:3"), before=None, p_value=None, kols=9, dt=night.date()).with_columns(
        pl.col("before", "p_value").cast(pl.Float64)
    ).write_delta(str(root / "ops" / "drift"), mode="append")


def test_lake_polls_and_drift_are_read_from_what_they_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kolray.exporter.topics.ASK_S", 0.1)
    settings, clock = Settings(home=tmp_path), FakeClock()
    _drift(tmp_path / "lake", NIGHT.replace(day=1), 0.1)
    _drift(tmp_path / "lake", NIGHT, 0.4)
    with closing(PollState(state_file(settings, "youtube"))) as state:
        state.add_pending([{"kol_id": "a"}])
        Meter(quota_of(settings, "youtube"), state, clock).spend(250)
    lines = generate_latest(build_registry(settings, clock)).decode().splitlines()
    assert 'kolray_model_psi{kind="feature",model="trust",name="like_rate"} 0.4' in lines
    assert 'kolray_model_drifted_measures{kind="feature",model="trust"} 1.0' in lines
    assert 'kolray_model_auc_ratio{model="trust",name="estimated"} 0.9' in lines
    assert 'kolray_lake_files{table="ops.drift"} 2.0' in lines
    assert 'kolray_lake_rows{table="ops.drift"} 4.0' in lines
    assert 'kolray_quota_left_units{platform="youtube"} 9750.0' in lines
    assert 'kolray_poll_pending_events{platform="youtube"} 1.0' in lines
    assert 'kolray_export_failed{part="lake"} 0.0' in lines
    assert "kolray_stream_up 0.0" in lines


def test_of_a_home_with_nothing_in_it_only_kafka_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kolray.exporter.topics.ASK_S", 0.1)
    nowhere = KafkaSettings(bootstrap=f"127.0.0.1:{choose_port('nowhere')}")
    text = generate_latest(build_registry(Settings(home=tmp_path, kafka=nowhere))).decode()
    failed = [line for line in text.splitlines() if line.startswith("kolray_export_failed{")]
    assert len(failed) == 9
    assert [line for line in failed if line.endswith(" 1.0")] == ['kolray_export_failed{part="dead_letters"} 1.0']
    given = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
    elsewhere = {m.name for m in CATALOG.values() if m.part in {"serving", "tracking"}}
    elsewhere |= {"kolray_webhook_deliveries_total", *(name for name in CATALOG if "dead_letters_" in name)}
    assert set(CATALOG) - elsewhere <= given, set(CATALOG) - elsewhere - given


def test_what_is_read_aside_makes_no_scrape_wait() -> None:
    gate, up = threading.Event(), filled("kolray_stream_up", [((), 1.0)])
    answers: list[list[Family] | Exception] = [[up], ServiceUnavailableError("a", "b", "c")]

    def read() -> list[Family]:
        assert gate.wait(20)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    aside = Aside(read, first_s=0.01)
    with pytest.raises(TimeoutError, match="no answer"):
        aside()
    gate.set()
    aside._thread.submit(lambda: None).result(20)
    gate.clear()
    assert aside() == [up]
    assert aside() == [up], "while the next read is on its way, the last one is told"
    gate.set()
    aside._thread.submit(lambda: None).result(20)
    with pytest.raises(ServiceUnavailableError):
        aside()


def test_a_follower_that_was_killed_is_gone(tmp_path: Path) -> None:
    clock = FakeClock()
    file = StatusFile(tmp_path, clock, FOLLOW_FILE)
    told = {"state": "running", "at": to_ms(clock.now()) / 1000, "pid": os.getpid(), "rows": {"bronze.social": 7}}

    def samples() -> dict[str, float]:
        return {sample.name: sample.value for family in follow_metrics(file.read) for sample in family.samples}

    assert samples() == {"kolray_follow_up": 0, "kolray_follow_gone": 0}
    file.write(told)
    assert samples() == {"kolray_follow_up": 1, "kolray_follow_gone": 0, "kolray_follow_rows_total": 7}
    clock.advance(60)
    assert samples() == {"kolray_follow_up": 0, "kolray_follow_gone": 1, "kolray_follow_rows_total": 7}
    file.write(told | {"state": "ended"})
    assert samples()["kolray_follow_gone"] == 0


def test_letters_that_were_replayed_do_not_wait() -> None:
    rows = [(0, 5, 1000, b"events.social.raw-3"), (0, 6, 1000, b"file:a-b.csv-0"), (1, 5, 3000, b"events.web.raw-1")]
    letters = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    at = pl.Series("at", [from_ms(2000)] * 2, dtype=TIME)
    replayed = pl.DataFrame(
        {"dlq_partition": [0, 1], "dlq_offset": [5, 5]}, schema_overrides={"dlq_partition": pl.Int32}
    )
    left = waiting(letters, replayed.with_columns(at))
    assert left.select("source", "offset").rows() == [("files", 6), ("events.web.raw", 5)]
    none = pl.DataFrame(schema=TABLES["ops.replays"]).drop("dt")
    assert set(waiting(letters, none)["source"]) == {"events.social.raw", "files", "events.web.raw"}


def test_alerts_behind_a_webhooks_place_wait() -> None:
    rows = [(0, 0, 900, None), (0, 1, 2000, None), (0, 2, 3000, None), (1, 0, 4000, None)]
    alerts = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    endpoint = Endpoint("desk", "http://x", (), from_ms(1000).isoformat(), "secret")
    assert undelivered(alerts, endpoint, {}).to_list() == [2000, 3000, 4000], "what was before it was added never waits"
    assert undelivered(alerts, endpoint, {0: 2}).to_list() == [3000, 4000]
    assert undelivered(alerts.clear(), endpoint, {}).to_list() == []


def test_a_part_that_cannot_be_read_is_told_and_takes_no_other_with_it() -> None:
    def away() -> list[object]:
        raise OSError("the disk is away")

    registry = CollectorRegistry()
    registry.register(Parts({"lake": away, "runs": lambda: [filled("kolray_stream_up", [((), 1.0)])]}))  # type: ignore[dict-item]
    lines = generate_latest(registry).decode().splitlines()
    assert 'kolray_export_failed{part="lake"} 1.0' in lines
    assert 'kolray_export_failed{part="runs"} 0.0' in lines
    assert "kolray_stream_up 1.0" in lines
