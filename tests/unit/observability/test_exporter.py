"""What is read from a home: every part, and one that fails takes no other with it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from prometheus_client import CollectorRegistry, generate_latest

from kolray.connectors.poll_run import quota_of, state_file
from kolray.connectors.quota import Meter
from kolray.connectors.state import PollState
from kolray.exporter.build import build_registry
from kolray.exporter.parts import Parts
from kolray.observability.catalog import CATALOG, filled
from kolray.settings import Settings
from kolray.testing.clock import FakeClock

NIGHT = datetime(2026, 1, 2, 3, tzinfo=UTC)


def _drift(root: Path, night: datetime, psi: float) -> None:
    rows = [("feature", "like_rate", psi, psi > 0.25), ("auc", "estimated", 0.9, False)]
    frame = pl.DataFrame(rows, schema=["kind", "name", "value", "drifted"], orient="row")
    at = pl.lit(night).cast(pl.Datetime("ms", "UTC"))
    frame.with_columns(at=at, model=pl.lit("trust:3"), before=None, p_value=None, kols=9, dt=night.date()).with_columns(
        pl.col("before", "p_value").cast(pl.Float64)
    ).write_delta(str(root / "ops" / "drift"), mode="append")


def test_lake_polls_and_drift_are_read_from_what_they_left(tmp_path: Path) -> None:
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


def test_a_home_with_nothing_in_it_has_no_failed_part(tmp_path: Path) -> None:
    text = generate_latest(build_registry(Settings(home=tmp_path))).decode()
    assert text.count("kolray_export_failed{") == 6
    assert '"} 1.0' not in "\n".join(line for line in text.splitlines() if "export_failed" in line)
    given = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
    exported = {m.name for m in CATALOG.values() if m.part != "serving"}
    assert exported <= given, exported - given


def test_a_part_that_cannot_be_read_is_told_and_takes_no_other_with_it() -> None:
    def away() -> list[object]:
        raise OSError("the disk is away")

    registry = CollectorRegistry()
    registry.register(Parts({"lake": away, "runs": lambda: [filled("kolray_stream_up", [((), 1.0)])]}))  # type: ignore[dict-item]
    lines = generate_latest(registry).decode().splitlines()
    assert 'kolray_export_failed{part="lake"} 1.0' in lines
    assert 'kolray_export_failed{part="runs"} 0.0' in lines
    assert "kolray_stream_up 1.0" in lines
