"""A KOL erased while the stream runs: nothing is left anywhere, nothing comes back, and everything else goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.clock import SystemClock, to_ms
from kolray.connectors.generator import WorldConfig, build_world
from kolray.connectors.poll_run import state_file
from kolray.connectors.producer import EventProducer
from kolray.connectors.state import AccountState, PollState
from kolray.events import SCHEMAS, conform
from kolray.lake.bronze_pipeline import run_bronze
from kolray.lake.follow import Follower
from kolray.lake.gold_pipeline import run_gold
from kolray.lake.silver_pipeline import run_silver
from kolray.lake.tables import LakeTables
from kolray.lake.verify import verify
from kolray.lake.world import send_world
from kolray.models.forget import forget
from kolray.models.sentiment import default_classifier
from kolray.schemas.registry import open_registry
from kolray.settings import Settings
from kolray.stores.open import open_feature_store, open_metrics_store
from kolray.stream.actors import Supervisor
from kolray.stream.status import totals
from tests.beside import run_beside
from tests.integration.conftest import ready
from tests.lakes import make_lake
from tests.waiting import until

KOL = "kol_000003"
END = datetime.now(UTC) - timedelta(hours=2)


def _forgotten(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, object]]:
    """What the command says; it must find nothing at its end."""
    monkeypatch.setenv("KOLRAY_HOME", str(settings.home))
    told = CliRunner().invoke(app, ["lake", "forget", KOL, "--yes", "--json"], catch_exceptions=False)
    steps: dict[str, dict[str, object]] = json.loads(told.stdout)
    assert steps["scan"]["found"] == 0, steps["scan"]
    assert told.exit_code == 0
    assert KOL not in told.stdout
    return steps


def _refine(settings: Settings) -> None:
    run_bronze(settings)
    run_silver(settings, default_classifier())
    run_gold(settings)


def _send_more(settings: Settings) -> int:
    """Later events of two KOLs, one of them denied, and a record of the denied one that nobody can read."""
    at = END + timedelta(hours=1)
    of = [KOL, "kol_000004"]
    rows = pl.DataFrame({"event_id": ["n1", "n2"], "kol_id": of, "platform": "tiktok", "event_type": "engagement"})
    rows = rows.with_columns(event_time=pl.lit(at), likes=pl.lit(7))
    producer = EventProducer(settings.kafka, open_registry(settings.registry.url))
    producer.send("social", rows.select(conform(SCHEMAS["social"], rows.columns)))
    producer.send_raw("events.social.raw", KOL.encode(), b"\x00broken", timestamp_ms=to_ms(at))
    return producer.flush().count


def _send_broken(settings: Settings) -> None:
    """A record of the KOL that becomes a dead letter: bronze has not read it when the KOL is erased."""
    producer = EventProducer(settings.kafka, open_registry(settings.registry.url))
    producer.send_raw("events.social.raw", KOL.encode(), b"\x00broken", timestamp_ms=to_ms(END))
    producer.flush()


def _check_ingestion(folder: Path) -> None:
    """What a user sends of the KOL does not even come to Kafka or into the lake."""
    file = folder / "more.jsonl"
    at = END + timedelta(hours=1)
    row = {"platform": "tiktok", "event_type": "post", "event_time": at.isoformat(), "tier": "mega"}
    of = [KOL, "kol_000004", KOL]
    rows = [row | {"kol_id": kol, "event_id": f"f{n}"} for n, kol in enumerate(of)]
    rows[2]["event_type"] = "nonsense"
    file.write_text("\n".join(map(json.dumps, rows)))
    told = CliRunner().invoke(app, ["ingest", "file", str(file), "--json"], catch_exceptions=False)
    assert json.loads(told.stdout) == {"read": 3, "sent": 1, "dead_letters": 0, "denied": 2}
    told = CliRunner().invoke(app, ["ingest", "kols", str(file)], catch_exceptions=False)
    assert "2 denied" in told.stdout
    (folder / "recorded").mkdir()
    asked = ["ingest", "youtube", "--channel", KOL, "--recordings", str(folder / "recorded"), "--json"]
    assert json.loads(CliRunner().invoke(app, asked, catch_exceptions=False).stdout) == {}


def _leave_traces(settings: Settings) -> None:
    """In the caches, and in what a poll remembers."""
    lookup = open_feature_store(settings.redis)
    newest = LakeTables(settings.lake_root).scan("gold.features").drop("dt").collect()
    lookup.put_features(newest)
    lookup.put_ranking("trust", newest.select("kol_id", platform=pl.lit("tiktok"), value=pl.lit(1.0)))
    lookup.cache_put(KOL, "score", b"{}", 60, lookup.cache_get(KOL, "score", 60).lease)
    assert lookup.traces(KOL) >= 4
    lookup.close()
    with closing(PollState(state_file(settings, "youtube"))) as state:
        state.keep(f"yt:{KOL}:profile", {"posts": 1})
        state.keep("yt:p1:totals", {})
        state.add_pending([{"event_id": "x", "kol_id": KOL}])
        state.keep_account(KOL, AccountState())


@pytest.mark.embedded
@pytest.mark.usefixtures("cluster")
def test_nothing_is_left_and_nothing_comes_back_while_the_stream_runs(
    embedded: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    quick = embedded.stream.model_copy(update={"checkpoint_interval_s": 1.0})
    slow = embedded.model_copy(update={"lake": embedded.lake.model_copy(update={"follow_s": 600})})
    supervisor = Supervisor(embedded.model_copy(update={"stream": quick}), classifier=default_classifier)
    sent = send_world(embedded, build_world(WorldConfig(n_kols=20, hours=6, seed=3, end=END)))

    def read(name: str) -> int:
        return totals(supervisor.status())[name] if supervisor.status() else 0

    def act() -> None:
        until("every record is read", lambda: read("events") + read("rejected") >= sent)
        _refine(embedded)
        _leave_traces(embedded)
        rejected = read("rejected")
        _send_broken(embedded)
        until("broken records are rejected", lambda: read("rejected") > rejected)
        follower = Follower(slow, list(range(embedded.kafka.partitions)), SystemClock())
        for _ in range(10):
            follower.step()  # it holds what it will commit after the erasure
        steps = _forgotten(embedded, monkeypatch)
        follower.commit()
        follower.close()
        assert steps["stream"]["running"]
        counted = steps["count"]["rows"]
        assert isinstance(counted, dict)
        assert {"bronze.social", "silver.social", "gold.kpi_hourly", "gold.features", "ref.kols"} <= set(counted)
        before = read("counted")
        more = _send_more(embedded)
        _check_ingestion(tmp_path)
        until("the erased KOL is denied", lambda: read("denied") == more - 1)
        until("the others are counted", lambda: read("counted") == before + 2)

    run_beside(supervisor, act)
    assert supervisor.restarts == 0
    _refine(embedded)
    assert _forgotten(embedded, monkeypatch)["count"]["rows"] == {}, "later events left no trace"
    store = open_metrics_store(embedded)
    verdict = verify(LakeTables(embedded.lake_root), store, embedded.stream.windows, default_classifier())
    assert verdict.differences.is_empty(), verdict.differences.head(10)
    assert verdict.windows > 100
    store.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Redis and a store, for lakes of each test's own."""
    from kolray import local

    place = tmp_path_factory.mktemp("forget")
    yield ready("embedded", place)
    local.down(place)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake that the tests copy."""
    return Path(make_lake(str(tmp_path_factory.mktemp("seeded") / "lake"), n_kols=6, events_per_kol=30).root)


@pytest.fixture
def settings(home: Settings, seeded: Path, tmp_path: Path) -> Settings:
    shutil.copytree(seeded, tmp_path / "lake")
    lake = home.lake.model_copy(update={"root": str(tmp_path / "lake")})
    return home.model_copy(update={"lake": lake})


DYING = """
import os, signal, sys
import deltalake
from kolray.lake.erasure import purge, rows
from kolray.models.forget import forget
from kolray.settings import load_settings

left = int(sys.argv[1])

def dying(work):
    def run(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return work(*args, **kwargs)
    return run

rows.write_deltalake = dying(rows.write_deltalake)
purge.commit_parts = dying(purge.commit_parts)
for name in ("vacuum", "create_checkpoint", "create_write_transaction"):
    setattr(deltalake.DeltaTable, name, dying(getattr(deltalake.DeltaTable, name)))

class Store:
    def __init__(self, inner):
        self.inner = inner
        self.delete_file = dying(inner.delete_file)

    def __getattr__(self, name):
        return getattr(self.inner, name)

opened = purge.log_store
purge.log_store = lambda *args: Store(opened(*args))
list(forget(load_settings(), "kol-0003", started=lambda name: None))
"""


@pytest.mark.embedded
def test_a_killed_erasure_goes_on_where_it_was(settings: Settings) -> None:
    env = os.environ | {"KOLRAY_HOME": str(settings.home), "KOLRAY_LAKE__ROOT": settings.lake_root}
    for after in (3, 60, 25):
        child = subprocess.run([sys.executable, "-c", DYING, str(after)], env=env, capture_output=True, check=False)
        assert child.returncode == -signal.SIGKILL, child.stderr.decode()[-2000:]
    steps = {step.name: step for step in forget(settings, "kol-0003", started=lambda _: None)}
    assert steps["scan"].detail["found"] == 0, steps["scan"].detail
    assert steps["count"].before, "the receipt counts what the first run found"
    assert steps["count"].detail["rows"]["bronze.social"] == 30
    tables = LakeTables(settings.lake_root)
    kept = tables.scan("silver.social").select(pl.col("kol_id").n_unique()).collect().item()
    assert kept == 5
    assert tables.scan("silver.social").collect().height == 5 * 30
    receipt = tables.scan("ops.steps").collect()
    assert receipt.filter(run=steps["deny"].detail["receipt"]).height == len(steps)
    assert not receipt.filter(pl.concat_str("run", "detail").str.contains("kol-0003")).height
    again = {step.name: step for step in forget(settings, "kol-0003", started=lambda _: None)}
    assert again["count"].detail == {"rows": {}}
