"""The generated world: exact for a configuration, faulty in the shares it was told to be."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal, assert_series_equal
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.clock import to_ms
from kolray.connectors.generator import FRAUD_TYPES, EventBatch, WorldConfig, batches, build_world
from kolray.connectors.generator.config import COHORT, LOOKALIKES
from kolray.connectors.generator.platforms import PLATFORMS
from kolray.connectors.generator.signs import FAKE_LAWS
from kolray.connectors.generator.stream import DISORDER_MS
from kolray.events import SCHEMAS, Kind, invalid_reason
from kolray.lake.reference import REFERENCE

CONFIG = WorldConfig(n_kols=150, hours=24, seed=3)
CLEAN = replace(CONFIG, duplicate_share=0, late_share=0, very_late_share=0, invalid_share=0)
FAULTY = replace(CONFIG, duplicate_share=0.1, late_share=0.05, very_late_share=0.02, invalid_share=0.04)
KINDS: tuple[Kind, ...] = ("social", "web")
DAY_MS = 86_400_000


def run(config: WorldConfig) -> list[EventBatch]:
    """Every hour of a world."""
    return list(batches(build_world(config)))


@pytest.fixture(scope="module")
def clean() -> list[EventBatch]:
    return run(CLEAN)


@pytest.fixture(scope="module")
def faulty() -> list[EventBatch]:
    return run(FAULTY)


def events(found: list[EventBatch], kind: Kind) -> pl.DataFrame:
    """All events of a kind with the time they ``arrived`` and the hour's number, ``batch``."""
    return pl.concat(
        getattr(batch, kind).with_columns(arrived=getattr(batch, f"{kind}_ms"), batch=pl.lit(number))
        for number, batch in enumerate(found)
    )


def delay(frame: pl.DataFrame) -> pl.Series:
    """Ms from the event to its arrival."""
    return frame["arrived"] - frame["event_time"].dt.epoch("ms")


def test_equal_configurations_give_equal_worlds(faulty: list[EventBatch]) -> None:
    again = run(FAULTY)
    for one, other in zip(faulty, again, strict=True):
        for kind in KINDS:
            assert_frame_equal(getattr(one, kind), getattr(other, kind))
            assert_series_equal(getattr(one, f"{kind}_ms"), getattr(other, f"{kind}_ms"))
        assert one.raw == other.raw
    world, same = build_world(FAULTY), build_world(FAULTY)
    for name in ("kols", "campaigns", "labels", "traits"):
        assert_frame_equal(getattr(world, name), getattr(same, name))


def test_another_seed_gives_another_world(clean: list[EventBatch]) -> None:
    other = run(replace(CLEAN, seed=4))
    assert not events(clean, "social").equals(events(other, "social"))
    assert not build_world(CLEAN).traits.equals(build_world(replace(CLEAN, seed=4)).traits)


def test_columns_are_those_of_the_schemas(faulty: list[EventBatch]) -> None:
    for batch in faulty:
        for kind in KINDS:
            assert getattr(batch, kind).schema == pl.Schema(SCHEMAS[kind])
        assert len(batch) == batch.social.height + batch.web.height + len(batch.raw)


def test_a_world_without_faults_is_valid_and_each_id_is_used_once(clean: list[EventBatch]) -> None:
    ids = []
    for kind in KINDS:
        frame = events(clean, kind)
        assert frame.filter(invalid_reason(kind).is_not_null()).is_empty()
        assert frame["event_time"].is_between(CLEAN.start, CLEAN.end, closed="left").all()
        ids += frame["event_id"].to_list()
    assert len(set(ids)) == len(ids)
    assert not any(batch.raw for batch in clean)


def test_events_arrive_in_order_and_hardly_out_of_order(clean: list[EventBatch]) -> None:
    for kind in KINDS:
        frame = events(clean, kind)
        assert frame["arrived"].is_sorted()
        assert delay(frame).is_between(0, DISORDER_MS - 1).all()
        assert not frame["event_time"].is_sorted()


def test_an_hour_holds_what_arrives_in_it(faulty: list[EventBatch]) -> None:
    start = to_ms(FAULTY.start)
    for kind in KINDS:
        frame = events(faulty, kind)
        hour = (frame["arrived"] - start) // 3_600_000
        assert (hour.clip(0, FAULTY.hours - 1) == frame["batch"]).all()


def test_duplicates_are_copies_that_arrive_later(faulty: list[EventBatch]) -> None:
    frame = events(faulty, "social")
    copies = frame.filter(pl.col("event_id").is_duplicated())
    distinct = frame["event_id"].n_unique()
    assert copies.height / 2 / distinct == pytest.approx(FAULTY.duplicate_share, rel=0.15)
    assert copies.unique(list(SCHEMAS["social"])).height == copies.height / 2
    gaps = copies.group_by("event_id").agg((pl.col("arrived").max() - pl.col("arrived").min()).alias("gap"))["gap"]
    assert gaps.is_between(1, 20_000).all()


def test_shares_of_late_events(faulty: list[EventBatch]) -> None:
    frame = events(faulty, "social").filter(invalid_reason("social").is_null() & (pl.col("event_time") < FAULTY.end))
    waits = delay(frame.unique("event_id", keep="first", maintain_order=True))
    late, very_late = waits.is_between(30_000, 220_000).mean(), (waits >= 7_200_000).mean()
    assert very_late == pytest.approx(FAULTY.very_late_share, rel=0.25)
    assert late == pytest.approx(FAULTY.late_share - FAULTY.very_late_share, rel=0.25)
    assert (waits.is_between(DISORDER_MS, 29_999)).sum() == 0


def test_shares_of_broken_events(faulty: list[EventBatch]) -> None:
    for kind, field in (("social", "platform"), ("web", "campaign_id")):
        frame = events(faulty, kind).unique("event_id")
        future = pl.col("event_time") - pl.from_epoch("arrived", "ms").dt.replace_time_zone("UTC") > timedelta(hours=1)
        reasons = frame.select(pl.coalesce(invalid_reason(kind), pl.when(future).then(pl.lit("in the future"))))
        found = reasons.to_series().drop_nulls()
        ways = {"unknown: event_type", "in the future", "out of range: event_time", f"missing: {field}"}
        assert set(found) == ways
        assert found.len() / frame.height == pytest.approx(FAULTY.invalid_share, rel=0.35)


def test_records_no_schema_can_read_come_every_six_hours(faulty: list[EventBatch]) -> None:
    with_raw = [number for number, batch in enumerate(faulty) if batch.raw]
    assert with_raw == [0, 6, 12, 18]
    for number in with_raw:
        at = {record.timestamp_ms for record in faulty[number].raw}
        assert at == {to_ms(FAULTY.start) + number * 3_600_000 + 1}


def test_who_cheats_and_who_only_looks_so() -> None:
    world = build_world(WorldConfig(n_kols=450, hours=6, fraud_share=0.2))
    kinds = dict(world.traits.group_by("kind").len().iter_rows())
    assert sum(kinds.values()) == 450
    assert {kinds[kind] for kind in FRAUD_TYPES} == {10}
    assert {kinds[kind] for kind in LOOKALIKES} == {9}
    labels = world.labels.join(world.traits.select("kol_id", "kind"), on="kol_id")
    assert labels.height == 450
    assert labels.filter((pl.col("label") == 1) != pl.col("kind").is_in(FRAUD_TYPES)).is_empty()
    assert (labels["fraud_type"] == labels["kind"]).all()
    assert_frame_equal(labels.select("kol_id", "label", "kind", "fake_share"), world.truth.drop("platform", "tier"))


def test_the_fake_share_is_small_for_the_honest_and_follows_each_types_law() -> None:
    truth = build_world(WorldConfig(n_kols=3000, hours=6, fraud_share=0.6)).truth
    assert truth["fake_share"].is_between(0, 1).all()
    mean = dict(truth.group_by("kind").agg(pl.col("fake_share").mean()).iter_rows())
    assert all(0.02 < mean[kind] < 0.05 for kind in ("honest", *LOOKALIKES))
    for kind in FRAUD_TYPES:
        least, gain = FAKE_LAWS[kind]
        assert mean[kind] == pytest.approx(least + gain * 4 / 6 + 1.5 / 46.5, abs=0.05)


def test_a_cohort_is_the_same_alone_and_among_others() -> None:
    config = WorldConfig(n_kols=COHORT + 40, hours=5, seed=8)
    whole, alone = build_world(config), build_world(config, range(1, 2))
    assert_frame_equal(whole.truth.tail(40), alone.truth)
    mine = pl.col("kol_id").is_in(alone.kols["kol_id"].implode())
    for kind in KINDS:
        found, same = (events(list(batches(world)), kind).filter(mine) for world in (whole, alone))
        assert found.height > 100 or kind == "web"
        assert_frame_equal(found, same)


def test_a_platform_hides_what_it_does_not_tell(clean: list[EventBatch]) -> None:
    social = events(clean, "social").filter(pl.col("event_type").is_in(["engagement", "profile"]))
    for name, platform in PLATFORMS.items():
        mine = social.filter(platform=name)
        for column in ("following", "shares", "clicks", "views"):
            known = mine.filter(event_type="profile" if column == "following" else "engagement")[column].is_not_null()
            assert known.any() == known.all() == (column not in platform.hidden)


def test_a_harder_world_hides_its_cheats_better() -> None:
    def spread(those: pl.Series, honest: pl.Series) -> float:
        return float((those.log().mean() - honest.log().mean()) / honest.log().std())

    apart = []
    for difficulty in ("easy", "standard", "hard"):
        traits = build_world(WorldConfig(n_kols=4000, hours=6, difficulty=difficulty)).traits
        honest = traits.filter(kind="honest")
        signs = {"click_farm": "click_rate", "view_inflation": "view_share", "follow_unfollow": "following_moves"}
        apart.append({kind: spread(traits.filter(kind=kind)[sign], honest[sign]) for kind, sign in signs.items()})
    for kind in apart[0]:
        assert apart[0][kind] > apart[1][kind] > apart[2][kind] > 0.5


def test_reference_frames_are_those_of_the_lake() -> None:
    world = build_world(CONFIG)
    for name, (schema, key) in REFERENCE.items():
        frame: pl.DataFrame = getattr(world, name)
        assert {column: frame.schema[column] for column in schema} == schema
        assert frame.select(key).is_unique().all()
        assert frame["kol_id"].is_in(world.kols["kol_id"].implode()).all()
    assert (world.campaigns["start"] < world.campaigns["end"]).all()


def test_web_events_belong_to_running_campaigns(clean: list[EventBatch]) -> None:
    campaigns = build_world(CLEAN).campaigns.select("campaign_id", "start", "end", owner="kol_id")
    web = events(clean, "web").join(campaigns, on="campaign_id", how="left")
    assert (web["kol_id"] == web["owner"]).all()
    assert ((web["event_time"] >= web["start"]) & (web["event_time"] < web["end"])).all()
    assert (web["value"].is_not_null() == (web["event_type"] == "conversion")).all()


@pytest.mark.parametrize(
    ("kind", "numerator", "denominator"),
    [("view_inflation", "views", "impressions"), ("click_farm", "clicks", "impressions")],
)
def test_bought_counts_stand_out(clean: list[EventBatch], kind: str, numerator: str, denominator: str) -> None:
    traits = build_world(CLEAN).traits.select("kol_id", "kind")
    counted = events(clean, "social").filter(pl.col("event_type") == "engagement").join(traits, on="kol_id")
    ratios = counted.group_by("kind").agg(pl.col(numerator).sum() / pl.col(denominator).sum())
    by_kind = dict(ratios.iter_rows())
    assert by_kind[kind] > 1.2 * by_kind["honest"]


def test_a_campaign_lifts_reach_by_what_the_world_says() -> None:
    """Impressions of running campaigns against the KOL's other hours, both as parts of what all KOLs have then."""
    world = build_world(WorldConfig(n_kols=COHORT, hours=48, seed=4, fraud_share=0, duplicate_share=0, invalid_share=0))
    social = pl.concat([batch.social for batch in batches(world)]).filter(event_type="engagement")
    hourly = social.with_columns(hour=pl.col("event_time").dt.truncate("1h"), reached=pl.col("impressions").log1p())
    hourly = hourly.with_columns(reached=pl.col("reached") - pl.col("reached").median().over("hour"))
    campaigns = world.campaigns.select("kol_id", "start", "end", "lift")
    own = hourly.join(campaigns, on="kol_id").with_columns(
        running=(pl.col("hour") >= pl.col("start")) & (pl.col("hour") < pl.col("end"))
    )
    means = own.group_by("kol_id", "lift", "running").agg(pl.col("reached").mean())
    found = means.pivot("running", index=["kol_id", "lift"], values="reached").drop_nulls()
    assert found.height > 80
    effect = (found["true"] - found["false"]).median()
    assert effect == pytest.approx(found["lift"].log1p().median(), abs=0.1)


def test_the_world_ends_at_a_full_hour() -> None:
    config = WorldConfig(n_kols=5, hours=2, end=datetime(2026, 1, 12, 9, 41, 7, tzinfo=UTC))
    assert config.start == datetime(2026, 1, 12, 7, tzinfo=UTC)
    assert len(run(config)) == 2


def test_a_world_of_a_few_kols() -> None:
    for n in (1, 2, 7):
        found = run(WorldConfig(n_kols=n, hours=3))
        assert sum(len(batch) for batch in found) > 0


def test_hours_are_made_one_by_one() -> None:
    config = replace(CONFIG, hours=400)
    tracemalloc.start()
    hours = batches(build_world(config))
    first = next(hours)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    hours.close()
    assert first.social.height > 0
    assert peak < 20 << 20


def test_the_command_writes_a_world_of_a_difficulty_into_files(tmp_path: Path) -> None:
    command = ["generate", "--kols", "40", "--hours", "2", "--end", "2026-01-12T00:00:00Z", "--parquet", str(tmp_path)]
    done = CliRunner().invoke(app, [*command, "--difficulty", "hard", "--json"])
    config = WorldConfig(n_kols=40, hours=2, difficulty="hard")
    assert json.loads(done.stdout)["events"] == sum(batch.social.height + batch.web.height for batch in run(config))
    assert_frame_equal(pl.read_parquet(tmp_path / "truth.parquet"), build_world(config).truth)
    assert pl.read_parquet(tmp_path / "labels.parquet")["fake_share"].null_count() == 0
    refused = CliRunner().invoke(app, [*command, "--difficulty", "brutal"])
    assert "choose easy, standard, hard" in str(refused.exception)
