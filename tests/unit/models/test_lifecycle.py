"""Who may be champion, what is published, and that the inputs are those of one moment."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from kolray.errors import InvalidInputError, NotFoundError, PromotionRefusedError
from kolray.features.window_metrics import SUMS
from kolray.models.card import model_card
from kolray.models.lifecycle import complete_hours, judge, newest_features, train
from kolray.models.plots import forecast_plot, horizons_plot, precision_plot, reliability_plot, roc_plot
from kolray.models.provenance import provenance
from kolray.models.publish import score_all
from kolray.models.registry import LoadedModel
from kolray.stores.metrics import SCORE_SCHEMA
from kolray.testing.clock import FakeClock
from tests.unit.models.test_success import TRAINED as SUCCESS
from tests.unit.models.test_trust import FEATURES
from tests.unit.models.test_trust import TRAINED as TRUST

AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
WON = {"loss": "0.1", "beats_baseline": "True", "champion": "1", "champion_loss": "0.2"}


def test_a_challenger_with_the_lower_loss_is_promoted():
    assert "beats champion 1" in judge("trust", 2, 1, WON)


def test_the_first_champion_is_accepted_and_a_weak_one_named_so():
    assert judge("trust", 1, None, {"beats_baseline": "True"}) == "first champion"
    assert "do not rely on it" in judge("success", 1, None, {"beats_baseline": "False"})


@pytest.mark.parametrize(
    ("champion", "change", "say"),
    [
        (1, {"champion_loss": "0.1"}, "champion stays"),
        (1, {"champion_loss": "0.05"}, "champion stays"),
        (1, {"beats_baseline": "False"}, "baseline"),
        (3, {}, "not judged against today's champion 3"),
        (2, {}, "already"),
    ],
)
def test_promotion_is_refused_with_the_reason(champion, change, say):
    with pytest.raises(PromotionRefusedError, match=say):
        judge("trust", 2, champion, WON | change)


def test_a_model_does_not_beat_itself():
    assert TRUST.loss_of(TRUST.model) == pytest.approx(TRUST.loss)


def test_scores_carry_the_registered_version_and_the_features_time():
    features = FEATURES.head(5).with_columns(as_of=pl.lit(AT))
    scores = score_all(features, LoadedModel(TRUST.model, "trust", 4), FakeClock())
    assert dict(scores.schema) == SCORE_SCHEMA
    assert scores["model"].unique().to_list() == ["trust:4"]
    assert scores["as_of"].unique().to_list() == [AT]
    assert scores["scored_at"].unique().to_list() == [FakeClock().now()]
    used = pl.DataFrame(json.loads(scores["features"][0]))
    assert used.columns == list(TRUST.model.feature_names)
    assert TRUST.model.score(used.with_columns(kol_id=pl.lit("k")))["trust_score"][0] == scores["trust_score"][0]


def test_only_the_newest_features_of_a_kol_are_used(tmp_path):
    rows = FEATURES.head(3)
    both = pl.concat([rows.with_columns(as_of=pl.lit(AT + timedelta(hours=h)), f0=pl.lit(float(h))) for h in (1, 0)])
    both.write_delta(str(tmp_path / "gold" / "features"))
    newest = newest_features(str(tmp_path))
    assert newest["f0"].to_list() == [1.0, 1.0, 1.0]


def test_the_hour_still_open_when_gold_ran_is_left_out(tmp_path):
    hours = pl.DataFrame({"kol_id": "k", "hour": [AT, AT + timedelta(hours=1)], **dict.fromkeys(SUMS, 1)})
    hours.write_delta(str(tmp_path / "gold" / "kpi_hourly"))
    FEATURES.head(1).with_columns(as_of=pl.lit(AT + timedelta(hours=1, minutes=30))).write_delta(
        str(tmp_path / "gold" / "features")
    )
    assert complete_hours(str(tmp_path))["hour"].to_list() == [AT]


@pytest.mark.parametrize("kind", ["trust", "success"])
def test_an_empty_lake_says_what_to_run(kind, tmp_path):
    with pytest.raises(NotFoundError, match="kolray lake gold"):
        train(kind, str(tmp_path))


def test_plots_are_drawn_without_a_display(tmp_path):
    of_trust = [plot(TRUST.report) for plot in (reliability_plot, roc_plot, precision_plot)]
    for name, figure in enumerate([*of_trust, *(plot(SUCCESS.report) for plot in (forecast_plot, horizons_plot))]):
        figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 5_000


def test_the_card_of_success_shows_each_metric_beside_the_naive_its_hours_and_weights():
    report = SUCCESS.report.to_dict()
    tags = provenance((), {"gold.kpi_hourly": 4}, 7) | {"digest": SUCCESS.model.version}
    card = model_card("success", 2, report, tags, 56)
    for metric, own in report["by_metric"].items():
        assert f"| {metric} | {own['series']} | {own['test']['mase']:.4f} / {own['baseline']['mase']:.4f} |" in card
        assert f"| sMAPE of {metric}, % | {own['by_horizon'][0]['smape']:.1f} /" in card
        assert f"| {metric} | {own['weights']['lightgbm']:.4f} |" in card
    told = [
        f"# success:2 ({SUCCESS.model.version})",
        "`gold.kpi_hourly` 4",
        "56 of them",
        "It beats the trivial baseline.",
    ]
    assert [text for text in told if text not in card] == []


def test_a_report_gives_curves_by_hour():
    curves = SUCCESS.report.curves()
    by_hour = SUCCESS.report.by_metric["engagement"]["by_horizon"]
    assert curves["engagement_coverage_90_by_hour"] == [row["coverage_90"] for row in by_hour]
    assert len(curves["engagement_smape_by_hour"]) == 24


def test_unknown_kinds_are_named():
    from kolray.cli.models import _kind

    with pytest.raises(InvalidInputError, match="trust or success"):
        _kind("love")
