"""Covariates of forecasts: what each origin could know of KOLs and campaigns, and nothing that came later."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kolray.models.success import train_success
from kolray.models.success.beside import BESIDE, Beside, code
from kolray.models.success.covariates import Covariates
from kolray.models.success.series import HOUR, hourly_history
from tests.hourly import START, kpi_hourly

FAST = {"rounds": 80, "rows": 40_000}
HOURS = 120
KOLS = {"kol_id": pl.String, "platform": pl.String, "category": pl.String, "tier": pl.String}
SCORES = {"kol_id": pl.String, "as_of": pl.Datetime, "scored_at": pl.Datetime, "trust_score": pl.Float64}


def kols(rows):
    return pl.DataFrame(rows, schema=["kol_id", "tier", "valid_from"], orient="row").with_columns(
        platform=pl.lit("tiktok"), category=pl.lit("food")
    )


def scores(rows):
    schema = ["kol_id", "trust_score", "as_of", "scored_at"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def campaigns(rows):
    schema = ["campaign_id", "kol_id", "start", "end", "budget", "valid_from"]
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        category=pl.lit("beauty"), phases=pl.lit('["teaser", "launch"]')
    )


def known_of(covariates, at, ahead=24):
    """``BESIDE`` of KOL ``k`` for the hours after ``at``."""
    hours = np.arange(ahead)
    back = hours[None, :] - 24 * np.arange(1, 8)[:, None]
    ends = np.array([np.datetime64(at.replace(tzinfo=None), "ms")])
    columns = Beside.of(covariates, ["k"]).columns(ends, hours, back)
    return {name: column[0] for name, column in zip(BESIDE, columns, strict=True)}


def test_each_origin_sees_what_was_known_then():
    covariates = Covariates.of(
        kols([("k", "micro", START), ("k", "macro", START + 9 * HOUR)]),
        scores([("k", 40.0, START, START + HOUR), ("k", 90.0, START + 5 * HOUR, START + 6 * HOUR)]),
        campaigns([]).cast({"start": pl.Datetime("ms", "UTC"), "end": pl.Datetime("ms", "UTC")}),
    )
    before, between, after = (known_of(covariates, START + hours * HOUR) for hours in (-50, 5, 9))
    assert before["tier"][0] == between["tier"][0] == code("micro")
    assert after["tier"][0] == code("macro")
    assert np.isnan(before["trust_score"][0])
    assert between["trust_score"][0] == 40
    assert after["trust_score"][0] == 90
    assert (after["campaign_budget"] == 0).all()


def test_a_campaign_is_known_for_the_hours_to_come_once_it_is_recorded():
    start, end = START + 48 * HOUR, START + 72 * HOUR
    covariates = Covariates.of(
        kols([("k", "micro", START)]),
        scores([("k", 50.0, START, START)]),
        campaigns([("c", "k", start, end, 240.0, START + 20 * HOUR)]),
    )
    secret, booked, running, over = (known_of(covariates, START + hours * HOUR) for hours in (19, 36, 60, 80))
    assert (secret["campaign_budget"] == 0).all()
    assert booked["campaign_budget"].tolist() == [0.0] * 12 + [240.0] * 12
    assert booked["campaign_hours"][12:].tolist() == list(range(12))
    assert booked["campaign_phase"][12] == running["campaign_phase"][0] - code("launch") + code("teaser")
    assert running["campaign_now"][0] == 1
    assert over["campaign_now"][0] == 0
    assert over["campaign_before"][0] == pytest.approx(1 / 7)


def test_a_campaign_entered_late_is_known_from_its_start_and_a_change_from_when_it_was_made():
    start, end = START + 24 * HOUR, START + 48 * HOUR
    covariates = Covariates.of(
        kols([("k", "micro", START)]),
        scores([("k", 50.0, START, START)]),
        campaigns(
            [
                ("c", "k", start, end, 240.0, START + 99 * HOUR),
                ("c", "k", start, end + 24 * HOUR, 960.0, START + 120 * HOUR),
            ]
        ),
    )
    assert (known_of(covariates, start - HOUR)["campaign_budget"] == 0).all()
    assert (known_of(covariates, start)["campaign_budget"] == 240).all()
    assert (known_of(covariates, end)["campaign_budget"] == 0).all()


def test_words_that_were_never_seen_no_phases_and_no_dates_stop_nothing():
    odd = campaigns([("c", "k", START, START + HOUR, None, START)]).with_columns(phases=pl.lit('{"not": "a list"}'))
    endless = campaigns([("d", "k", START, START, 5.0, START)]).with_columns(end=None, phases=None)
    made = Covariates.of(
        kols([("k", None, START)]),
        scores([("k", None, START, None)]),
        pl.concat([odd, endless], how="vertical_relaxed"),
    )
    known = known_of(made, START)
    assert np.isnan(known["tier"][0])
    assert np.isnan(known["campaign_phase"]).all()
    assert known["campaign_category"][0] == code("beauty")


def lifted_world():
    """Hourly KPIs in which a known campaign multiplies a day of every second KOL by four, at all sorts of times."""
    rng = np.random.default_rng(5)
    kpi = kpi_hourly(80, HOURS)
    ids = kpi["kol_id"].unique().sort()
    starts = [START + timedelta(hours=int(h)) for h in rng.integers(24, HOURS - 24, len(ids) // 2)]
    starts[:8] = [START + (HOURS - 20) * HOUR] * 8
    booked = campaigns([(f"c{i}", ids[2 * i], at, at + 24 * HOUR, 100.0, START) for i, at in enumerate(starts)])
    runs = booked.select("kol_id", "start", "end")
    joined = kpi.join(runs, on="kol_id", how="left")
    running = (pl.col("hour") >= pl.col("start")) & (pl.col("hour") < pl.col("end"))
    lifted = joined.with_columns(likes=pl.when(running).then(pl.col("likes") * 4).otherwise("likes"))
    about = kols([(kol, "micro", START) for kol in ids])
    return lifted.drop("start", "end").sort("kol_id", "hour"), Covariates.of(about, scores([]).cast(SCORES), booked)


KPI, KNOWN = lifted_world()
HISTORY = hourly_history(KPI, "engagement")
TRAINED = train_success(KPI, 1, FAST, KNOWN)


def test_knowing_of_a_campaign_helps_where_it_begins():
    blind = train_success(KPI, 1, FAST)
    assert (
        TRAINED.report.by_metric["engagement"]["test"]["mase"]
        < 0.9 * blind.report.by_metric["engagement"]["test"]["mase"]
    )
    origin = START + (HOURS - 20) * HOUR
    mine = HISTORY.filter(pl.col("kol_id") == "kol-0002")
    with_it = TRAINED.model.forecast(mine, origin=origin, covariates=KNOWN)["value"].sum()
    without = TRAINED.model.forecast(mine, origin=origin, covariates=KNOWN.without("c1"))["value"].sum()
    assert with_it > 1.5 * without
    nothing = TRAINED.model.forecast(mine, origin=origin)["value"].sum()
    assert nothing == pytest.approx(without, rel=0.25)


def test_what_is_recorded_after_the_origin_changes_no_forecast():
    origin = START + 60 * HOUR
    later = origin + HOUR
    ids = KNOWN.kols["kol_id"]
    other = Covariates.of(
        kols([(kol, "mega", later) for kol in ids]),
        scores([(kol, 1.0, later, later) for kol in ids]),
        campaigns([(f"c{i}", kol, later, later + 9 * HOUR, 1e6, later) for i, kol in enumerate(ids)]),
    )
    other = Covariates(
        other.kols.with_columns(known_at=pl.lit(later).cast(pl.Datetime("ms", "UTC"))), other.trust, other.campaigns
    )
    more = Covariates(
        *(pl.concat([getattr(c, name) for c in (KNOWN, other)]) for name in ("kols", "trust", "campaigns"))
    )
    shuffled = HISTORY.with_columns(
        value=pl.when(pl.col("at") < origin).then("value").otherwise(pl.col("value").shuffle(seed=1) * 7)
    )
    assert_frame_equal(
        TRAINED.model.forecast(HISTORY, origin=origin, covariates=KNOWN),
        TRAINED.model.forecast(shuffled, origin=origin, covariates=more),
        check_exact=True,
    )


def test_one_kol_is_forecast_alike_alone_and_among_all():
    mine = HISTORY.filter(pl.col("kol_id") == "kol-0002")
    own = Covariates(
        *(getattr(KNOWN, name).filter(pl.col("kol_id") == "kol-0002") for name in ("kols", "trust", "campaigns"))
    )
    among = TRAINED.model.forecast(HISTORY, covariates=KNOWN).filter(pl.col("kol_id") == "kol-0002")
    assert_frame_equal(TRAINED.model.forecast(mine, covariates=own), among, check_exact=True)
