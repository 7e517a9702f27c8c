"""Scores beside the stream on the embedded profile: the champion's, on serving's features, until the alias moves."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from kolray.clock import SystemClock
from kolray.connectors.producer import EventProducer
from kolray.events import SCHEMAS, TIME
from kolray.features import compute_features
from kolray.lake.scores import NAME, copy_scores
from kolray.lake.tables import LakeTables
from kolray.models.champion_scorer import ChampionScorer, champion_scorer
from kolray.models.champions import Champions
from kolray.models.lifecycle import submit
from kolray.models.lifecycle import train as fit
from kolray.models.registry import ModelRegistry
from kolray.schemas.registry import open_registry
from kolray.serving.build import open_graph
from kolray.settings import Settings
from kolray.stores.open import open_feature_store, open_metrics_store
from kolray.stream.build import Models, build_shard
from kolray.stream.shard import Shard
from tests.silver import START, silver_world

AS_OF = START + timedelta(hours=96)
KOLS = [f"kol-{k:04d}" for k in range(20)]
HELD, LAKE_ONLY = KOLS[:15], KOLS[15:]
"""KOLs whose features Redis holds, and those only the lake knows."""


@pytest.fixture
def settings(embedded: Settings) -> Iterator[Settings]:
    """A lake with features, and Redis with most of them; no model yet."""
    root = Path(embedded.lake_root)
    social, web = silver_world(n_kols=240, events_per_kol=60)
    features = compute_features(social.lazy(), web.lazy(), AS_OF)
    features.write_delta(str(root / "gold" / "features"))
    number = pl.col("kol_id").str.slice(4).cast(pl.Int64)
    at = pl.lit(START).cast(TIME)
    labels = features.select("kol_id", label=(number % 3 == 0).cast(pl.Int8), source=pl.lit("t"), at=at, valid_from=at)
    labels.write_delta(str(root / "ref" / "labels"))
    rest = {name: pl.lit(name) for name in ("category", "tier", "language")}
    kols = features.select("kol_id", platform=pl.lit("tiktok"), **rest)
    kols.with_columns(valid_from=at).write_delta(str(root / "ref" / "kols"))
    lookup = open_feature_store(embedded.redis)
    lookup.put_features(features.filter(pl.col("kol_id").is_in(HELD)))
    lookup.close()
    return embedded


class HurriedClock(SystemClock):
    """Ten seconds pass between any two looks, so that the aliases are looked at before every batch."""

    passed = 0.0

    def monotonic(self) -> float:
        self.passed += 10
        return self.passed


def hurried_scorer(settings: Settings) -> ChampionScorer:
    registry = ModelRegistry.of(settings)
    champions = Champions(registry, ("trust",), HurriedClock())
    return ChampionScorer(champions, open_feature_store(settings.redis), LakeTables(settings.lake_root), SystemClock())


def send(settings: Settings, at: datetime) -> None:
    """An event of every KOL, and of one nobody knows."""
    producer = EventProducer(settings.kafka, open_registry(settings.registry.url))
    rows = [
        {"event_id": f"{kol}-{at}", "kol_id": kol, "platform": "tiktok", "event_type": "engagement", "likes": 1}
        for kol in [*KOLS, "nobody"]
    ]
    events = pl.DataFrame(rows).with_columns(event_time=pl.lit(at).cast(TIME))
    columns = [
        (pl.col(name) if name in events.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in SCHEMAS["social"].items()
    ]
    producer.send("social", events.select(columns))
    producer.flush()


def closed(shard: Shard, settings: Settings, at: datetime) -> int:
    """Events at a time two hours after the last: those windows close; returns the scores this brought."""
    assert shard.scoring is not None
    before = shard.scoring.scored
    send(settings, at)
    behind = int(at.timestamp() * 1000) - 10_000
    while min(runner.state.watermark.current_ms for runner in shard.runners.values()) < behind:
        shard.step()
    shard.scoring.drain()
    return shard.scoring.scored - before


def test_closed_windows_bring_scores_that_follow_the_alias(settings: Settings) -> None:
    now = SystemClock().now()
    hours = iter(now - timedelta(hours=h) for h in range(20, 0, -2))
    send(settings, next(hours))
    shard = build_shard(settings, list(range(4)), Models(scorer=partial(hurried_scorer, settings)))
    shard.restore()
    assert closed(shard, settings, next(hours)) == 0, "there is no champion yet"
    assert not Path(settings.mlflow_uri.removeprefix("sqlite:///")).exists(), "and no registry is made to find that out"
    registry = ModelRegistry.of(settings)
    assert submit(registry, "trust", fit("trust", settings.lake_root)).promoted
    assert closed(shard, settings, next(hours)) == len(KOLS)
    _check(settings, registry, "trust:1")
    assert closed(shard, settings, next(hours)) == 0, "the same features by the same model"
    submit(registry, "trust", fit("trust", settings.lake_root, seed=8))
    registry.set_alias("trust", 2, "champion")
    assert closed(shard, settings, next(hours)) == len(KOLS)
    _check(settings, registry, "trust:2")
    shard.close()


def test_a_bounded_run_scores_before_it_ends_unless_told_not_to(settings: Settings) -> None:
    registry = ModelRegistry.of(settings)
    assert submit(registry, "trust", fit("trust", settings.lake_root)).promoted
    send(settings, SystemClock().now() - timedelta(hours=2))
    factory = pickle.loads(pickle.dumps(partial(champion_scorer, settings)))  # noqa: S301 - as Ray sends it
    off = settings.model_copy(update={"stream": settings.stream.model_copy(update={"scores": False})})
    for chosen in (off, settings):
        shard = build_shard(chosen, list(range(4)), Models(scorer=factory), until_end=True)
        shard.restore()
        while not shard.finished:
            shard.step()
        shard.close()
        assert (shard.scoring is not None) == chosen.stream.scores
        lookup = open_feature_store(settings.redis)
        assert len(lookup.get_scores(KOLS)) == (len(KOLS) if chosen.stream.scores else 0)
        lookup.close()
        shutil.rmtree(settings.checkpoints)


def _check(settings: Settings, registry: ModelRegistry, label: str) -> None:
    """The store, Redis, the ranking, the lake and serving say the same."""
    store, lookup, tables = (
        open_metrics_store(settings),
        open_feature_store(settings.redis),
        LakeTables(settings.lake_root),
    )
    champions = Champions(registry, names=("trust",))
    champions.refresh()
    graph = open_graph(settings, champions)
    held = lookup.get_scores([*KOLS, "nobody"])
    assert sorted(held) == KOLS
    ranking = {row.kol_id: row.value for row in lookup.rankings("trust", "tiktok", 100).rows}
    for kol_id in KOLS:
        kept = store.scores(kol_id).row(0, named=True)
        features = graph.features(kol_id)
        served = champions.get("trust").model.answer_one(kol_id, features.values)
        assert features.source == ("redis" if kol_id in HELD else "metrics_store")
        assert kept["model"] == held[kol_id]["model"] == label
        assert kept["as_of"] == AS_OF
        for name in ("trust_score", "lower", "upper", "probability"):
            assert kept[name] == held[kol_id][name] == pytest.approx(served[name], abs=1e-9)
        assert ranking[kol_id] == kept["lower"]
        assert kept["features"].startswith("{")
        assert kept["runtime_ms"] > 0
    assert copy_scores(tables, store) == len(KOLS)
    assert tables.scan(NAME).filter(model=label).collect().height == len(KOLS)
    store.close()
    lookup.close()
