"""What a part is worth, and the card that says so."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from kolray.features import FEATURES
from kolray.models.card import model_card
from kolray.models.metrics import by_group, curves
from kolray.models.provenance import provenance
from kolray.models.trust.ablation import ablate, feature_groups
from kolray.models.trust.additive import fit_additive
from tests.unit.models.test_trust import FEATURES as ROWS
from tests.unit.models.test_trust import LABELS, TRAINED

KOLS = ROWS.select("kol_id", platform=pl.lit("tiktok"), tier=pl.when(pl.col("f0") > 0).then(pl.lit("macro")))


def test_the_feature_that_labels_depend_on_is_missed_most():
    done: list[tuple[int, int]] = []
    whole, rows = ablate(ROWS.head(300), LABELS, 1, {"rounds": 10}, lambda *at: done.append(at))
    by_name = {row.without: row for row in rows}
    worst = max((row for row in rows if row.features), key=lambda row: row.log_loss_change)
    assert worst.without == "features of f0"
    assert worst.auc == pytest.approx(whole.report.test["auc"] + worst.auc_change)
    assert by_name.keys() >= {"features of f1", "features of f2", "features of f3"}
    assert {name for name in by_name if name.startswith("member")} == {
        f"member {name}" for name in whole.model.stack.names if len(whole.model.stack.names) > 1
    }
    assert done == [(n, len(rows) + 1) for n in range(1, len(rows) + 2)]


def test_features_are_taken_away_by_source():
    names = [feature.name for feature in FEATURES]
    groups = feature_groups([*names, "a_column"])
    assert sorted(name for own in groups.values() for name in own) == sorted([*names, "a_column"])
    assert groups["the table"] == ["a_column"]
    assert "profile" in groups
    assert feature_groups(["x", "y"]) == {"x": ["x"], "y": ["y"]}, "of one source: each by itself"


def test_the_card_shows_figures_groups_members_and_data():
    tags = provenance(["f0"], {"gold.features": 12}, 7) | {"digest": "trust-abc"}
    report = TRAINED.by_groups(KOLS).report.to_dict()
    assert report["groups"]["platform"].keys() == {"tiktok"}
    assert report["groups"]["tier"].keys() == {"macro"}, "KOLs without a tier are no group"
    row = {"without": "features of web", "auc_change": -0.01, "log_loss_change": 0.02, "ece_change": 0.0}
    card = model_card("trust", 3, report, tags, 4, [row])
    told = ["# trust:3 (trust-abc)", "`gold.features` 12", f"{report['test']['auc']:.4f}", "| macro |", "| xgboost |",
            "| features of web | -0.0100 | +0.0200 | +0.0000 |", "reproduce trust --kol", "rounds 30"]  # fmt: skip
    assert [text for text in told if text not in card] == []
    assert "kolray models ablate trust" in model_card("trust", 3, report, tags, 4)


def test_curves_begin_and_end_where_all_or_nobody_is_called_bought():
    rng = np.random.default_rng(0)
    p = rng.random(5000)
    found = curves((rng.random(5000) < p).astype(np.int8), p)
    assert (found["roc"][0], found["roc"][-1]) == ((0.0, 0.0), (1.0, 1.0))
    assert (found["pr"][0][0], found["pr"][-1][0]) == (0.0, 1.0)
    assert all(len(points) <= 200 for points in found.values())
    assert np.all(np.diff(np.array(found["roc"]), axis=0) >= 0)


def test_a_group_of_one_label_has_no_figures():
    found = by_group(pl.Series(["a", "a", "b", "b", None]), np.array([0, 1, 1, 1, 0], np.int8), np.linspace(0, 1, 5))
    assert found.keys() == {"a"}
    assert (found["a"]["n"], found["a"]["auc"]) == (2, 1.0)


def test_columns_that_say_nothing_leave_the_prevalence():
    x, y = np.full((40, 2), np.nan), np.arange(40) % 4 == 0
    member = fit_additive(x, y.astype(np.int8), np.arange(40) % 5, np.arange(2), seed=1)
    assert 1 / (1 + np.exp(-member.scores(x))) == pytest.approx(0.25, abs=0.05)
