"""Charts: geometry that can be checked by hand, names for screen readers, and no way in for markup."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest

from kolray.serving.dashboard.charts import (
    Caption,
    contribution_bar,
    interval_bar,
    line_chart,
    nice_ticks,
    spark_bars,
    time_marks,
)
from kolray.serving.dashboard.data import ForecastPoint

T0 = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
CAPTION = Caption("Engagement", "It rises.")


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own output


def fmt(value: float) -> str:
    return f"{value:g}"


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 100, [0, 25, 50, 75, 100]),
        (0, 9, [0, 2.5, 5, 7.5, 10]),
        (0, 0.04, [0, 0.01, 0.02, 0.03, 0.04]),
        (-5, 5, [-5, -2.5, 0, 2.5, 5]),
    ],
)
def test_ticks_are_round_and_enclose_the_values(low: float, high: float, ticks: list[float]) -> None:
    assert nice_ticks(low, high) == ticks


@pytest.mark.parametrize("value", [0.0, 3.0, -2.0, 1e-9, 1e12])
def test_ticks_of_a_flat_series(value: float) -> None:
    ticks = nice_ticks(value, value)
    assert ticks[0] <= value <= ticks[-1]
    assert ticks[0] < ticks[-1]


def test_long_charts_are_marked_by_days_and_short_ones_by_hours() -> None:
    week = [T0 + i * HOUR for i in range(24 * 7)]
    assert [label for _, label in time_marks(week, most=10)] == [f"{d} Mar" for d in range(3, 9)]
    assert [label for _, label in time_marks(week, most=3)] == ["3 Mar", "5 Mar", "7 Mar"]
    assert [label for _, label in time_marks(week[:4], most=10)] == ["01:00", "02:00", "03:00"]


def test_line_chart_has_line_band_and_an_accessible_name() -> None:
    history = [(T0 + i * HOUR, float(i)) for i in range(5)]
    forecast = [ForecastPoint(T0 + (5 + i) * HOUR, 5.0, 3.0, 8.0) for i in range(3)]
    svg = line_chart(history, forecast, CAPTION, fmt)
    root = parse(svg)
    assert (root.get("role"), root.get("aria-label")) == ("img", "Engagement")
    assert [e.text for e in root if e.tag in ("title", "desc")] == ["Engagement", "It rises."]
    classes = [e.get("class") for e in root if e.tag == "path"]
    assert classes == ["band", "line forecast", "line"]
    assert "nan" not in svg


def test_values_lie_where_they_should() -> None:
    svg = line_chart([(T0, 0.0), (T0 + HOUR, 100.0)], [], CAPTION, fmt, size=(720, 260))
    assert 'class="line" d="M48.0,232.0L708.0,12.0"' in svg


def test_line_chart_of_little_data() -> None:
    assert line_chart([], [], CAPTION, fmt) == ""
    parse(line_chart([(T0, 0.0)], [], CAPTION, fmt))
    parse(line_chart([], [ForecastPoint(T0, 1.0, 0.0, 2.0)], CAPTION, fmt))


def test_spark_bars_keep_gaps() -> None:
    root = parse(spark_bars([1.0, None, 0.0, 2.0], CAPTION, size=(40, 20)))
    bars = [(e.get("x"), e.get("height")) for e in root if e.tag == "rect"]
    assert bars == [("0.0", "10.0"), ("20.0", "1.0"), ("30.0", "20.0")]
    assert spark_bars([None], CAPTION) == ""


def test_interval_bar_places_score_and_band() -> None:
    svg = interval_bar(50, 40, 75, CAPTION, width=112)
    assert 'class="range" x="46.0" y="6" width="35.0"' in svg
    assert 'cx="56.0"' in svg
    parse(interval_bar(120, None, None, CAPTION))  # out of range is drawn at the end, not outside


def test_contributions_point_left_when_they_lower_trust() -> None:
    assert 'class="lowers" x="50.0" y="3" width="50.0"' in contribution_bar(1.0, 2.0, CAPTION)
    assert 'class="raises" x="100.0" y="3" width="100.0"' in contribution_bar(-2.0, 2.0, CAPTION)
    parse(contribution_bar(0.0, 0.0, CAPTION))


def test_text_is_escaped() -> None:
    hostile = Caption('"><script>alert(1)</script>', "<img onerror=x>")
    for svg in (
        line_chart([(T0, 1.0)], [], hostile, lambda v: f"<{v}>"),
        spark_bars([1.0], hostile),
        interval_bar(1, 0, 2, hostile),
        contribution_bar(1, 2, hostile),
    ):
        parse(svg)
        assert not re.search(r"<(script|img)", svg)
