"""The plan of polls: never beyond the quota, near the best there is, and the most changed first."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.connectors.plan import Candidate, allocate, candidates_of, plan, unseen
from kolray.connectors.poll_run import state_file
from kolray.connectors.quota import Meter, Quota
from kolray.connectors.state import AccountState, PollState
from kolray.errors import QuotaSpentError
from kolray.settings import load_settings
from kolray.testing.clock import FakeClock

CANDIDATES = st.builds(Candidate, st.just("a"), st.floats(0.01, 1000), st.integers(1, 12), st.floats(0, 200))
PACIFIC = Quota(60, "day", "America/Los_Angeles")


class Kept:
    """What was spent, in memory."""

    def __init__(self) -> None:
        self.units: Counter[str] = Counter()

    def spent(self, period: str) -> int:
        return self.units[period]

    def add_spent(self, periods: list[str], units: int) -> None:
        self.units.update(dict.fromkeys(periods, units))


def saved(candidates: list[Candidate], polls: tuple[int, ...] | list[int], hours: float) -> float:
    """What polls are worth."""
    both = zip(candidates, polls, strict=True)
    return sum(unseen(one, hours, 0) - unseen(one, hours, n) for one, n in both)


@settings(max_examples=150, deadline=None)
@given(st.lists(CANDIDATES, min_size=1, max_size=3), st.floats(3, 24), st.integers(0, 24))
def test_a_plan_is_within_five_percent_of_the_best(candidates: list[Candidate], hours: float, units: int) -> None:
    polls = allocate(candidates, hours, units)
    assert sum(n * one.cost for n, one in zip(polls, candidates, strict=True)) <= units
    most = [min(units // one.cost, int(hours / 0.25) + 1) for one in candidates]
    best = max(
        saved(candidates, each, hours)
        for each in itertools.product(*(range(n + 1) for n in most))
        if sum(n * one.cost for n, one in zip(each, candidates, strict=True)) <= units
    )
    assert saved(candidates, polls, hours) >= 0.95 * best


@settings(max_examples=200, deadline=None)
@given(CANDIDATES, st.floats(1, 24), st.integers(0, 30))
def test_each_poll_gains_and_less_than_the_one_before(one: Candidate, hours: float, n: int) -> None:
    first, second, third = (unseen(one, hours, polls) for polls in (n, n + 1, n + 2))
    assert first >= second >= third >= 0
    assert first - second >= second - third - 1e-6 * first


def test_many_accounts_are_planned_within_the_quota() -> None:
    draw = random.Random(1)
    many = [Candidate(str(n), draw.lognormvariate(2, 2), draw.randint(3, 9), draw.uniform(0, 48)) for n in range(3000)]
    polls = allocate(many, 24, 10_000)
    cost = sum(n * one.cost for n, one in zip(polls, many, strict=True))
    assert 9_990 <= cost <= 10_000


def test_the_quota_holds_on_10_000_days_over_restarts_and_skewed_clocks() -> None:
    draw, clock, kept = random.Random(3), FakeClock(), Kept()
    zone, asked = ZoneInfo(PACIFIC.zone), Counter[str]()
    accounts = [Candidate(str(n), draw.lognormvariate(1, 1), draw.randint(2, 9), draw.uniform(0, 30)) for n in range(5)]
    refused = 0
    for _ in range(10_000):
        meter, skew = Meter(PACIFIC, kept, clock), timedelta(seconds=draw.uniform(-290, 290))
        for each in plan(accounts, PACIFIC, meter.left(), clock.now()):
            for _ in range(each.polls):
                units = max(each.cost + draw.randint(-2, 4), 1)  # a poll costs more or less than it did
                try:
                    meter.spend(units)
                except QuotaSpentError:
                    refused += 1
                    break
                asked[f"{(clock.now() + skew).astimezone(zone):%Y-%m-%d}"] += units
                clock.sleep(draw.choice((1, 60, 3000)))
        clock.sleep(draw.uniform(0, 40) * 3600)
    assert max(asked.values()) <= PACIFIC.units
    assert refused > 100
    assert sum(asked.values()) > 0.5 * PACIFIC.units * len(asked)


@pytest.mark.parametrize(
    ("now", "reset"),
    [
        (datetime(2026, 3, 8, 9, tzinfo=UTC), datetime(2026, 3, 9, 7, tzinfo=UTC)),  # the clocks went forward between
        (datetime(2026, 11, 1, 8, tzinfo=UTC), datetime(2026, 11, 2, 8, tzinfo=UTC)),
        (datetime(2026, 1, 5, 8, tzinfo=UTC), datetime(2026, 1, 6, 8, tzinfo=UTC)),
    ],
)
def test_youtubes_day_ends_at_midnight_of_the_pacific(now: datetime, reset: datetime) -> None:
    assert PACIFIC.resets_at(now) == reset
    assert PACIFIC.period(reset - timedelta(seconds=1)) != PACIFIC.period(reset)
    assert PACIFIC.periods(reset) == [PACIFIC.period(now), PACIFIC.period(reset)]


def test_weibos_hour() -> None:
    hourly, now = Quota(150, "hour"), datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
    assert hourly.resets_at(now) == datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert hourly.periods(now) == ["2026-01-05T08"]


def test_units_spent_are_known_after_a_restart(tmp_path: Path) -> None:
    clock = FakeClock(datetime(2026, 1, 5, 20, tzinfo=UTC))
    Meter(PACIFIC, PollState(tmp_path / "state.db"), clock).spend(55)
    again = Meter(PACIFIC, PollState(tmp_path / "state.db"), clock)
    assert again.left() == 5
    with pytest.raises(QuotaSpentError, match="5 of 60 units are left and 6 are needed: poll again after 2026-01-06"):
        again.spend(6)
    clock.sleep(86_400)
    assert again.left() == 60


def test_the_most_changed_come_first_and_a_silent_one_in_time() -> None:
    now = datetime(2026, 1, 5, 8, tzinfo=UTC)
    ms = int(now.timestamp() * 1000)
    accounts = {
        "busy": AccountState(change_per_h=500, cost=5, polled_ms=ms - 3_600_000),
        "silent": AccountState(change_per_h=0, cost=5, polled_ms=ms - 3_600_000),
        "new": AccountState(),
    }
    planned = plan(candidates_of(accounts, now), PACIFIC, 60, now)
    assert [each.account_id for each in planned[:1]] == ["new"]
    polls = {each.account_id: each.polls for each in planned}
    assert polls["busy"] > polls["silent"]
    assert planned[0].at == now


def test_the_command_shows_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLRAY_HOME", str(tmp_path))
    monkeypatch.setenv("KOLRAY_TIKTOK__UNITS", "40")
    state = PollState(state_file(load_settings(), "tiktok"))
    state.keep_account("someone", AccountState(change_per_h=12.0, cost=4, polled_ms=1_700_000_000_000))
    told = CliRunner().invoke(app, ["ingest", "plan", "--platform", "tiktok", "--json"], catch_exceptions=False)
    body = json.loads(told.stdout)
    assert body["units_left"] == 40
    assert [(each["account_id"], each["cost"], each["polls"] > 0) for each in body["accounts"]] == [
        ("someone", 4, True)
    ]
    table = CliRunner().invoke(app, ["ingest", "plan", "--platform", "tiktok"], catch_exceptions=False)
    assert "40 units left" in table.stdout
