"""Each construct of a pattern, on one KOL's likes an hour (a digit a window, a dot for none)."""

from __future__ import annotations

import json

import pytest

from kolray.stream.patterns import Patterns
from tests.unit.stream.closed import fires, hours, likes, pattern, row, rows

A, B, C = 'when = "likes = 1"', 'when = "likes = 2"', 'when = "likes = 3"'


def later(step: str, within: str) -> str:
    return f"{step}\nwithin = {within}"


def never(step: str, within: str | None = None) -> str:
    return f"{step}\nnot = true" + (f"\nwithin = {within}" if within else "")


@pytest.mark.parametrize(
    ("steps", "text", "expected"),
    [
        pytest.param(A, "10011", [0, 3, 4], id="a condition: every window"),
        pytest.param(f"{A}\ntimes = 3", "110111110111", [5, 11], id="times: once a run, at its n-th window"),
        pytest.param('value = "likes"\nrises = 3\ntimes = 2', "1241357", [2, 5], id="rises: over the run, strictly"),
        pytest.param('value = "likes"\nfalls = 0', "54320", [1, 2, 3, 4], id="falls without times: every window"),
        pytest.param(
            'value = "likes"\nonly = "likes > 0"\nfalls = 4\ntimes = 3', "9807005", [6], id="only: passed over"
        ),
        pytest.param('value = "likes"\nwhen = "value > 2 * previous"', "13727", [1, 2, 4], id="previous"),
        pytest.param('value = "likes"\nwhen = "value > 3 * own_mean AND own_n >= 3"', "1111511", [4], id="own_mean"),
    ],
)
def test_a_single_step(steps: str, text: str, expected: list[int]) -> None:
    assert fires(steps, text) == expected


@pytest.mark.parametrize(
    ("steps", "text", "expected"),
    [
        pytest.param(f"{A}|{B}", "2010020", [5], id="one after the other, once"),
        pytest.param(f"{A}|{B}", "12120", [1, 3], id="anew after it fired"),
        pytest.param(f"{A}|{B}|{C}", "1302013", [6], id="three in order"),
        pytest.param(f'{A}|when = "likes < 2"', "1", [], id="never the same window twice"),
        pytest.param(f"{A}|{later(B, '2')}", "10021002", [], id="within: too late"),
        pytest.param(f"{A}|{later(B, '2')}", "1.2", [2], id="within counts hours, also those without a window"),
        pytest.param(f"{A}|{later(B, '2')}", "1012", [3], id="within counts from the latest"),
        pytest.param(f"{A}|{B}\ntimes = 2", "122012", [2], id="times inside a sequence"),
        pytest.param(f'{A}|when = "likes > 0"\ntimes = 3', "21111111", [], id="a run under way does not count"),
        pytest.param(f'{A}|when = "likes > 1"\ntimes = 2', "1210230", [5], id="the run begins after the step before"),
        pytest.param(f'{B}|when = "likes > 0"\ntimes = 3', "02012111", [5], id="what comes in the run changes nothing"),
    ],
)
def test_a_sequence(steps: str, text: str, expected: list[int]) -> None:
    assert fires(steps, text) == expected


@pytest.mark.parametrize(
    ("steps", "text", "expected"),
    [
        pytest.param(f"{A}|{never(C)}|{B}", "132012", [5], id="not between"),
        pytest.param(f"{A}|{never(C)}|{B}", "1302102", [6], id="the latest beginning counts"),
        pytest.param(f"{never(C, '2')}|{B}", "3020002", [6], id="not before"),
        pytest.param(f"{never(C, '2')}|{B}", "2", [0], id="nothing known is nothing seen"),
        pytest.param(f"{A}|{never(B, '2')}", "1000", [2], id="not after: when the time is over"),
        pytest.param(f"{A}|{never(B, '2')}", "1020010000", [7], id="not after: it came in time"),
        pytest.param(f"{A}|{never(B, '2')}", "1002", [2], id="not after: it came too late"),
        pytest.param(f"{A}|{never(B, '2')}", "1....0", [2], id="not after: told when the KOL is next seen"),
        pytest.param(f"{A}|{C}|{never(B, '1')}", "130012030", [2], id="not after a sequence"),
        pytest.param(f"{A}|{never(B, '2')}", "110000", [2], id="one wait at a time"),
    ],
)
def test_an_absence(steps: str, text: str, expected: list[int]) -> None:
    assert fires(steps, text) == expected


def test_an_absence_is_told_although_the_kol_is_silent() -> None:
    in_time = '"3h"'
    patterns = Patterns([pattern(f"{A}|{never(B, in_time)}")])
    assert patterns.on_closed(likes("1", "silent")).is_empty()
    alerts = patterns.on_closed(likes("00000", "other", start=1))
    assert alerts["kol_id"].to_list() == ["silent"]
    assert hours(alerts) == [3]
    evidence = json.loads(alerts["evidence"][0])
    assert evidence["absent"] == "likes = 2"
    assert evidence["within"] == "3h"
    assert evidence["steps_at"] == ["2025-10-09T09:00:00Z"]


def test_the_evidence_of_a_sequence_says_when_each_step_matched() -> None:
    spike = 'value = "likes"\nwhen = "value > 5"'
    alerts = Patterns([pattern(f"{spike}|{later(B, '3')}")]).on_closed(likes("0902"))
    assert json.loads(alerts["evidence"][0]) == {
        "metric": "likes = 2",
        "value": None,
        "steps_at": ["2025-10-09T10:00:00Z", "2025-10-09T12:00:00Z"],
        "steps_value": [9.0, None],
    }


def test_a_spike_after_which_nothing_is_said() -> None:
    """Own history inside a sequence: the statistics see every window, whatever the sequence waits for."""
    spike = 'value = "likes"\nsigmas = 4\nmin_history = 4\nmin_sd = 1'
    quiet = 'when = "comments = 0"\ntimes = 2\nwithin = 3'
    history = [row(hour, likes=3 + hour % 2, comments=1) for hour in range(8)]
    after = [row(8, likes=60, comments=1), row(9, likes=3), row(10, likes=4)]
    assert hours(Patterns([pattern(f"{spike}|{quiet}")]).on_closed(rows(history + after))) == [10]


def test_kols_and_window_kinds_do_not_mix() -> None:
    two = [pattern(f"{A}|{B}", "hourly"), pattern(f"{A}|{B}", "fast", 'window = "5m"')]
    items = [row(0, "a", likes=1), row(1, "b", likes=2), row(2, "a", "5m", likes=2), row(3, "a", likes=2)]
    alerts = Patterns(two).on_closed(rows(items))
    assert alerts.select("rule", "kol_id").rows() == [("hourly", "a")]


def test_followers_before_are_those_of_the_same_window_kind() -> None:
    two = [pattern('when = "followers_last - followers_before = 7"', "hourly")]
    two += [pattern('when = "followers_last - followers_before = 7"', "fast", 'window = "5m"')]
    items = [row(0, followers_last=10), row(1, window="5m", followers_last=1), row(2), row(3, followers_last=17)]
    assert Patterns(two).on_closed(rows(items))["rule"].to_list() == ["hourly"]


def test_a_value_that_is_no_number_is_passed_over() -> None:
    """Negative corrections can make a denominator zero; infinity would spoil the statistics for good."""
    spike = pattern('value = "likes / impressions"\nsigmas = 3\nmin_history = 3\nmin_sd = 0.1')
    items = [row(hour, likes=1, impressions=0 if hour == 2 else 1) for hour in range(6)] + [
        row(6, likes=9, impressions=1)
    ]
    assert hours(Patterns([spike]).on_closed(rows(items))) == [6]
