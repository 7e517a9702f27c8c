"""What campaigns bring: sums with intervals, money, and a rule for each campaign that says too little of itself."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from kolray.models.success.campaigns.cases import Cases
from kolray.models.success.campaigns.outlook import METRICS, Known, look_ahead
from kolray.models.success.campaigns.sums import fit_intervals
from tests.campaigns import KOLS, NOW, at, booking, hits, hourly

KOLS_TABLE = pl.DataFrame({"kol_id": [f"k{k}" for k in range(KOLS)], "tier": ["nano", "micro"] * (KOLS // 2)})
PAST = [(f"p{k}", f"k{k}", 20 + k, 50 + k) for k in range(40)]
KPI = hourly()


BAD = {
    "budget": ("no_budget", ["roi"], {"budget": None}),
    "negative": ("no_budget", ["roi"], {"budget": -5.0}),
    "currency": ("no_currency", ["roi"], {"currency": None}),
    "other": ("other_currency", ["roi"], {"currency": "USD"}),
    "open": ("no_end", ["roi"], {"end": None}),
    "unbegun": ("no_start", [*METRICS], {"start": None}),
    "backwards": ("end_before_start", [*METRICS], {"end": at(50)}),
    "stranger": ("unknown_kol", ["engagement", "reach"], {"kol_id": "nobody"}),
    "mixed": ("mixed_currency", ["revenue", "roi"], {}),
    "unsold": ("nothing_sold", ["revenue", "roi"], {"currency": "XYZ"}),
}
"""Campaign → the trouble it has, which figures it has not, and what is changed in its booking."""


def of(found, campaign):
    """Metric → row."""
    return {row["metric"]: row for row in found.filter(campaign_id=campaign).iter_rows(named=True)}


@pytest.fixture(scope="module")
def running():
    """Forty hours of a campaign are over, twenty are to come; forty others are over, and some are badly booked."""
    rows = [("a", "k100", 56, 116), ("planned", "k101", 100, 130), ("far", "k102", 900, 950), *PAST]
    rows += [(name, f"k{70 + n}", 56, 116) for n, name in enumerate(BAD)]
    campaigns = booking(*rows)
    came = hits(campaigns)
    sold = pl.col("web_conversions") > 0
    mixed, unsold = (pl.col("campaign_id") == name for name in ("mixed", "unsold"))
    came = came.with_columns(
        currency=pl.when(mixed & sold & (pl.col("hour") >= at(80))).then(pl.lit("EUR")).otherwise("currency")
    ).with_columns(pl.when(~unsold).then(name).alias(name) for name in ("web_conversions", "currency", "value"))
    came = came.with_columns(pl.col("web_conversions", "value").fill_null(0))
    for name, (_, _, change) in BAD.items():
        mine = pl.col("campaign_id") == name
        for column, value in change.items():
            new = pl.when(mine).then(pl.lit(value, campaigns.schema[column]))
            campaigns = campaigns.with_columns(new.otherwise(column).alias(column))
            if column in came.columns and column != "currency":
                came = came.with_columns(pl.when(mine).then(pl.lit(value)).otherwise(column).alias(column))
    return look_ahead(Known(campaigns, came, KPI, KOLS_TABLE), NOW)


def test_a_running_campaign_has_what_came_and_what_will(running):
    rows = of(running[0], "a")
    assert set(rows) == set(METRICS)
    seen = rows["impressions"]
    assert seen["state"] == "running"
    assert seen["actual"] == pytest.approx(160, abs=40)
    assert seen["day"] == pytest.approx(80, abs=25)
    assert seen["total"] == pytest.approx(seen["actual"] + seen["day"])
    assert seen["until"] == at(116)
    for row in rows.values():
        for part in ("day", "total"):
            if row[part] is not None:
                assert row[f"{part}_lower"] <= row[part] <= row[f"{part}_upper"]
    for name in METRICS[:-1]:
        assert rows[name]["day_lower"] >= 0
    assert rows["engagement"]["lift"] is not None


def test_the_hours_are_those_of_the_next_day_that_the_campaign_runs_in(running):
    points = running[1]
    assert sorted(points.filter(campaign_id="a", metric="clicks")["at"]) == [at(96 + h) for h in range(20)]
    assert sorted(points.filter(campaign_id="planned", metric="clicks")["at"]) == [at(100 + h) for h in range(20)]
    assert "far" not in points["campaign_id"]
    hours = points.filter(campaign_id="a", metric="impressions")["value"].sum()
    assert hours == pytest.approx(of(running[0], "a")["impressions"]["day"])
    assert (points["lower"] >= 0).all()


def test_a_planned_campaign_is_taken_for_a_usual_one_with_a_wider_interval(running):
    planned, old = of(running[0], "planned")["impressions"], of(running[0], "a")["impressions"]
    assert planned["state"] == "planned"
    assert planned["actual"] == 0
    assert planned["day"] == pytest.approx(80, abs=25)
    assert planned["day_upper"] - planned["day_lower"] > 0.8 * (old["day_upper"] - old["day_lower"])
    assert of(running[0], "far")["impressions"]["day"] is None
    assert of(running[0], "far")["engagement"]["lift_why_not"] == "not_started"


def test_an_ended_campaign_has_its_final_result(running):
    row = of(running[0], "p0")["clicks"]
    assert row["state"] == "ended"
    assert row["actual"] == row["total"] == row["total_lower"] == row["total_upper"]
    assert row["day"] is None


def test_the_return_is_revenue_against_what_is_spent_so_far(running):
    roi, revenue = (of(running[0], "a")[name] for name in ("roi", "revenue"))
    assert roi["spent"] == pytest.approx(100 * 40 / 60)
    assert roi["actual"] == pytest.approx(revenue["actual"] / roi["spent"] - 1)
    assert roi["total_upper"] == pytest.approx(revenue["total_upper"] / 100 - 1)
    assert roi["total_lower"] >= -1


def test_what_comes_after_now_changes_nothing():
    campaigns = booking(("a", "k100", 56, 116), *PAST[:6])
    late = pl.col("hour") >= at(70)
    came, kpi = hits(campaigns), hourly()
    more = came.with_columns(pl.when(late).then(999).otherwise("web_clicks").alias("web_clicks"))
    less = kpi.with_columns(pl.when(late).then(0).otherwise("likes").alias("likes"))
    one, other = (look_ahead(Known(campaigns, h, k, KOLS_TABLE), at(70)) for h, k in ((came, kpi), (more, less)))
    assert one[0].equals(other[0])
    assert one[1].equals(other[1])


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_answered_is_null_and_says_why(running, name):
    trouble, blank, _ = BAD[name]
    found = of(running[0], name)
    assert trouble in found["clicks"]["troubles"].split(",")
    for metric in METRICS:
        actual = found[metric]["actual"] if metric in found else None
        assert (actual is None) == (metric in blank), metric


def test_few_campaigns_teach_no_rate_and_the_past_is_told_all_the_same():
    rows = booking(("a", "k100", 56, 116))
    found, points = look_ahead(Known(rows, hits(rows), KPI, KOLS_TABLE), NOW)
    assert of(found, "a")["clicks"]["actual"] > 0
    assert of(found, "a")["clicks"]["total"] is None
    assert points.height == 0


def test_no_campaign_at_all():
    rows = booking(*PAST).clear()
    found, points = look_ahead(Known(rows, hits(rows), KPI, KOLS_TABLE), NOW)
    assert found.height == points.height == 0


def test_intervals_cover_sums_of_a_law_they_do_not_know():
    rng = np.random.default_rng(2)
    n = 4_000
    mean = rng.uniform(1, 60, n)
    actual = rng.poisson(mean * rng.lognormal(-0.08, 0.4, n)).astype(float)
    zeros = np.zeros(n)
    cases = Cases(np.zeros(n, int), np.full(n, 24), mean, zeros, zeros)
    half = n // 2
    part = [Cases(*(getattr(cases, f)[s] for f in cases.__dataclass_fields__)) for s in (slice(half), slice(half, n))]
    found = fit_intervals(actual[:half], mean[:half], np.ones(half), part[0])
    lower, upper = found.bounds(mean[half:], np.ones(half), part[1])
    assert (lower >= 0).all()
    assert 0.88 < np.mean((lower <= actual[half:]) & (actual[half:] <= upper)) < 0.93
