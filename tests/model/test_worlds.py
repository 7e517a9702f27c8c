"""Frozen worlds: the generator still makes them, however cut the table is the same, trust is judged on them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.connectors.generator import FRAUD_TYPES, WorldConfig
from kolray.connectors.generator.config import COHORT
from kolray.connectors.generator.signs import FAKE_LAWS, LEVELS
from kolray.errors import InvalidInputError
from kolray.features import compute_features
from kolray.models.metrics import ece, ece_by_chance
from kolray.models.trust import world_report, worlds
from kolray.models.trust.members import BOOSTER_DEFAULTS
from kolray.models.trust.world_table import build_table, cohort_events
from kolray.models.trust.worlds import WORLDS, frozen_world, world_table
from kolray.models.worlds import FrozenWorld, fingerprint, spread

SMALL = WorldConfig(n_kols=600, hours=30, seed=2, duplicate_share=0, invalid_share=0, fraud_share=0.4)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> FrozenWorld:
    world = FrozenWorld(SMALL, fingerprint(SMALL))
    monkeypatch.setitem(WORLDS, "small", world)
    return world


@pytest.mark.parametrize("name", list(WORLDS))
def test_the_generator_makes_the_worlds_that_were_frozen(name: str) -> None:
    assert frozen_world(name) is WORLDS[name]


def test_a_table_made_by_cohorts_is_that_of_all_events_at_once() -> None:
    config = replace(SMALL, n_kols=COHORT + 30, hours=14)
    social, web = (pl.concat(frames) for frames in zip(*(cohort_events(config, k) for k in (0, 1)), strict=True))
    assert_frame_equal(build_table(config, processes=1), compute_features(social.lazy(), web.lazy(), config.end))


def test_shares_of_work_keep_their_order_over_processes() -> None:
    assert spread(abs, [-3, 2, -1], processes=2) == [3, 2, 1]


def test_a_world_is_made_once_and_read_afterwards(
    tmp_path: Path, small: FrozenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, truth = world_table("small", tmp_path)
    assert features["kol_id"].to_list() == truth["kol_id"].to_list()
    monkeypatch.setattr(worlds, "build_table", None)
    again, same = world_table("small", tmp_path)
    assert_frame_equal(features, again)
    assert_frame_equal(truth, same)
    assert len(list((tmp_path / "worlds").iterdir())) == 1


def test_a_generator_that_changed_is_noticed(small: FrozenWorld, tmp_path: Path) -> None:
    WORLDS["small"] = replace(small, config=replace(SMALL, difficulty="hard"))
    with pytest.raises(InvalidInputError, match=f"not the one that was frozen .*, not {small.frozen}"):
        world_table("small", tmp_path)
    with pytest.raises(InvalidInputError, match="no world 'flat': choose easy, standard, hard"):
        world_table("flat", tmp_path)


def test_trust_is_judged_on_a_world(tmp_path: Path, small: FrozenWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLRAY_HOME", str(tmp_path))
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setitem(BOOSTER_DEFAULTS, "rounds", 30)
    for name, fewer in (("FRAUD_TYPES", FRAUD_TYPES[:1]), ("MANY_FOLDS", 2), ("TEST_FOLDS", (0,))):
        monkeypatch.setattr(world_report, name, fewer)
    command = ["models", "evaluate", "trust", "--world", "small", "--seed", "3"]
    found = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert found["n"] == 600
    assert found["auc"] > max(found["tree_auc"], found["forest_auc"], found["baseline_auc"]) > 0.6
    assert 0.8 < found["fake_share"]["coverage"] <= 1
    assert set(found["by_platform"]) == {"youtube", "tiktok", "weibo"}
    assert sum(group["n"] for group in found["by_tier"].values()) <= 600
    assert all(auc > 0.6 for auc in (*found["by_type"].values(), *found["leave_one_out"].values()))


def test_the_ece_of_few_is_not_zero_by_chance_alone() -> None:
    right = np.linspace(0.02, 0.98, 20_000)
    few, many = ece_by_chance(right[::250], seed=1), ece_by_chance(right, seed=1)
    assert few > 0.08
    assert many < 0.01
    labels = (np.random.default_rng(2).random(len(right)) < right).astype(np.int8)
    assert ece(labels, right) == pytest.approx(many, abs=0.006)


def test_a_world_is_for_trust_alone() -> None:
    done = CliRunner().invoke(app, ["models", "evaluate", "success", "--world", "hard"])
    assert isinstance(done.exception, InvalidInputError)
    assert "--world is for trust" in str(done.exception)


def test_the_docs_say_what_the_worlds_are() -> None:
    said = (Path(__file__).parents[2] / "docs" / "worlds.md").read_text(encoding="utf-8")
    for name, world in WORLDS.items():
        c = world.config
        assert f"| `{name}` | {c.n_kols:,} | {c.hours} | {c.difficulty} |" in said
    for fraud, (least, gain) in FAKE_LAWS.items():
        assert re.search(rf"\| `{fraud}` \| .* \| {least:.2f} \+ {gain:.2f} x strength \|", said)
    for difficulty, level in LEVELS.items():
        row = f"| {level.shift} σ | {level.shown:.0%} | {level.own} σ | {level.lookalikes:.0%} |".replace("%", " %")
        assert f"| `{difficulty}` {row}" in said
