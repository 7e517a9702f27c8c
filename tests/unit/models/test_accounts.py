"""Trust learnt from tables of accounts: cross-validation, a test table, bad tables, the public sets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.connectors.accounts import labelled_accounts, read_accounts
from kolray.errors import InvalidInputError
from kolray.models.trust.accounts import evaluate_accounts, evaluate_on_test, train_accounts, useful
from kolray.models.trust.baseline import fit_stump
from kolray.models.trust.cross_validation import cross_validate, plan
from kolray.models.trust.fit import Accounts, grouped

KEYS = {"auc", "pr_auc", "accuracy", "f1", "brier", "ece", "baseline_auc", "baseline_accuracy", "n", "folds"}
FAST = {"rounds": 20}


def accounts(n: int = 300, seed: int = 5) -> pl.DataFrame:
    """Fake accounts follow many, and say little of themselves."""
    rng = np.random.default_rng(seed)
    fake = rng.random(n) < 0.4
    bio = np.maximum(rng.normal(np.where(fake, 20.0, 50.0), 20.0), 0.0).round()
    following = np.exp(rng.normal(np.where(fake, 7.0, 5.5), 1.0)).round()
    columns = {"following": following, "bio_length": bio, "label": fake.astype(np.int8)}
    return pl.DataFrame({"account_id": [f"a{i}" for i in range(n)], **columns})


def matrix(table: pl.DataFrame) -> Accounts:
    x = table.select("following", "bio_length").to_numpy()
    return Accounts(x, table["label"].to_numpy().astype(np.int8), grouped(x, table))


def test_cross_validation_judges_every_row_once_a_repeat_and_is_exact_per_seed():
    done = []
    data, names = matrix(accounts()), ("following", "bio_length")
    judged = cross_validate(data, names, 3, FAST, on_fold=lambda k, n: done.append((k, n)), shape=(2, 2))
    figures = judged.metrics()
    assert set(figures) >= KEYS
    assert (figures["n"], figures["folds"], figures["repeats"]) == (300, 2, 2)
    assert figures["auc"] > figures["baseline_auc"] > 0.7
    assert done[-1] == (4, 4)
    again = cross_validate(data, names, 3, FAST, shape=(2, 1))
    assert np.array_equal(again.probability[0], judged.probability[0])


def test_ten_times_ten_folds_below_five_thousand_rows():
    assert plan(500) == plan(4_999) == (10, 10)
    assert plan(5_000) == (5, 1)


def test_a_test_table_is_judged_by_what_was_learnt_elsewhere():
    figures = evaluate_on_test(accounts(), accounts(200, seed=6), seed=1).metrics()
    assert (figures["n"], figures["folds"]) == (200, 1)
    assert figures["accuracy"] > figures["baseline_accuracy"]


def test_rows_of_one_account_and_identical_rows_are_never_parted():
    table = pl.DataFrame({"account_id": ["a", "b", "b", "c", None, None]})
    x = np.array([[1.0], [1.0], [2.0], [3.0], [4.0], [5.0]])
    groups = grouped(x, table)
    assert len(set(groups[:3])) == 1
    assert len(set(groups)) == 4


def test_the_baseline_is_the_best_feature_cut_at_the_best_value():
    x = np.array([[1.0, 5.0], [2.0, 1.0], [3.0, 4.0], [np.nan, 2.0], [9.0, 3.0]])
    y = np.array([1, 1, 0, 0, 0], np.int8)
    stump = fit_stump(x, y)
    assert stump.feature == 0
    assert stump.fake(x).tolist() == [True, True, False, False, False]
    assert roc_auc_score(y, stump.rank(x)) == 1.0


def test_constant_and_missing_columns_are_no_features_and_a_table_of_them_is_refused():
    features = pl.DataFrame({"kol_id": ["a", "b"], "x": [1.0, 1.0], "y": [None, None], "z": [None, 2.0]})
    assert useful(features) == ("z",)
    with pytest.raises(InvalidInputError, match="no column of the table says anything"):
        useful(features.drop("z"))


def messy(n: int = 500) -> pl.DataFrame:
    """As ``accounts``, with huge counts, holes, a constant and an empty column, and accounts that occur twice."""
    table = accounts(n, seed=9)
    row = pl.int_range(pl.len())
    table = table.with_columns(
        following=pl.when(row % 50 == 0).then(1e300).otherwise("following"),
        bio_length=pl.when(row % 7 > 0).then("bio_length"),
        followers=pl.lit(3.0),
        posts=pl.lit(None, pl.Float64),
    )
    again = table.head(40).with_columns(label=pl.when(row < 5).then(1 - pl.col("label")).otherwise("label"))
    return pl.concat([table, again])


def test_a_messy_table_is_learnt_and_judged():
    figures = evaluate_on_test(messy(), accounts(200, seed=6), seed=1).metrics()
    assert figures["auc"] > 0.8
    assert set(figures["speed"]) == {"row_ms", "batch_s"}
    model = train_accounts(messy(), seed=1, params=FAST).model
    assert {"following", "bio_length"} < set(model.feature_names)
    assert not {"followers", "posts"} & set(model.feature_names)


def test_too_few_of_a_label_are_refused_with_advice():
    few = accounts().sort("label").head(190)
    assert few["label"].sum() < 20
    with pytest.raises(InvalidInputError, match="at least 20 accounts of each label"):
        train_accounts(few, seed=1)
    with pytest.raises(InvalidInputError, match="10 folds need as many different rows of each label"):
        evaluate_accounts(accounts().sort("label").head(180), seed=1)


def test_a_model_trained_on_a_table_scores_accounts():
    trained = train_accounts(accounts(), seed=1, params=FAST)
    assert trained.report.beats_baseline
    assert trained.reference is not None
    assert trained.report.n_test == 60


@pytest.mark.realdata
@pytest.mark.parametrize(("folder", "auc"), [("instafake", 0.97), ("twitter_bots", 0.94)])
def test_public_sets_are_learnt_from_half_of_them(data, folder, auc):
    file = data / folder / "accounts.csv"
    table = labelled_accounts(read_accounts(file), file).table
    half = pl.Series(np.random.default_rng(1).permutation(table.height) % 2 == 0)
    figures = evaluate_on_test(table.filter(half), table.filter(~half), seed=1).metrics()
    assert figures["auc"] > max(auc, figures["baseline_auc"])
    assert figures["accuracy"] > figures["baseline_accuracy"]


def test_the_commands_train_a_champion_and_score_by_it(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("KOLRAY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    accounts().write_csv(tmp_path / "a.csv")
    accounts(100, seed=8).drop("label").write_csv(tmp_path / "b.csv")
    run = CliRunner().invoke
    missing = run(app, ["score", "--accounts", "b.csv"])
    assert "train one" in str(missing.exception)
    trained = run(app, ["models", "train", "trust", "--accounts", "a.csv", "--json"], catch_exceptions=False)
    assert json.loads(trained.stdout)["promoted"]
    scored = json.loads(run(app, ["score", "--accounts", "b.csv", "--json"], catch_exceptions=False).stdout)
    assert scored["model"] == "trust-accounts:1"
    assert [row["account_id"] for row in scored["scores"]] == [f"a{i}" for i in range(100)]
    again = run(app, ["models", "promote", "trust-accounts"])
    assert "is the champion already" in str(again.exception)
    assert "choose trust or trust-accounts" in str(run(app, ["models", "promote", "luck"]).exception)
    judged = run(app, ["models", "evaluate", "trust", "--accounts", "a.csv", "--champion", "--json"])
    assert json.loads(judged.stdout)["auc"] > 0.8
