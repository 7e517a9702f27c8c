"""Lift of campaigns: against worlds whose effect is known, and what is said where it cannot be told."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from kolray.models.success.campaigns.booked import booked_campaigns
from kolray.models.success.campaigns.counterfactual import compare
from kolray.models.success.campaigns.lift import lifts
from kolray.models.success.campaigns.shrinkage import shrink
from tests.campaigns import COURSE, LEVEL, NOISE, NOW, at, booking, hourly


def told(kpi, campaigns, now=NOW, metric="impressions"):
    return lifts(kpi, booked_campaigns(campaigns, kpi["kol_id"].unique(), now), now, metric)


def test_lifts_are_found_and_what_moves_everybody_is_none_of_them():
    effects = np.linspace(0.0, 0.6, 20)
    campaigns = booking(*((f"c{k}", f"k{k}", 60, 84) for k in range(20)))
    kpi = hourly([(k, 60, 84, effect) for k, effect in enumerate(effects)], everybody=0.5)
    found = told(kpi, campaigns).sort(pl.col("kol_id").str.slice(1).cast(int))
    assert found["why_not"].null_count() == 20
    assert found["hours"].unique().to_list() == [24]
    miss = found["lift"].to_numpy() - np.expm1(effects)
    assert np.sqrt(np.mean(miss**2)) < 0.08
    assert found.select((pl.col("lower") <= pl.col("lift")) & (pl.col("lift") <= pl.col("upper"))).to_series().all()


def test_a_control_s_own_campaign_of_another_time_does_not_spoil_it():
    mine, theirs = ("a", "k0", 60, 84), [(f"c{k}", f"k{k}", 30, 40) for k in range(1, 60)]
    kpi = hourly([(k, 30, 40, 3.0) for k in range(1, 60)])
    with_them = told(kpi, booking(mine, *theirs)).filter(pl.col("campaign_id") == "a")
    assert abs(with_them["alone"][0]) < 0.15


def test_later_hours_than_now_change_nothing():
    campaigns = booking(*((f"c{k}", f"k{k}", 60, 84) for k in range(10)))
    now = at(70)
    kpi = hourly([(k, 60, 84, 0.3) for k in range(10)])
    later = kpi.with_columns(impressions=pl.when(pl.col("hour") >= now).then(7).otherwise("impressions"))
    assert told(kpi, campaigns, now).equals(told(later, campaigns, now))
    assert told(kpi, campaigns, now)["hours"].to_list() == [10] * 10


def test_an_unpolled_hour_is_no_hour_without_reactions():
    campaigns = booking(("a", "k0", 60, 84))
    kpi = hourly()
    gap = (pl.col("kol_id") == "k0") & (pl.col("hour").is_in([at(50), at(65), at(66), at(67)]))
    assert abs(told(kpi.filter(~gap), campaigns)["alone"][0] - told(kpi, campaigns)["alone"][0]) < 0.05


def test_hours_that_a_campaign_touches_and_does_not_fill_count_for_neither_side():
    kpi = hourly([(0, 60, 61, 5.0)])
    found = told(kpi, booking(("a", "k0", 60.5, 84.5)))
    assert found["hours"].to_list() == [23]
    assert abs(found["alone"][0]) < 0.15


@pytest.mark.parametrize(
    ("rows", "why_not"),
    [
        ([("a", "k0", None, 84)], "no_start"),
        ([("a", "k0", 60, 50)], "end_before_start"),
        ([("a", "nobody", 60, 84)], "unknown_kol"),
        ([("a", "k0", 120, 140)], "not_started"),
        ([("a", "k0", 95.5, 140)], "not_started"),
        ([("a", "k0", 3, 20)], "no_baseline"),
        ([("a", "k1", 60, 84)], "no_baseline"),
        ([("a", "k0", 60, 84), ("b", "k0", 70, 90)], "overlaps"),
        ([("a", "k0", 60, 84), ("b", "k0", 40, None)], "overlaps"),
        ([("a", "k0", 60, 84), ("b", "k0", 55, 57)], "no_baseline"),
        ([("a", "k0", 60, 84), *((f"c{k}", f"k{k}", 50, 90) for k in range(2, 100))], "few_controls"),
    ],
)
def test_a_lift_that_cannot_be_told_says_why(rows, why_not):
    found = told(hourly(first={1: 58}), booking(*rows)).filter(pl.col("campaign_id") == "a")
    assert found["why_not"].to_list() == [why_not]
    assert found["lift"].to_list() == [None]


@pytest.mark.parametrize("end", [84, None])
def test_one_campaign_alone_is_told_with_a_wide_interval(end):
    found = told(hourly([(0, 60, 84, 0.3)]), booking(("a", "k0", 60, end)))
    assert found["lower"][0] < found["lift"][0] < found["upper"][0]


def test_a_campaign_that_follows_another_is_compared_with_the_hours_between():
    kpi = hourly([(0, 20, 40, 2.0), (0, 60, 84, 0.3)])
    found = told(kpi, booking(("first", "k0", 20, 40), ("second", "k0", 60, 84))).sort("campaign_id")
    assert found["why_not"].to_list() == [None, None]
    assert found["alone"][1] == pytest.approx(np.expm1(0.3), abs=0.2)


def test_shrunk_effects_lie_between_the_measured_and_the_usual_one():
    rng = np.random.default_rng(5)
    truth = rng.normal(0.3, 0.1, 400)
    effect = truth + rng.normal(0, 0.2, 400)
    made = shrink(effect, np.full(400, 0.2), rng.normal(0, 1, 5_000))
    assert np.mean((made.value - truth) ** 2) < 0.3 * np.mean((effect - truth) ** 2)
    assert 0.86 < np.mean((made.lower <= truth) & (truth <= made.upper)) < 0.97
    assert np.all((made.value - 0.3) * (effect - 0.3) > -0.01)


def test_placebos_cover_as_promised():
    z = LEVEL + COURSE + NOISE
    found = compare(z[:, :60], z[:, 60:84], 60)
    low, high = np.quantile(found.placebos, [0.05, 0.95])
    inside = (found.effect >= low * found.spread) & (found.effect <= high * found.spread)
    assert inside.mean() >= 0.8
    assert compare(z[:60, :60], z[:60, 60:84], 30) is None
