"""Milliseconds and aware datetimes are the same instants; the fake clock moves only when told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolray.clock import EPOCH, Clock, SystemClock, from_ms, to_ms
from kolray.testing.clock import START, FakeClock

YEAR_1900, YEAR_2200 = -2_208_988_800_000, 7_258_118_400_000


@given(st.integers(YEAR_1900, YEAR_2200))
def test_milliseconds_survive_the_round_trip(ms: int) -> None:
    assert to_ms(from_ms(ms)) == ms
    assert from_ms(ms).utcoffset() == timedelta(0)


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_datetime_loses_only_its_microseconds(at: datetime) -> None:
    assert from_ms(to_ms(at)) == at.replace(microsecond=at.microsecond // 1000 * 1000)


def test_another_zone_is_the_same_instant() -> None:
    hanoi = datetime(2026, 1, 1, 7, tzinfo=timezone(timedelta(hours=7)))
    assert to_ms(hanoi) == to_ms(datetime(2026, 1, 1, tzinfo=UTC))
    assert to_ms(EPOCH) == 0


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        to_ms(datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="no time zone"):
        FakeClock(datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_system_clock_is_aware_and_does_not_run_back() -> None:
    clock: Clock = SystemClock()
    first = clock.monotonic()
    clock.sleep(0)
    assert clock.monotonic() >= first
    assert clock.now().utcoffset() == timedelta(0)


def test_the_fake_clock_moves_only_when_told() -> None:
    fake = FakeClock()
    clock: Clock = fake
    assert (clock.now(), clock.monotonic()) == (START, 0.0)
    clock.sleep(2.5)
    fake.advance(0.5)
    assert (clock.now(), clock.monotonic()) == (START + timedelta(seconds=3), 3.0)
    assert fake.slept == [2.5]
    with pytest.raises(ValueError, match="run back"):
        fake.advance(-1)
