"""KPIs: the stream's own numbers, by day and week, platform and campaign."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kolray.features.window_metrics import FOLLOWERS, SUMS, ratio_exprs
from kolray.lake.gold import day_tables, weekly
from kolray.lake.gold_files import FEATURES
from kolray.lake.gold_plan import DAILY, WEEKLY
from kolray.lake.reference import REFERENCE
from kolray.lake.tables import TABLES
from kolray.stream.windows import WindowSpec, conform_panes, merge_panes, pane_aggregate, windows_of
from tests.silver import SILVER_SOCIAL, SILVER_WEB, START, silver_world

SOCIAL, WEB = silver_world(n_kols=9, events_per_kol=200, hours=24)
KOLS = pl.DataFrame(schema=REFERENCE["kols"][0])
FIVE_MINUTES = 300_000


def rows_of(schema: dict, *rows: dict) -> pl.DataFrame:
    """Silver rows from the fields that matter; ``h`` is the hour of the event."""
    full = [
        {name: ({"event_id": f"e{n}"} | row).get(name) for name in schema}
        | {"event_time": START + timedelta(hours=row.get("h", n))}
        for n, row in enumerate(rows)
    ]
    return pl.DataFrame(full, schema=schema)


def social(*rows: dict) -> pl.DataFrame:
    return rows_of(
        SILVER_SOCIAL, *({"kol_id": "k", "platform": "tiktok", "event_type": "engagement"} | r for r in rows)
    )


def web(*rows: dict) -> pl.DataFrame:
    return rows_of(SILVER_WEB, *({"kol_id": "k", "campaign_id": "c", "event_type": "click"} | row for row in rows))


@pytest.mark.parametrize(("table", "window"), [("gold.kpi_hourly", "1h"), ("gold.kpi_daily", "24h")])
def test_they_are_the_windows_of_the_stream(table: str, window: str) -> None:
    panes = [pane_aggregate("social", SOCIAL, FIVE_MINUTES), pane_aggregate("web", WEB, FIVE_MINUTES)]
    windows = windows_of(merge_panes([conform_panes(part) for part in panes]), WindowSpec.parse(window))
    numbers = ["kol_id", *SUMS, *FOLLOWERS, *(ratio.meta.output_name() for ratio in ratio_exprs())]
    expected = windows.with_columns(ratio_exprs()).sort("kol_id", "window_start").select(numbers)
    rows = day_tables(SOCIAL, WEB, KOLS)[table]
    assert rows.columns == list(TABLES[table])
    assert_frame_equal(rows.select(numbers), expected, check_exact=True)


def test_a_week_is_that_of_its_monday_also_over_new_year() -> None:
    days = []
    for n, day in enumerate((date(2025, 12, 28), date(2025, 12, 29), date(2026, 1, 4), date(2026, 1, 5))):
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        rows = social({"event_type": "profile", "followers": 10 + n, "likes": 1})
        made = day_tables(rows.with_columns(event_time=pl.lit(at).cast(pl.Datetime("ms", "UTC"))), web(), KOLS)
        days.append(made["gold.kpi_daily"])
    weeks = weekly(pl.concat(days).sample(fraction=1, shuffle=True, seed=1))
    assert weeks["dt"].to_list() == [date(2025, 12, 22), date(2025, 12, 29), date(2026, 1, 5)]
    middle = weeks.row(1, named=True)
    assert (middle["events"], middle["likes"], middle["followers_first"], middle["followers_last"]) == (2, 2, 11, 12)
    assert middle["follower_velocity_per_hour"] == pytest.approx(1 / (6 * 24))


def test_a_kol_on_two_platforms_has_a_row_on_each_and_the_web_counts_for_the_main_one() -> None:
    rows = social({"likes": 1}, {"likes": 2}, {"likes": 4, "platform": "youtube"})
    made = day_tables(rows, web({}), KOLS)["gold.kpi_daily"]
    assert made.select("platform", "likes", "web_clicks").rows() == [("tiktok", 3, 1), ("youtube", 4, 0)]


def test_without_social_events_that_day_the_web_counts_for_the_platform_of_the_reference() -> None:
    kols = pl.DataFrame({"kol_id": ["k"], "platform": ["weibo"]})
    made = day_tables(social(), web({}, {"kol_id": "unknown"}), kols)["gold.kpi_daily"]
    assert made.select("kol_id", "platform").rows() == [("k", "weibo"), ("unknown", None)]


def test_a_platform_sums_its_kols() -> None:
    rows = social({"likes": 1, "impressions": 10}, {"kol_id": "l", "likes": 2, "impressions": 10})
    row = day_tables(rows, web(), KOLS)["gold.platform_daily"].row(0, named=True)
    assert (row["platform"], row["kols"], row["events"], row["engagement_rate"]) == ("tiktok", 2, 2, 0.15)


def test_a_campaign_counts_visitors_once_and_adds_up_no_different_currencies() -> None:
    paid = {"event_type": "conversion", "value": 2.5, "currency": "VND"}
    rows = web(
        {"visitor": "a"},
        {"visitor": "a", "event_type": "impression", "value": 9.0, "currency": "EUR"},
        {"visitor": "b"} | paid,
        paid,
        {"campaign_id": "mixed"} | paid,
        {"campaign_id": "mixed"} | paid | {"currency": "EUR"},
    )
    made = day_tables(social(), rows, KOLS)
    first, mixed = made["gold.campaign_daily"].iter_rows(named=True)
    assert (first["web_events"], first["web_conversions"], first["unique_visitors"]) == (4, 2, 2)
    assert (first["value"], first["currency"], first["web_cvr"]) == (5.0, "VND", 2.0)
    assert (mixed["web_conversions"], mixed["value"], mixed["currency"]) == (2, None, None)
    hours = made["gold.campaign_hourly"].filter(pl.col("campaign_id") == "c")
    assert hours["hour"].to_list() == [START + timedelta(hours=h) for h in range(4)]
    assert hours["value"].to_list() == [0.0, 0.0, 2.5, 2.5]
    mixed_hours = made["gold.campaign_hourly"].filter(pl.col("campaign_id") == "mixed")
    assert mixed_hours["currency"].to_list() == ["VND", "EUR"]


def test_no_events_make_no_rows() -> None:
    for name, rows in day_tables(social(), web(), KOLS).items():
        assert rows.is_empty(), name
        assert rows.columns == list(TABLES[name])


def test_every_table_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "lake.md").read_text()
    assert [name for name in (*DAILY, WEEKLY, FEATURES) if f"`{name}`" not in text] == []
