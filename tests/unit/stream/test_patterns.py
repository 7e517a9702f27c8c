"""The patterns kolray ships."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from kolray.stream.patterns import RULES, Patterns
from kolray.stream.patterns.check import check_pattern
from tests.unit.stream.closed import row, rows


def growing(hour: int, kol: str = "a") -> dict[str, Any]:
    return row(hour, kol, followers_last=1000 + 10 * hour + hour % 3)


def busy(hour: int, kol: str = "a", **values: Any) -> dict[str, Any]:
    return row(hour, kol, **{"impressions": 1000, "clicks": 20 + hour % 3, "likes": 30 + hour % 5} | values)


def test_shipped_patterns_are_right_as_a_users_must_be() -> None:
    for rule in RULES:
        check_pattern(rule, rule.name)


def test_a_follower_spike_stands_out_of_the_kols_own_history() -> None:
    history = [growing(hour, kol) for hour in range(20) for kol in ("a", "b")]
    spike = [row(20, "a", followers_last=3000), growing(20, "b")]
    alerts = Patterns().on_closed(rows(history + spike))
    assert alerts.select("rule", "kol_id").rows() == [("follower_spike", "a")]
    evidence = json.loads(alerts["evidence"][0])
    assert evidence["value"] > 1000
    assert evidence["sigmas"] > 4
    assert evidence["windows_of_history"] == 19
    assert alerts["at"][0] == alerts["window_start"][0] + timedelta(hours=1)


def test_a_short_history_raises_nothing() -> None:
    assert Patterns().on_closed(rows([growing(0), row(1, followers_last=90_000)])).is_empty()


def test_clicks_far_above_the_kols_own_rate_are_a_storm() -> None:
    history = [busy(hour) for hour in range(20)]
    alerts = Patterns().on_closed(rows([*history, busy(20, clicks=200)]))
    assert alerts.select("rule", "severity").rows() == [("click_storm", "high")]


def test_engagement_without_reach_is_a_burst() -> None:
    history = [busy(hour) for hour in range(20)]
    alerts = Patterns().on_closed(rows([*history, busy(20, likes=900)]))
    assert alerts["rule"].to_list() == ["engagement_burst_without_reach"]
    few = Patterns().on_closed(rows([*history, busy(20, likes=90, impressions=90)]))
    assert few.is_empty()


def test_a_second_spike_is_seen_although_the_first_is_in_the_history() -> None:
    history = [busy(hour) for hour in range(20)]
    storms = [busy(hour, clicks=200) for hour in (20, 21)]
    assert Patterns().on_closed(rows([*history, *storms])).height == 2


def test_three_falling_hours_of_sentiment_raise_one_alert() -> None:
    shares = [9, 9, 7, 5, 2, 1]
    falling = [row(hour, positive=share, negative=10 - share) for hour, share in enumerate(shares)]
    alerts = Patterns().on_closed(rows(falling))
    assert alerts["rule"].to_list() == ["sentiment_falling"]
    assert json.loads(alerts["evidence"][0])["fell_from"] == 0.9


def test_hours_without_a_comment_do_not_break_the_fall() -> None:
    falling = [row(hour, positive=share, negative=10 - share) for hour, share in enumerate([9, 7, 5, 2])]
    quiet = [row(9), *(item | row(10 + hour, **_comments(item)) for hour, item in enumerate(falling))]
    assert Patterns().on_closed(rows(quiet)).height == 1


def _comments(item: dict[str, Any]) -> dict[str, int]:
    return {name: item[name] for name in ("positive", "negative")}


def test_rows_in_any_batches_raise_the_same_alerts() -> None:
    history = [growing(hour) for hour in range(20)] + [row(20, followers_last=3000)]
    whole, piecewise = Patterns().on_closed(rows(history)), []
    patterns = Patterns()
    for item in history:
        piecewise.append(patterns.on_closed(rows([item])))
    assert_frame_equal(pl.concat(piecewise), whole)
