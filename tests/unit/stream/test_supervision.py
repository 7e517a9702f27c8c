"""What the supervisor decides about shards that die, hang, fail or come back, under a clock of the test's own."""

from __future__ import annotations

import pytest

from kolray.errors import CheckpointError, FencedError, KolrayError, ServiceUnavailableError, SettingsError
from kolray.stream.supervision import GIVE_UP_AFTER, START_S, Supervision
from kolray.testing.clock import FakeClock

AWAY = ServiceUnavailableError("Kafka", "127.0.0.1:9", "start it")


def _watch(*, until_end: bool = False) -> tuple[Supervision, FakeClock]:
    clock = FakeClock()
    return Supervision([[0, 2], [1, 3]], clock, hang_after_s=20, until_end=until_end), clock


def _running(watch: Supervision, index: int, beats: int = 1, checkpoints: int = 5) -> None:
    watch.started(index)
    watch.beat(index, beats, checkpoints)


def test_every_shard_is_started_at_first() -> None:
    watch, _ = _watch()
    assert watch.due() == [0, 1]
    watch.started(0)
    assert watch.due() == [1]


def test_a_dead_shard_starts_again_at_once_and_the_other_is_left_alone() -> None:
    watch, _ = _watch()
    _running(watch, 0)
    _running(watch, 1)
    watch.died(0)
    assert watch.due() == [0]
    assert (watch.restarts, watch.shards[0].reason) == (1, "its process died")


def test_deaths_without_a_checkpoint_between_wait_longer_each_time() -> None:
    watch, clock = _watch()
    waited = []
    for _ in range(8):
        _running(watch, 0)
        watch.died(0)
        before = clock.monotonic()
        while 0 not in watch.due():
            clock.advance(0.5)
        waited.append(clock.monotonic() - before)
    assert waited == [0, 1, 2, 4, 8, 16, 30, 30]


def test_a_checkpoint_forgives_earlier_deaths() -> None:
    watch, _ = _watch()
    for _ in range(4):
        _running(watch, 0)
        watch.died(0)
    _running(watch, 0, checkpoints=5)
    watch.beat(0, 2, 6)
    watch.died(0)
    assert 0 in watch.due()


def test_a_loop_without_a_beat_is_hung() -> None:
    watch, clock = _watch()
    _running(watch, 0)
    _running(watch, 1)
    clock.advance(15)
    watch.beat(0, 2, 5)
    watch.beat(1, 1, 5)  # it answers, but its loop stands still
    clock.advance(6)
    assert watch.hung() == [1]
    watch.hangs(1)
    assert watch.shards[1].reason == "no progress for 21 s"
    assert watch.hung() == []
    assert watch.due() == [1]


def test_a_shard_that_waits_for_a_slow_store_beats_and_is_not_hung() -> None:
    watch, clock = _watch()
    _running(watch, 0)
    for beats in range(2, 40):
        clock.advance(19)
        watch.beat(0, beats, 5)
        assert watch.hung() == []


def test_a_start_may_take_longer_than_a_round() -> None:
    watch, clock = _watch()
    watch.started(0)
    clock.advance(START_S)
    assert watch.hung() == []
    clock.advance(1)
    assert watch.hung() == [0]


def test_a_restore_that_beats_goes_on() -> None:
    watch, clock = _watch()
    watch.started(0)
    for beats in range(5):
        clock.advance(START_S - 1)
        watch.beat(0, beats)
        assert watch.shards[0].state == "starting"
        assert watch.hung() == []


@pytest.mark.parametrize("error", [SettingsError("wrong"), CheckpointError("another broker")])
def test_an_error_that_waiting_cannot_mend_ends_the_run(error: KolrayError) -> None:
    watch, _ = _watch()
    _running(watch, 0)
    with pytest.raises(type(error), match=str(error)):
        watch.failed(0, error)


def test_why_a_shard_was_started_again_names_no_password() -> None:
    watch, _ = _watch()
    _running(watch, 0)
    watch.failed(0, RuntimeError("redis://:geheim@cache:6379/0 is away"))
    assert watch.shards[0].reason == "RuntimeError: redis://***@cache:6379/0 is away"


def test_a_server_that_was_never_there_ends_the_run_and_one_that_left_is_waited_for() -> None:
    watch, _ = _watch()
    watch.started(0)
    with pytest.raises(ServiceUnavailableError):
        watch.failed(0, AWAY)
    _running(watch, 1)
    watch.failed(1, AWAY)
    watch.started(0)
    watch.failed(0, AWAY)
    assert watch.shards[0].reason == f"ServiceUnavailableError: {AWAY}"


def test_a_fenced_shard_starts_again_unless_another_run_took_over() -> None:
    watch, _ = _watch()
    _running(watch, 0)
    watch.failed(0, FencedError("partition 0 has a newer owner"))
    assert 0 in watch.due()
    _running(watch, 0)
    with pytest.raises(KolrayError, match="another `kolray stream`"):
        watch.failed(0, FencedError("partition 0 has a newer owner"), taken_over=True)


def test_a_bounded_run_does_not_try_for_ever() -> None:
    watch, _ = _watch(until_end=True)
    for _ in range(GIVE_UP_AFTER - 1):
        _running(watch, 0)
        watch.failed(0, ValueError("broken"))
    _running(watch, 0)
    with pytest.raises(KolrayError, match=r"partitions \[0, 2\] failed 8 times in a row.*broken"):
        watch.failed(0, ValueError("broken"))


def test_a_run_without_end_goes_on_trying() -> None:
    watch, _ = _watch()
    for _ in range(3 * GIVE_UP_AFTER):
        _running(watch, 0)
        watch.failed(0, ValueError("broken"))
    assert watch.shards[0].restarts == 3 * GIVE_UP_AFTER


def test_a_bounded_run_is_done_when_all_have_ended() -> None:
    watch, _ = _watch(until_end=True)
    watch.ended(0)
    assert not watch.done
    watch.ended(1)
    assert watch.done
    assert watch.due() == []
    assert watch.hung() == []
